#pragma once

// Settings that are JSON documents. Apart from value.hpp because nlohmann/json.hpp is heavy to compile.

#include <dynconf/config/coercion.hpp>
#include <dynconf/config/value.hpp>

#include <nlohmann/json.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace dynconf {

/// Deeper nesting than this is refused, so that no document can exhaust the stack.
inline constexpr std::size_t max_json_depth = 64;

namespace detail {
DYNCONF_API result<nlohmann::json> parse_json(std::string_view text, std::size_t max_depth, quoting quote);
}

/// A document as a value; JSON null is a document too, and not the null value.
inline value make_json_value(nlohmann::json document) {
    return value::from_storage(value::json_type(std::make_shared<nlohmann::json>(std::move(document))));
}

template <> struct value_traits<nlohmann::json> {
    static value write(nlohmann::json document) { return make_json_value(std::move(document)); }
    /// A copy; `value::if_json()` looks without one.
    static result<nlohmann::json> read(const value& v) {
        if (const auto* document = v.if_json()) return *document;
        return detail::mismatch(v, "JSON");
    }
};

/// One JSON document, at most `max_json_depth` deep. Never throws on bad text.
template <> struct coercion<nlohmann::json> : detail::coercion_sources<nlohmann::json> {
    using coercion_sources::from;
    static result<nlohmann::json> from(std::string_view text, quoting quote = quoting::shown) {
        return detail::parse_json(text, max_json_depth, quote);
    }
    static constexpr std::string_view expected() noexcept { return "a JSON document"; }
};

}  // namespace dynconf
