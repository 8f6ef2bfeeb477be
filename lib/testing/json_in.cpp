#include "testing/json_in.hpp"

#include "testing/refusal.hpp"
#include "wire/base64.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

namespace dynconf::testing {
namespace {

std::string_view go_kind(const boost::json::value& v) {
    switch (v.kind()) {
        case boost::json::kind::object: return "object";
        case boost::json::kind::array: return "array";
        case boost::json::kind::string: return "string";
        case boost::json::kind::bool_: return "bool";
        case boost::json::kind::null: return "null";
        default: return "number";
    }
}

std::string camel(std::string_view name) {
    std::string out;
    bool upper = false;
    for (const char c : name) {
        if (c == '_') {
            upper = true;
            continue;
        }
        out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        upper = false;
    }
    return out;
}

template <class Int>
bool parse_int(const boost::json::value& v, bool takes_floats, Int& out) {
    if (const auto* s = v.if_string()) {
        const auto [end, ec] = std::from_chars(s->data(), s->data() + s->size(), out);
        return ec == std::errc() && end == s->data() + s->size() && !s->empty();
    }
    if (const auto* d = v.if_double()) {
        // The first double beyond Int; its greatest number would be rounded up to the same.
        const double end = std::ldexp(1.0, std::numeric_limits<Int>::digits);
        if (!takes_floats || std::floor(*d) != *d || *d >= end || *d < (std::is_signed_v<Int> ? -end : 0.0)) return false;
        out = static_cast<Int>(*d);
        return true;
    }
    if (!v.is_number()) return false;
    boost::system::error_code ec;
    out = v.to_number<Int>(ec);
    return !ec;
}

}  // namespace

const boost::json::value* json_in::find(std::string_view name) const {
    const boost::json::value* v = message_->if_contains(name);
    if (!v && name.find('_') != std::string_view::npos) v = message_->if_contains(camel(name));
    return v && !v->is_null() ? v : nullptr;
}

void json_in::mistyped(const boost::json::value& v, std::string_view wanted) const {
    if (profile_->is_v2())
        throw unreadable("proto:\xc2\xa0(line 1:1): invalid value for " + std::string(wanted) + " type: " + boost::json::serialize(v));
    throw unreadable("json: cannot unmarshal " + std::string(go_kind(v)) + " into Go value of type " + std::string(wanted));
}

const boost::json::object& json_in::object_of(const boost::json::value& v) const {
    if (const auto* o = v.if_object()) return *o;
    static const boost::json::object nothing;
    if (v.is_null()) return nothing;
    mistyped(v, "map[string]json.RawMessage");
}

const boost::json::array& json_in::list_of(const boost::json::value& v) const {
    if (const auto* a = v.if_array()) return *a;
    mistyped(v, "[]json.RawMessage");
}

std::string json_in::text_of(const boost::json::value& v) const {
    if (const auto* s = v.if_string()) return std::string(*s);
    mistyped(v, "string");
}

std::string json_in::text(std::string_view name) const {
    const boost::json::value* v = find(name);
    return v ? text_of(*v) : std::string();
}

std::vector<std::string> json_in::texts(std::string_view name) const {
    std::vector<std::string> all;
    if (const boost::json::value* v = find(name))
        for (const boost::json::value& item : list_of(*v)) all.push_back(text_of(item));
    return all;
}

std::string json_in::bytes(std::string_view name) const {
    const boost::json::value* v = find(name);
    if (!v) return {};
    if (!v->is_string()) mistyped(*v, "[]byte");
    const std::string_view digits = v->get_string();
    const bool standard = digits.size() % 4 == 0 && digits.find_first_of("-_") == std::string_view::npos;
    auto decoded = profile_->is_v2() || standard ? wire::from_base64(digits) : std::nullopt;
    if (decoded) return std::move(*decoded);
    if (!profile_->is_v2()) throw unreadable("illegal base64 data at input byte 0");
    throw unreadable("proto:\xc2\xa0(line 1:8): invalid value for bytes field " + std::string(name) + ": " + boost::json::serialize(*v));
}

std::int64_t json_in::number(std::string_view name) const {
    const boost::json::value* v = find(name);
    std::int64_t n = 0;
    if (v && !parse_int(*v, profile_->is_v2(), n)) mistyped(*v, "int64");
    return n;
}

std::uint64_t json_in::id(std::string_view name) const {
    const boost::json::value* v = find(name);
    std::uint64_t n = 0;
    if (v && !parse_int(*v, profile_->is_v2(), n)) mistyped(*v, "uint64");
    return n;
}

bool json_in::flag(std::string_view name) const {
    const boost::json::value* v = find(name);
    if (!v) return false;
    if (!v->is_bool()) mistyped(*v, "bool");
    return v->get_bool();
}

std::int32_t json_in::choice_of(const boost::json::value& v, std::span<const std::string_view> names) const {
    if (const auto* s = v.if_string()) {
        const auto found = std::find(names.begin(), names.end(), std::string_view(*s));
        if (found != names.end()) return static_cast<std::int32_t>(found - names.begin());
        if (profile_->is_v2()) return 0;
        throw unreadable("unknown value \"" + std::string(*s) + "\" for enum");
    }
    std::int32_t n = 0;
    if (!parse_int(v, profile_->is_v2(), n)) mistyped(v, "int32");
    return n;
}

std::int32_t json_in::choice(std::string_view name, std::span<const std::string_view> names) const {
    const boost::json::value* v = find(name);
    return v ? choice_of(*v, names) : 0;
}

std::vector<std::int32_t> json_in::choices(std::string_view name, std::span<const std::string_view> names) const {
    std::vector<std::int32_t> all;
    if (const boost::json::value* v = find(name))
        for (const boost::json::value& item : list_of(*v)) {
            // Protojson leaves an unknown name out of a list.
            const bool unknown = item.is_string() && std::find(names.begin(), names.end(), std::string_view(item.get_string())) == names.end();
            if (!unknown || !profile_->is_v2()) all.push_back(choice_of(item, names));
        }
    return all;
}

std::size_t json_in::one_of(std::span<const std::string_view> names) const {
    std::size_t found = names.size();
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!has(names[i])) continue;
        if (found == names.size()) found = i;
        else if (profile_->is_v2())
            throw unreadable("proto:\xc2\xa0(line 1:1): error parsing \"" + std::string(names[i]) + "\", oneof is already set");
    }
    return found;
}

boost::json::object first_message(std::string_view& body, const server_profile& profile) {
    const auto start = body.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) {
        body = {};
        return {};
    }
    body.remove_prefix(start);

    boost::json::parse_options options;
    options.allow_invalid_utf8 = true;
    options.max_depth = 256;
    boost::json::stream_parser parser({}, options);
    boost::system::error_code ec;
    const std::string_view whole = body;
    const std::size_t used = parser.write_some(whole.data(), whole.size(), ec);
    body.remove_prefix(std::min(used, body.size()));
    if (ec) {
        const std::string_view culprit = whole.substr(std::min(used, whole.size() - 1), 1);
        throw unreadable("invalid character '" + std::string(culprit) + "' looking for beginning of value");
    }
    if (!parser.done()) throw unreadable("unexpected EOF");
    boost::json::value v = parser.release();
    if (auto* o = v.if_object()) return std::move(*o);
    if (profile.is_v2()) throw unreadable("proto:\xc2\xa0syntax error (line 1:1): unexpected token " + std::string(whole.substr(0, 1)));
    throw unreadable("json: cannot unmarshal " + std::string(go_kind(v)) + " into Go value of type map[string]json.RawMessage");
}

}  // namespace dynconf::testing
