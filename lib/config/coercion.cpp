#include <dynconf/config/coercion.hpp>

#include <dynconf/config/json.hpp>

#include "wire/json_depth.hpp"
#include "wire/quote.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <version>

#if !defined(__cpp_lib_to_chars)
#include <locale>
#include <sstream>
#endif

namespace dynconf::detail {
namespace {

// ASCII only: what a locale thinks of a byte must not decide what a setting means.
constexpr std::string_view blanks = " \t\r\n\v\f";

constexpr std::string_view trimmed(std::string_view s) noexcept {
    const auto first = s.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return s.substr(first, s.find_last_not_of(blanks) - first + 1);
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view lower_case) noexcept {
    return std::equal(a.begin(), a.end(), lower_case.begin(), lower_case.end(),
                      [](char x, char y) { return lower(x) == y; });
}

// Takes the digits at the front; false when there are none or they do not fit.
bool take_digits(std::string_view& s, std::uint64_t& out) noexcept {
    const auto [end, failure] = std::from_chars(s.data(), s.data() + s.size(), out);
    if (failure != std::errc()) return false;
    s.remove_prefix(static_cast<std::size_t>(end - s.data()));
    return true;
}

// Adds (whole + 0.fraction) * unit to total; false unless that is a whole number that fits.
bool add_exactly(std::uint64_t whole, std::string_view fraction, std::uint64_t unit, std::uint64_t& total) noexcept {
    // Horner from the last digit: each step must divide by ten, or the sum cannot be whole.
    std::uint64_t part = 0;
    for (auto digit = fraction.rbegin(); digit != fraction.rend(); ++digit) {
        std::uint64_t step = 0;
        if (__builtin_mul_overflow(static_cast<std::uint64_t>(*digit - '0'), unit, &step) ||
            __builtin_add_overflow(part, step, &part) || part % 10 != 0)
            return false;
        part /= 10;
    }
    std::uint64_t product = 0;
    return !__builtin_mul_overflow(whole, unit, &product) && !__builtin_add_overflow(total, product, &total) &&
           !__builtin_add_overflow(total, part, &total);
}

struct unit {
    std::string_view name;
    std::uint64_t nanoseconds;
};

const unit* find_unit(std::string_view name) noexcept {
    static constexpr std::array<unit, 9> units{{{"d", 86'400'000'000'000},
                                                {"h", 3'600'000'000'000},
                                                {"m", 60'000'000'000},
                                                {"s", 1'000'000'000},
                                                {"ms", 1'000'000},
                                                {"us", 1'000},
                                                {"\xc2\xb5s", 1'000},  // micro sign
                                                {"\xce\xbcs", 1'000},  // Greek mu
                                                {"ns", 1}}};
    const auto at = std::find_if(units.begin(), units.end(), [&](const unit& u) { return u.name == name; });
    return at == units.end() ? nullptr : &*at;
}

// Digits, and after a point more digits.
bool take_number(std::string_view& s, std::uint64_t& whole, std::string_view& fraction) noexcept {
    if (!take_digits(s, whole)) return false;
    fraction = {};
    if (s.empty() || s.front() != '.') return true;
    s.remove_prefix(1);
    const auto end = std::min(s.find_first_not_of("0123456789"), s.size());
    if (end == 0) return false;
    fraction = s.substr(0, end);
    s.remove_prefix(end);
    // zeros at the end say nothing
    fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);
    return true;
}

bool take_sign(std::string_view& s) noexcept {
    const bool negative = !s.empty() && s.front() == '-';
    if (negative || (!s.empty() && s.front() == '+')) s.remove_prefix(1);
    return negative;
}

}  // namespace

error refusal(std::string_view expected, std::string_view text, quoting quote) {
    std::string words = "expected ";
    words += expected;
    if (quote == quoting::shown) {
        words += ", got \"";
        words += wire::quote(text, 40);
        words += '"';
    }
    return {make_error_code(errc::schema_violation), std::move(words)};
}

std::optional<bool> parse_bool(std::string_view text) noexcept {
    static constexpr std::array<std::string_view, 6> yes{"1", "true", "yes", "y", "on", "enabled"};
    static constexpr std::array<std::string_view, 6> no{"0", "false", "no", "n", "off", "disabled"};
    const auto word = trimmed(text);
    const auto is_word = [&](std::string_view w) { return same_word(word, w); };
    if (std::any_of(yes.begin(), yes.end(), is_word)) return true;
    if (std::any_of(no.begin(), no.end(), is_word)) return false;
    return std::nullopt;
}

std::optional<integer_text> parse_integer(std::string_view text) noexcept {
    auto rest = trimmed(text);
    integer_text out;
    out.negative = take_sign(rest);
    if (!take_digits(rest, out.magnitude) || !rest.empty()) return std::nullopt;
    return out;
}

std::optional<double> parse_double(std::string_view text, bool finite_only) {
    auto rest = trimmed(text);
    const bool negative = take_sign(rest);
    if (rest.empty() || rest.front() == '-' || rest.front() == '+') return std::nullopt;
    double magnitude = 0;
    if (same_word(rest, "inf") || same_word(rest, "infinity")) {
        magnitude = HUGE_VAL;
    } else if (same_word(rest, "nan")) {
        magnitude = std::nan("");
    } else {
        if (!is_digit(rest.front()) && rest.front() != '.') return std::nullopt;
#if defined(__cpp_lib_to_chars)
        const auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), magnitude);
        if (failure != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
#else
        if (rest.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return std::nullopt;   // libc++ reads 0x1p3
        std::istringstream in{std::string(rest)};
        in.imbue(std::locale::classic());
        if (!(in >> std::noskipws >> magnitude) || in.peek() != std::istringstream::traits_type::eof())
            return std::nullopt;
#endif
    }
    if (finite_only && !std::isfinite(magnitude)) return std::nullopt;
    return negative ? -magnitude : magnitude;
}

std::optional<std::vector<std::string>> parse_list(std::string_view text) {
    auto rest = trimmed(text);
    std::vector<std::string> items;
    if (!rest.empty() && rest.front() == '[') {
        // A bracket that does not hold strings is more likely a slip than items that begin with one.
        if (wire::deeper_than(rest, 1)) return std::nullopt;
        auto document = nlohmann::json::parse(rest, nullptr, false);
        if (!document.is_array()) return std::nullopt;
        for (auto& item : document) {
            if (!item.is_string()) return std::nullopt;
            items.push_back(std::move(item.get_ref<std::string&>()));
        }
        return items;
    }
    while (!rest.empty()) {
        const auto comma = std::min(rest.find(','), rest.size());
        if (const auto item = trimmed(rest.substr(0, comma)); !item.empty()) items.emplace_back(item);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return items;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text, std::intmax_t plain_num,
                                                       std::intmax_t plain_den) noexcept {
    if (plain_den != 1 || plain_num < 1) return std::nullopt;
    auto rest = trimmed(text);
    const bool negative = take_sign(rest);
    std::uint64_t total = 0, whole = 0;
    std::string_view fraction;
    for (std::uint64_t previous = 0; previous == 0 || !rest.empty();) {
        if (!take_number(rest, whole, fraction)) return std::nullopt;
        const auto name = rest.substr(0, std::min(rest.find_first_of("0123456789."), rest.size()));
        rest.remove_prefix(name.size());
        std::uint64_t size = 0;
        if (name.empty() && previous == 0 && rest.empty()) {
            size = static_cast<std::uint64_t>(plain_num);
        } else if (const auto* u = find_unit(name); u && (previous == 0 || u->nanoseconds < previous)) {
            size = u->nanoseconds;
        } else {
            return std::nullopt;
        }
        if (!add_exactly(whole, fraction, size, total)) return std::nullopt;
        previous = size;
    }
    constexpr auto most = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
    if (total > most + (negative ? 1 : 0)) return std::nullopt;
    return std::chrono::nanoseconds(static_cast<std::int64_t>(negative ? 0 - total : total));
}

result<nlohmann::json> parse_json(std::string_view text, std::size_t max_depth, quoting quote) {
    if (wire::deeper_than(text, max_depth))
        return refusal("a JSON document at most " + std::to_string(max_depth) + " levels deep", text, quote);
    auto document = nlohmann::json::parse(text, nullptr, false);
    if (document.is_discarded()) return refusal("a JSON document", text, quote);
    return document;
}

}  // namespace dynconf::detail
