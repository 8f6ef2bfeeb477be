#include "crypto/hide.hpp"

#include <dynconf/secret.hpp>

#include "wire/quote.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace dynconf::crypto {

namespace {

constexpr std::size_t shortest = 4;
constexpr std::string_view mask = "****", cut = "...", space = " \t\r\n";

/// How what stands at one place of a secret may be written.
struct spelling {
    std::array<char, 12> text{};
    std::size_t size = 0;
    std::size_t bytes = 0;   ///< Of the secret.

    spelling(std::string_view written, std::size_t of) : size(written.copy(text.data(), text.size())), bytes(of) {}
    void hex(std::uint32_t number, int digits) {
        while (digits-- > 0) text[size++] = "0123456789abcdef"[number >> (4 * digits) & 15];
    }
    std::string_view view() const noexcept { return {text.data(), size}; }
};

std::uint32_t code_point(std::string_view sequence) {
    const auto lead = static_cast<unsigned char>(sequence[0]);
    std::uint32_t point = sequence.size() == 1 ? lead : lead & (0x7fU >> sequence.size());
    for (const char c : sequence.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3fU);
    return point;
}

/// In JSON without anything but ASCII; any writer may do so with any character.
spelling unicode_escape(std::uint32_t point, std::size_t of) {
    spelling s("\\u", of);
    if (point < 0x10000) return s.hex(point, 4), s;
    s.hex(0xd7c0 + (point >> 10), 4);
    s.text[s.size++] = '\\';
    s.text[s.size++] = 'u';
    return s.hex(0xdc00 + (point & 0x3ff), 4), s;
}

/// `use(spelling)` for each: as it is, as JSON has it, and as wire::quote shows it.
template <class Use> void spellings(std::string_view rest, Use use) {
    const char c = rest.front();
    const auto byte = static_cast<unsigned char>(c);
    use(spelling(rest.substr(0, 1), 1));
    if (byte < 0x20 || byte >= 0x7f) {
        spelling s("\\x", 1);
        s.hex(byte, 2);
        use(s);
    }
    constexpr std::string_view plain = "\"\\/\b\f\n\r\t", letters = "\"\\/bfnrt";
    if (const auto at = plain.find(c); at != std::string_view::npos) {
        spelling s("\\", 1);
        s.text[s.size++] = letters[at];
        use(s);
    }
    std::size_t n = 1;   // bytes of the character
    while (n <= std::min<std::size_t>(4, rest.size()) && !wire::is_utf8(rest.substr(0, n))) ++n;
    if (n <= std::min<std::size_t>(4, rest.size())) {
        use(unicode_escape(code_point(rest.substr(0, n)), n));
    } else {   // replaced
        use(spelling("\xef\xbf\xbd", 1));
        use(spelling("\\ufffd", 1));
    }
}

bool same(char written, char expected, bool escaped) noexcept {
    return written == expected || (escaped && written >= 'A' && written <= 'F' && (written | 0x20) == expected);
}

bool is_cut(std::string_view words, std::size_t at) { return at == words.size() || words.substr(at).starts_with(cut); }

/// Where what is written of the secret at `from` ends: all of it, or all there is in front of a cut. `from`: nothing is.
std::size_t end_of_secret(std::string_view words, std::size_t from, std::string_view secret) {
    std::size_t whole = from, part = from;
    std::vector<std::pair<std::size_t, std::size_t>> open{{0, from}};   // read of the secret, and of the words
    std::set<std::pair<std::size_t, std::size_t>> seen;                 // a backslash may stand for itself or for two
    while (!open.empty()) {
        const std::size_t read = open.back().first, at = open.back().second;
        open.pop_back();
        if (read == secret.size()) {
            whole = std::max(whole, at);
            continue;
        }
        spellings(secret.substr(read), [&](const spelling& s) {
            std::size_t n = 0;
            while (n < s.size && at + n < words.size() && same(words[at + n], s.text[n], s.size > 3)) ++n;
            if (n == s.size) {
                if (seen.emplace(read + s.bytes, at + n).second) open.emplace_back(read + s.bytes, at + n);
            } else if (is_cut(words, at + n)) {
                part = std::max(part, at + n);
            }
        });
    }
    if (whole > from) return whole;
    return part - from >= shortest ? part : from;
}

void hide_one(std::string& words, std::string_view secret) {
    std::string out;
    for (std::size_t at = 0; at < words.size();) {
        const std::size_t end = end_of_secret(words, at, secret);
        if (end == at) out += words[at++];
        else out += mask;
        at = std::max(at, end);
    }
    wipe(words);
    words = std::move(out);
}

}  // namespace

void hide(std::string& words, std::initializer_list<std::string_view> secrets) {
    if (words.size() < shortest) return;
    for (const std::string_view s : secrets) {
        if (s.size() < shortest) continue;
        hide_one(words, s);
        // Quoted words begin and end without blanks, and so does a secret at their begin or end.
        const std::string_view front = s.substr(std::min(s.find_first_not_of(space), s.size()));
        const std::string_view core = front.substr(0, front.find_last_not_of(space) + 1);
        if (core.size() >= shortest && core.size() < s.size()) hide_one(words, core);
    }
}

}  // namespace dynconf::crypto
