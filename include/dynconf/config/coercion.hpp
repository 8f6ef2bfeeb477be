#pragma once

#include <dynconf/config/value.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <ratio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf {

/// Whether a refusal may show (the first 40 bytes of) the text it refuses. Hide secrets.
enum class quoting : bool { hidden, shown };

/// The one way from text to a T, for etcd and environment alike: `static result<T> from(std::string_view, quoting)`.
/// Blanks around the text never matter, except in texts, which stay as they are. What does not fit is a
/// `schema_violation` that says what was expected. All are safe to call from any thread.
///
/// | T | text |
/// |---|---|
/// | bool | 1 true yes y on enabled, 0 false no n off disabled, in any case |
/// | whole numbers | decimal, optional sign, within the range of T |
/// | float, double | decimal with optional exponent; `from_any` also takes inf and nan |
/// | std::string | as it is |
/// | std::vector<std::string> | items between commas, trimmed, empty ones dropped; or a JSON array of strings |
/// | std::chrono durations | "250ms", "1m30s", "1.5h"; a plain number counts in T's own unit |
/// | nlohmann::json | a document, see <dynconf/config/json.hpp> |
///
/// The units of durations are d h m s ms us ns, each once and the largest first; what T cannot hold exactly is refused.
template <class T> struct coercion;

namespace detail {

/// `schema_violation`: `expected <what>, got "<text>"`.
DYNCONF_API error refusal(std::string_view expected, std::string_view text, quoting quote);

struct integer_text {
    bool negative = false;
    std::uint64_t magnitude = 0;
};

DYNCONF_API std::optional<bool> parse_bool(std::string_view text) noexcept;
/// Nothing when it is not a whole number or beyond 64 bits.
DYNCONF_API std::optional<integer_text> parse_integer(std::string_view text) noexcept;
DYNCONF_API std::optional<double> parse_double(std::string_view text, bool finite_only);
DYNCONF_API std::optional<std::vector<std::string>> parse_list(std::string_view text);
/// A number without a unit counts `plain_num / plain_den` nanoseconds.
DYNCONF_API std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text, std::intmax_t plain_num,
                                                                   std::intmax_t plain_den) noexcept;

/// Lets `from` take what `value::get` gives: an override writes `coercion<int>::from(raw.get<std::string>())`.
template <class T> struct coercion_sources {
    template <class Text>
        requires(std::same_as<Text, std::string> || std::same_as<Text, std::string_view>)
    static result<T> from(const result<Text>& text, quoting quote = quoting::shown) {
        if (!text) return text.error();
        return coercion<T>::from(std::string_view(*text), quote);
    }
};

}  // namespace detail

template <> struct coercion<bool> : detail::coercion_sources<bool> {
    using coercion_sources::from;
    static result<bool> from(std::string_view text, quoting quote = quoting::shown) {
        if (const auto b = detail::parse_bool(text)) return *b;
        return detail::refusal(expected(), text, quote);
    }
    static constexpr std::string_view expected() noexcept {
        return "true or false (1 yes y on enabled, 0 no n off disabled)";
    }
};

template <detail::whole_number T> struct coercion<T> : detail::coercion_sources<T> {
    using detail::coercion_sources<T>::from;
    static result<T> from(std::string_view text, quoting quote = quoting::shown) {
        if (const auto n = detail::parse_integer(text)) {
            constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
            if (!n->negative || n->magnitude == 0) {
                if (n->magnitude <= most) return static_cast<T>(n->magnitude);
            } else if constexpr (std::is_signed_v<T>) {
                // one more below zero than above; computed from the far side so that nothing overflows
                if (n->magnitude <= most + 1) return static_cast<T>(-static_cast<std::int64_t>(n->magnitude - 1) - 1);
            }
        }
        return detail::refusal(expected(), text, quote);
    }
    static std::string expected() {
        return "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
               std::to_string(std::numeric_limits<T>::max());
    }
};

