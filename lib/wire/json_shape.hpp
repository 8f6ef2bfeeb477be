#pragma once

#include <dynconf/types.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// How a message looks in JSON and where its members live: one table of fields for each type. See message_reader.

namespace dynconf::wire {

enum class field_kind : std::uint8_t {
    int64,        // a decimal string or a number
    uint64,
    flag,
    bytes,        // base64
    text,
    event_type,   // "PUT", "DELETE" or their numbers
    object,
};

struct shape;

struct field {
    std::string_view name;                    // the proto name; its camelCase form is taken as well
    field_kind kind;
    bool repeated = false;                    // `at` and `enter` append an element
    bool lenient = false;                     // another type is no error but as good as absent
    std::int64_t most = 0;                    // of an int64, with either sign; 0: whatever it holds
    void* (*at)(void* owner) = nullptr;       // the member that takes a scalar
    void* (*enter)(void* owner) = nullptr;    // the owner of an object's members
    const shape* inner = nullptr;             // the object's fields
    std::size_t element = 0;                  // what one more of a repeated field takes
};

struct shape {
    std::span<const field> fields;
    bool secret = false;   // an error may not quote the message
};

namespace detail {

template <auto Member> struct member_traits;
template <class Owner, class Type, Type Owner::* Member>
struct member_traits<Member> {
    using owner = Owner;
    using type = Type;
};

template <auto Member>
typename member_traits<Member>::type& member_of(void* owner) {
    return static_cast<typename member_traits<Member>::owner*>(owner)->*Member;
}

template <class T> inline constexpr bool is_vector = false;
template <class T> inline constexpr bool is_vector<std::vector<T>> = true;
template <class T> inline constexpr bool is_optional = false;
template <class T> inline constexpr bool is_optional<std::optional<T>> = true;

template <auto Member>
void* place(void* owner) {
    auto& member = member_of<Member>(owner);
    using type = std::remove_reference_t<decltype(member)>;
    if constexpr (is_vector<type>) return &member.emplace_back();
    else if constexpr (is_optional<type>) return &member.emplace();
    else return &member;
}

template <class T> struct scalar_kind;
template <> struct scalar_kind<std::int64_t> { static constexpr auto value = field_kind::int64; };
template <> struct scalar_kind<std::uint64_t> { static constexpr auto value = field_kind::uint64; };
template <> struct scalar_kind<bool> { static constexpr auto value = field_kind::flag; };
template <> struct scalar_kind<event::kind> { static constexpr auto value = field_kind::event_type; };

template <auto Member>
inline constexpr bool is_repeated = is_vector<typename member_traits<Member>::type>;

template <auto Member>
constexpr std::size_t element_size() {
    using type = typename member_traits<Member>::type;
    if constexpr (is_vector<type>) return sizeof(typename type::value_type);
    else return 0;
}

}  // namespace detail

/// A member whose type says how it is written: integers, flags, the type of an event.
template <auto Member>
constexpr field scalar(std::string_view name) {
    using type = typename detail::member_traits<Member>::type;
    return {.name = name, .kind = detail::scalar_kind<type>::value, .at = &detail::place<Member>};
}

/// A revision. The greatest number of all is none, so that whoever goes on behind one may add 1.
template <auto Member>
constexpr field revision(std::string_view name) {
    field f = scalar<Member>(name);
    f.most = std::numeric_limits<std::int64_t>::max() - 1;
    return f;
}

/// Seconds, at most as many as etcd itself grants; the clock's nanoseconds hold them.
template <auto Member>
constexpr field ttl(std::string_view name) {
    field f = scalar<Member>(name);
    f.most = 9'000'000'000;
    return f;
}

template <auto Member>
constexpr field bytes(std::string_view name) {
    return {.name = name, .kind = field_kind::bytes, .repeated = detail::is_repeated<Member>,
            .at = &detail::place<Member>, .element = detail::element_size<Member>()};
}

template <auto Member>
constexpr field text(std::string_view name) {
    return {.name = name, .kind = field_kind::text, .repeated = detail::is_repeated<Member>,
            .at = &detail::place<Member>, .element = detail::element_size<Member>()};
}

/// A nested message, an optional one, or an array of them.
template <auto Member>
constexpr field object(std::string_view name, const shape& inner) {
    return {.name = name, .kind = field_kind::object, .repeated = detail::is_repeated<Member>,
            .enter = &detail::place<Member>, .inner = &inner, .element = detail::element_size<Member>()};
}

}  // namespace dynconf::wire
