#include "wire/quote.hpp"

#include <algorithm>

namespace dynconf::wire {
namespace {

// The length of the well-formed UTF-8 sequence at the front; 0 when there is none.
std::size_t sequence_length(std::string_view s) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
    const unsigned lead = byte(0);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (n > s.size()) return 0;
    for (std::size_t i = 1; i < n; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    // overlong forms, surrogates, beyond U+10FFFF
    if (n == 3 && ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f))) return 0;
    if (n == 4 && ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f))) return 0;
    return n;
}

bool is_control(std::string_view sequence) {
    const auto first = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
    // U+0080..U+009F steer terminals too
    return sequence.size() == 2 && first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
}

void append_escaped(std::string& out, std::string_view bytes) {
    constexpr std::string_view hex = "0123456789abcdef";
    for (const char c : bytes) {
        const auto b = static_cast<unsigned char>(c);
        if (c == '\n') out += "\\n";
        else if (c == '\r') out += "\\r";
        else if (c == '\t') out += "\\t";
        else (((out += "\\x") += hex[b >> 4])) += hex[b & 15];
    }
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t n = sequence_length(text);
        if (n == 0) return false;
        text.remove_prefix(n);
    }
    return true;
}

std::string quote(std::string_view words, std::size_t limit) {
    constexpr std::string_view space = " \t\r\n", more = "...";
    words.remove_prefix(std::min(words.find_first_not_of(space), words.size()));
    words = words.substr(0, words.find_last_not_of(space) + 1);

    std::string out;
    std::size_t fits = 0;   // where to cut should the rest be too long
    while (!words.empty()) {
        const std::size_t n = sequence_length(words);
        const std::string_view sequence = words.substr(0, n == 0 ? 1 : n);
        if (n == 0 || is_control(sequence)) append_escaped(out, sequence);
        else out += sequence;
        if (out.size() > limit) {
            out.resize(fits);
            return out += more;
        }
        if (out.size() + more.size() <= limit) fits = out.size();
        words.remove_prefix(sequence.size());
    }
    return out;
}

}  // namespace dynconf::wire
