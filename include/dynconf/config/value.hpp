#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <ratio>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace dynconf {

/// What a `value` holds, in the order of its storage.
enum class value_type : std::uint8_t {
    null,
    boolean,
    integer,           ///< Any whole number that fits a std::int64_t.
    unsigned_integer,  ///< Only a whole number beyond std::int64_t.
    floating,
    text,
    list,              ///< Texts.
    duration,          ///< Nanoseconds.
    json,
};

/// "null", "bool", "integer", "unsigned integer", "float", "text", "list", "duration" or "JSON".
DYNCONF_API std::string_view to_string(value_type type) noexcept;

/// How a C++ type is put into a `value` and taken out again:
/// `static value write(T)` and `static result<T> read(const value&)`.
/// Specialise it (and `coercion`) to have settings of a type of your own, such as an enum.
template <class T> struct value_traits;

class value;

template <class T>
concept storable = requires(const value& v) {
    { value_traits<T>::read(v) } -> std::same_as<result<T>>;
};

/// The coerced value of one setting. A regular type; distinct objects may be used from distinct threads, and one
/// object may be read from several.
class DYNCONF_API value {
public:
    using list_type = std::vector<std::string>;
    using duration_type = std::chrono::nanoseconds;
    using json_type = std::shared_ptr<const nlohmann::json>;
    using storage = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, list_type,
                                 duration_type, json_type>;

    /// Null: the setting has no value.
    value() noexcept = default;
    value(std::nullptr_t) noexcept {}
    value(const char* text) : data_(std::in_place_type<std::string>, text) {}
    /// From any type that has `value_traits`: bool, numbers, texts, lists of texts, durations, optionals of these;
    /// with <dynconf/config/json.hpp> nlohmann::json too. A duration beyond 292 years throws std::out_of_range.
    template <class T>
        requires(!std::same_as<std::remove_cvref_t<T>, value> && storable<std::remove_cvref_t<T>>)
    value(T&& from) : value(value_traits<std::remove_cvref_t<T>>::write(std::forward<T>(from))) {}

    /// Takes what the storage holds as it is, but a null pointer to JSON becomes null and a small unsigned integer
    /// becomes an integer.
    static value from_storage(storage data);

    bool is_null() const noexcept { return data_.index() == 0; }
    value_type type() const noexcept { return static_cast<value_type>(data_.index()); }

    /// The value as a T: the same type, or a number or duration that the target can hold exactly (a float target may
    /// round). `type_mismatch` names both types and never quotes the value. A std::string_view lives as long as this
    /// object. Null reads as an empty std::optional and as nothing else.
    template <storable T> result<T> get() const { return value_traits<T>::read(*this); }

    /// Cheap looks: null when it is of another type.
    const bool* if_bool() const noexcept { return std::get_if<bool>(&data_); }
    const std::int64_t* if_integer() const noexcept { return std::get_if<std::int64_t>(&data_); }
    const std::uint64_t* if_unsigned() const noexcept { return std::get_if<std::uint64_t>(&data_); }
    const double* if_float() const noexcept { return std::get_if<double>(&data_); }
    const std::string* if_string() const noexcept { return std::get_if<std::string>(&data_); }
    const list_type* if_list() const noexcept { return std::get_if<list_type>(&data_); }
    const duration_type* if_duration() const noexcept { return std::get_if<duration_type>(&data_); }
    const nlohmann::json* if_json() const noexcept {
        const auto* held = std::get_if<json_type>(&data_);
        return held ? held->get() : nullptr;
    }
    const storage& data() const noexcept { return data_; }

    /// The text that coerces to this value again: "true", "42", "0.1", "a,b" (a JSON array when commas or blanks would
    /// be lost), "1m30s", JSON. Null is the empty text.
    std::string to_text() const;

    /// As JSON: durations as text, numbers that are not finite as text, bytes that are not UTF-8 replaced by U+FFFD.
    std::string to_json_text() const;

    /// Same type and same content; a NaN equals a NaN, so that it is not a change for ever.
    friend DYNCONF_API bool operator==(const value& a, const value& b);

private:
    struct unchecked {};
    value(unchecked, storage data) noexcept : data_(std::move(data)) {}

    storage data_;
};

namespace detail {

/// bool and the character types are not numbers here; signed and unsigned char are.
template <class T>
concept whole_number = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                       !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> && !std::same_as<T, char16_t> &&
                       !std::same_as<T, char32_t>;

template <class T> inline constexpr bool is_duration = false;
template <class Rep, class Period> inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;

template <class T> inline constexpr bool is_optional = false;
template <class T> inline constexpr bool is_optional<std::optional<T>> = true;

/// `type_mismatch`: "have text, wanted int32".
DYNCONF_API error mismatch(const value& have, std::string_view wanted);

template <whole_number T> constexpr std::string_view number_name() noexcept {
    constexpr bool is_signed = std::is_signed_v<T>;
    switch (sizeof(T)) {
        case 1: return is_signed ? "int8" : "uint8";
        case 2: return is_signed ? "int16" : "uint16";
        case 4: return is_signed ? "int32" : "uint32";
        default: return is_signed ? "int64" : "uint64";
    }
}

/// Exact, or nothing.
DYNCONF_API std::optional<std::int64_t> scale_exactly(std::int64_t count, std::intmax_t num,
                                                      std::intmax_t den) noexcept;

[[noreturn]] DYNCONF_API void throw_duration_out_of_range();

template <class Rep, class Period>
std::chrono::nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> d) {
    using scale = std::ratio_divide<Period, std::nano>;
    if constexpr (std::floating_point<Rep>) {
        const long double n = static_cast<long double>(d.count()) * static_cast<long double>(scale::num) /
                              static_cast<long double>(scale::den);
        if (!(n > -9.2233720368547758e18L && n < 9.2233720368547758e18L)) throw_duration_out_of_range();
        return std::chrono::nanoseconds(static_cast<std::int64_t>(n));
    } else {
        if (!std::in_range<std::int64_t>(d.count())) throw_duration_out_of_range();
        const auto n = scale_exactly(static_cast<std::int64_t>(d.count()), scale::num, scale::den);
        if (!n) throw_duration_out_of_range();
        return std::chrono::nanoseconds(*n);
    }
}

}  // namespace detail