template <std::floating_point T> struct coercion<T> : detail::coercion_sources<T> {
    using detail::coercion_sources<T>::from;
    /// Finite numbers only.
    static result<T> from(std::string_view text, quoting quote = quoting::shown) {
        return narrowed(detail::parse_double(text, true), text, quote);
    }
    /// Also "inf", "-inf" and "nan".
    static result<T> from_any(std::string_view text, quoting quote = quoting::shown) {
        return narrowed(detail::parse_double(text, false), text, quote);
    }
    static constexpr std::string_view expected() noexcept { return "a number"; }

private:
    static result<T> narrowed(std::optional<double> d, std::string_view text, quoting quote) {
        if (d) {
            auto fits = value_traits<T>::read(value(*d));
            if (fits) return *fits;
        }
        return detail::refusal(expected(), text, quote);
    }
};

template <> struct coercion<std::string> : detail::coercion_sources<std::string> {
    using coercion_sources::from;
    static result<std::string> from(std::string_view text, quoting = quoting::shown) { return std::string(text); }
    static constexpr std::string_view expected() noexcept { return "a text"; }
};

template <> struct coercion<secret> : detail::coercion_sources<secret> {
    using coercion_sources::from;
    static result<secret> from(std::string_view text, quoting = quoting::shown) { return secret(text); }
    static constexpr std::string_view expected() noexcept { return "a text"; }
};

template <> struct coercion<std::vector<std::string>> : detail::coercion_sources<std::vector<std::string>> {
    using coercion_sources::from;
    static result<std::vector<std::string>> from(std::string_view text, quoting quote = quoting::shown) {
        if (auto items = detail::parse_list(text)) return std::move(*items);
        return detail::refusal(expected(), text, quote);
    }
    static constexpr std::string_view expected() noexcept { return "texts between commas, or a JSON array of strings"; }
};

template <class Rep, class Period>
struct coercion<std::chrono::duration<Rep, Period>> : detail::coercion_sources<std::chrono::duration<Rep, Period>> {
    using target = std::chrono::duration<Rep, Period>;
    using scale = std::ratio_divide<Period, std::nano>;
    static_assert(scale::den == 1, "durations finer than a nanosecond cannot be stored");

    using detail::coercion_sources<target>::from;
    static result<target> from(std::string_view text, quoting quote = quoting::shown) {
        if (const auto ns = detail::parse_duration(text, scale::num, scale::den)) {
            auto exact = value_traits<target>::read(value(*ns));
            if (exact) return *exact;
        }
        return detail::refusal(expected(), text, quote);
    }
    static constexpr std::string_view expected() noexcept {
        constexpr auto unit = scale::num;
        if constexpr (unit == 1) return "a duration such as 250ms or 1m30s, or a number of nanoseconds";
        else if constexpr (unit == 1'000) return "a duration such as 250ms or 1m30s, or a number of microseconds";
        else if constexpr (unit == 1'000'000) return "a duration such as 250ms or 1m30s, or a number of milliseconds";
        else if constexpr (unit == 1'000'000'000) return "a duration in seconds such as 5s or 1m30s, or their number";
        else return "a duration such as 36h that is a whole multiple of the setting's unit, or a number of that unit";
    }
};

template <class T> struct coercion<std::optional<T>> : detail::coercion_sources<std::optional<T>> {
    using detail::coercion_sources<std::optional<T>>::from;
    /// Text is always a value; only the absence of text is an empty optional.
    static result<std::optional<T>> from(std::string_view text, quoting quote = quoting::shown) {
        auto inner = coercion<T>::from(text, quote);
        if (!inner) return inner.error();
        return std::optional<T>(std::move(*inner));
    }
    static auto expected() { return coercion<T>::expected(); }
};

template <class T>
concept coercible = requires(std::string_view text) {
    { coercion<T>::from(text, quoting::shown) } -> std::same_as<result<T>>;
};

}  // namespace dynconf
