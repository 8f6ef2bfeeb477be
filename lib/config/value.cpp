#include <dynconf/config/value.hpp>

#include "wire/overloaded.hpp"
#include "wire/quote.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace dynconf {
namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

std::string text_of(double d) {
    if (std::isnan(d)) return "nan";
    if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
    std::array<char, 32> room;
    const auto end = std::to_chars(room.data(), room.data() + room.size(), d).ptr;
    return {room.data(), end};
}

std::string text_of(std::chrono::nanoseconds d) {
    struct unit {
        std::uint64_t size;
        std::string_view name;
    };
    static constexpr std::array<unit, 6> units{{{3'600'000'000'000, "h"},
                                                {60'000'000'000, "m"},
                                                {1'000'000'000, "s"},
                                                {1'000'000, "ms"},
                                                {1'000, "us"},
                                                {1, "ns"}}};
    if (d.count() == 0) return "0s";
    std::string out = d.count() < 0 ? "-" : "";
    // unsigned, because the lowest count has no positive counterpart
    auto left = static_cast<std::uint64_t>(d.count());
    if (d.count() < 0) left = 0 - left;
    for (const auto& u : units) {
        if (left < u.size) continue;
        out += std::to_string(left / u.size);
        out += u.name;
        left %= u.size;
    }
    return out;
}

std::string json_text(const nlohmann::json& document) {
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool survives_commas(const std::vector<std::string>& items) {
    for (const auto& item : items)
        if (item.empty() || item.find(',') != std::string::npos ||
            blanks.find(item.front()) != std::string_view::npos || blanks.find(item.back()) != std::string_view::npos)
            return false;
    return true;
}

std::string text_of(const std::vector<std::string>& items) {
    const bool bracket = !items.empty() && items.front().starts_with('[');
    const bool in_utf8 = std::all_of(items.begin(), items.end(), [](const std::string& s) { return wire::is_utf8(s); });
    if (!survives_commas(items) || (bracket && in_utf8)) return json_text(items);
    // JSON has no place for bytes that are not UTF-8. An empty item in front is dropped again, and keeps a bracket from beginning JSON.
    std::string out = bracket ? "," : "";
    for (const auto& item : items) {
        if (&item != &items.front()) out += ',';
        out += item;
    }
    return out;
}

}  // namespace

std::string_view to_string(value_type type) noexcept {
    switch (type) {
        case value_type::null: return "null";
        case value_type::boolean: return "bool";
        case value_type::integer: return "integer";
        case value_type::unsigned_integer: return "unsigned integer";
        case value_type::floating: return "float";
        case value_type::text: return "text";
        case value_type::list: return "list";
        case value_type::duration: return "duration";
        case value_type::json: return "JSON";
    }
    return "unknown";
}

value value::from_storage(storage data) {
    if (const auto* document = std::get_if<json_type>(&data); document && !*document) return {};
    if (const auto* n = std::get_if<std::uint64_t>(&data); n && std::in_range<std::int64_t>(*n))
        return {unchecked{}, static_cast<std::int64_t>(*n)};
    return {unchecked{}, std::move(data)};
}

std::string value::to_text() const {
    return std::visit(wire::overloaded{
                          [](std::monostate) { return std::string(); },
                          [](bool b) { return std::string(b ? "true" : "false"); },
                          [](std::int64_t n) { return std::to_string(n); },
                          [](std::uint64_t n) { return std::to_string(n); },
                          [](double d) { return text_of(d); },
                          [](const std::string& s) { return s; },
                          [](const list_type& l) { return text_of(l); },
                          [](duration_type d) { return text_of(d); },
                          [](const json_type& j) { return json_text(*j); },
                      },
                      data_);
}

std::string value::to_json_text() const {
    return std::visit(wire::overloaded{
                          [](std::monostate) { return std::string("null"); },
                          [](bool b) { return std::string(b ? "true" : "false"); },
                          [](std::int64_t n) { return std::to_string(n); },
                          [](std::uint64_t n) { return std::to_string(n); },
                          [](double d) { return std::isfinite(d) ? json_text(d) : json_text(text_of(d)); },
                          [](const std::string& s) { return json_text(s); },
                          [](const list_type& l) { return json_text(l); },
                          [](duration_type d) { return json_text(text_of(d)); },
                          [](const json_type& j) { return json_text(*j); },
                      },
                      data_);
}

bool operator==(const value& a, const value& b) {
    if (a.type() != b.type()) return false;
    if (const auto* x = a.if_json()) return x == b.if_json() || *x == *b.if_json();
    if (const auto* x = a.if_float(); x && std::isnan(*x)) return std::isnan(*b.if_float());
    return a.data_ == b.data_;
}

namespace detail {

error mismatch(const value& have, std::string_view wanted) {
    std::string words = "have ";
    words += to_string(have.type());
    words += ", wanted ";
    words += wanted;
    return {make_error_code(errc::type_mismatch), std::move(words)};
}

std::optional<std::int64_t> scale_exactly(std::int64_t count, std::intmax_t num, std::intmax_t den) noexcept {
    if (count % den != 0) return std::nullopt;
    std::int64_t scaled = 0;
    if (__builtin_mul_overflow(count / den, num, &scaled)) return std::nullopt;
    return scaled;
}

void throw_duration_out_of_range() {
    throw std::out_of_range("a duration that does not fit 64 bits of nanoseconds");
}

}  // namespace detail
}  // namespace dynconf
