#include "crypto/hide.hpp"

#include <dynconf/secret.hpp>

#include <algorithm>

namespace dynconf::crypto {

namespace {

constexpr std::size_t shortest = 4;
constexpr std::string_view mask = "****", cut = "...";

/// As Go and this library write it into JSON; true when that differs.
bool escaped(std::string_view text, bool html, std::string& out) {
    constexpr std::string_view hex = "0123456789abcdef";
    for (const char c : text) {
        const auto b = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') (out += '\\') += c;
        else if (b < 0x20 || (html && (c == '<' || c == '>' || c == '&'))) ((out += "\\u00") += hex[b >> 4]) += hex[b & 15];
        else out += c;
    }
    return out != text;
}

void hide_one(std::string& words, std::string_view secret) {
    for (auto at = words.find(secret); at != std::string::npos; at = words.find(secret, at + mask.size()))
        words.replace(at, secret.size(), mask);
    // A part of it, in front of where the words were cut; or at their end.
    for (auto end = words.find(cut);; end = words.find(cut, end + 1)) {
        const std::size_t stop = std::min(end, words.size());
        for (std::size_t n = std::min(secret.size() - 1, stop); n >= shortest; --n) {
            if (std::string_view(words).substr(stop - n, n) != secret.substr(0, n)) continue;
            words.replace(stop - n, n, mask);
            if (end != std::string::npos) end = stop - n + mask.size();
            break;
        }
        if (end == std::string::npos) return;
    }
}

}  // namespace

void hide(std::string& words, std::initializer_list<std::string_view> secrets) {
    if (words.size() < shortest) return;
    for (const std::string_view s : secrets) {
        if (s.size() < shortest) continue;
        for (const bool html : {false, true}) {
            std::string written;
            written.reserve(6 * s.size());
            if (escaped(s, html, written)) hide_one(words, written);
            wipe(written);
        }
        hide_one(words, s);
    }
}

}  // namespace dynconf::crypto