template <> struct value_traits<bool> {
    static value write(bool b) { return value::from_storage(b); }
    static result<bool> read(const value& v) {
        if (const auto* b = v.if_bool()) return *b;
        return detail::mismatch(v, "bool");
    }
};

template <detail::whole_number T> struct value_traits<T> {
    static value write(T n) {
        if constexpr (std::is_signed_v<T>) return value::from_storage(std::int64_t{n});
        else return value::from_storage(std::uint64_t{n});
    }
    static result<T> read(const value& v) {
        if (const auto* n = v.if_integer(); n && std::in_range<T>(*n)) return static_cast<T>(*n);
        if (const auto* n = v.if_unsigned(); n && std::in_range<T>(*n)) return static_cast<T>(*n);
        if (const auto* d = v.if_float()) {
            // Powers of two, so these bounds are exact where max() as a double would be rounded up.
            constexpr int digits = std::numeric_limits<T>::digits;
            constexpr double end = digits > 62 ? static_cast<double>(std::uint64_t{1} << 62) * (digits == 63 ? 2 : 4)
                                               : static_cast<double>(std::uint64_t{1} << (digits > 62 ? 0 : digits));
            constexpr double first = std::is_signed_v<T> ? -end : 0.0;
            if (*d >= first && *d < end && static_cast<double>(static_cast<T>(*d)) == *d) return static_cast<T>(*d);
        }
        return detail::mismatch(v, detail::number_name<T>());
    }
};

template <std::floating_point T> struct value_traits<T> {
    static value write(T d) { return value::from_storage(static_cast<double>(d)); }
    static result<T> read(const value& v) {
        if (const auto* d = v.if_float()) {
            const bool finite = *d - *d == 0;
            if constexpr (sizeof(T) >= sizeof(double)) return static_cast<T>(*d);
            else if (!finite || (*d >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
                                 *d <= static_cast<double>(std::numeric_limits<T>::max())))
                return static_cast<T>(*d);
        }
        if (const auto* n = v.if_integer()) return static_cast<T>(*n);
        if (const auto* n = v.if_unsigned()) return static_cast<T>(*n);
        return detail::mismatch(v, sizeof(T) < sizeof(double) ? "float" : "double");
    }
};

template <> struct value_traits<std::string> {
    static value write(std::string s) { return value::from_storage(std::move(s)); }
    static result<std::string> read(const value& v) {
        if (const auto* s = v.if_string()) return *s;
        return detail::mismatch(v, "text");
    }
};

template <> struct value_traits<std::string_view> {
    static value write(std::string_view s) { return value::from_storage(std::string(s)); }
    static result<std::string_view> read(const value& v) {
        if (const auto* s = v.if_string()) return std::string_view(*s);
        return detail::mismatch(v, "text");
    }
};

/// Text that whoever reads it cannot print by accident.
template <> struct value_traits<secret> {
    static value write(const secret& s) { return value::from_storage(std::string(s.reveal())); }
    static result<secret> read(const value& v) {
        if (const auto* s = v.if_string()) return secret(*s);
        return detail::mismatch(v, "text");
    }
};

template <> struct value_traits<std::vector<std::string>> {
    static value write(std::vector<std::string> l) { return value::from_storage(std::move(l)); }
    static result<std::vector<std::string>> read(const value& v) {
        if (const auto* l = v.if_list()) return *l;
        return detail::mismatch(v, "list");
    }
};

template <class Rep, class Period> struct value_traits<std::chrono::duration<Rep, Period>> {
    using target = std::chrono::duration<Rep, Period>;
    static value write(target d) { return value::from_storage(detail::to_nanoseconds(d)); }
    static result<target> read(const value& v) {
        if (const auto* ns = v.if_duration()) {
            if constexpr (std::floating_point<Rep>) return std::chrono::duration_cast<target>(*ns);
            else {
                using scale = std::ratio_divide<std::nano, Period>;
                const auto n = detail::scale_exactly(ns->count(), scale::num, scale::den);
                if (n && std::in_range<Rep>(*n)) return target(static_cast<Rep>(*n));
                return detail::mismatch(v, "a duration in a coarser unit, without a remainder");
            }
        }
        return detail::mismatch(v, "duration");
    }
};

template <class T> struct value_traits<std::optional<T>> {
    static value write(std::optional<T> o) { return o ? value(std::move(*o)) : value(); }
    static result<std::optional<T>> read(const value& v) {
        if (v.is_null()) return std::optional<T>();
        auto inner = value_traits<T>::read(v);
        if (!inner) return inner.error();
        return std::optional<T>(std::move(*inner));
    }
};

}  // namespace dynconf
