#include "wire/base64.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace dynconf::wire {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Two digits for each 12 bits: half the lookups of one digit at a time, and still in the first-level cache.
struct digit_pair { char high, low; };

constexpr auto digit_pairs = [] {
    std::array<digit_pair, 4096> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = {alphabet[i >> 6], alphabet[i & 63]};
    return table;
}();

constexpr std::uint8_t no_digit = 0xff;

constexpr auto sextets = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(no_digit);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    table[static_cast<unsigned char>('-')] = 62;
    table[static_cast<unsigned char>('_')] = 63;
    return table;
}();

// The place of the n-th byte in a 32-bit word that is stored as it lies in memory.
constexpr std::uint32_t in_byte(unsigned n, unsigned value) {
    const unsigned shift = std::endian::native == std::endian::little ? 8 * n : 24 - 8 * n;
    return static_cast<std::uint32_t>(value & 0xff) << shift;
}

// What a digit adds to the three bytes of its group. The fourth byte collects errors, so that a whole piece is
// checked once.
struct group_tables { std::array<std::uint32_t, 256> digit[4]; };

constexpr std::uint32_t bad_digit = in_byte(3, 0xff);

constexpr auto groups = [] {
    group_tables t{};
    for (std::size_t c = 0; c < 256; ++c) {
        const unsigned s = sextets[c];
        const bool bad = s == no_digit;
        t.digit[0][c] = bad ? bad_digit : in_byte(0, s << 2);
        t.digit[1][c] = bad ? bad_digit : in_byte(0, s >> 4) | in_byte(1, s << 4);
        t.digit[2][c] = bad ? bad_digit : in_byte(1, s >> 2) | in_byte(2, s << 6);
        t.digit[3][c] = bad ? bad_digit : in_byte(2, s);
    }
    return t;
}();

std::uint32_t decode_group(const unsigned char* in) {
    return groups.digit[0][in[0]] | groups.digit[1][in[1]] | groups.digit[2][in[2]] | groups.digit[3][in[3]];
}

// Decodes `count` groups; true when all digits were good.
bool decode_groups(const char* text, std::size_t count, char* out) {
    const auto* in = reinterpret_cast<const unsigned char*>(text);
    std::uint32_t seen = 0;
    // Each store writes one byte too many; the next group overwrites it.
    for (; count > 1; --count, in += 4, out += 3) {
        const std::uint32_t word = decode_group(in);
        seen |= word;
        std::memcpy(out, &word, 4);
    }
    if (count == 1) {
        const std::uint32_t word = decode_group(in);
        seen |= word;
        std::memcpy(out, &word, 3);
    }
    return (seen & bad_digit) == 0;
}

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
    const std::size_t before = out.size();
    out.resize(before + (bytes.size() + 2) / 3 * 4);
    char* to = out.data() + before;
    const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
    std::size_t left = bytes.size();
    for (; left >= 3; left -= 3, from += 3, to += 4) {
        const unsigned group = static_cast<unsigned>(from[0]) << 16 | static_cast<unsigned>(from[1]) << 8 | from[2];
        std::memcpy(to, &digit_pairs[group >> 12], 2);
        std::memcpy(to + 2, &digit_pairs[group & 0xfff], 2);
    }
    if (left == 0) return;
    const unsigned group = static_cast<unsigned>(from[0]) << 16 | (left == 2 ? static_cast<unsigned>(from[1]) << 8 : 0);
    to[0] = alphabet[group >> 18];
    to[1] = alphabet[group >> 12 & 63];
    to[2] = left == 2 ? alphabet[group >> 6 & 63] : '=';
    to[3] = '=';
}

std::string to_base64(std::string_view bytes) {
    std::string out;
    append_base64(out, bytes);
    return out;
}

bool base64_decoder::append(std::string_view piece, std::string& out) {
    // One digit at a time: at both ends of a piece, and whatever follows a '='.
    const auto take = [&](char c) {
        if (c == '=') {
            ++padding_;
            return pending_ + padding_ <= 4 && pending_ >= 2;
        }
        const std::uint8_t sextet = sextets[static_cast<unsigned char>(c)];
        if (sextet == no_digit || padding_ != 0) return false;
        group_ = group_ << 6 | sextet;
        if (++pending_ == 4) {
            const char bytes[] = {static_cast<char>(group_ >> 16), static_cast<char>(group_ >> 8 & 0xff),
                                  static_cast<char>(group_ & 0xff)};
            out.append(bytes, 3);
            group_ = pending_ = 0;
        }
        return true;
    };

    bool good = true;
    while (good && !piece.empty() && pending_ != 0) {
        good = take(piece.front());
        piece.remove_prefix(1);
    }
    if (good && padding_ == 0) {
        std::size_t digits = piece.size();
        while (digits != 0 && piece[digits - 1] == '=') --digits;
        const std::size_t whole = digits / 4;
        const std::size_t before = out.size();
        out.resize(before + whole * 3);
        good = decode_groups(piece.data(), whole, out.data() + before);
        piece.remove_prefix(whole * 4);
    }
    while (good && !piece.empty()) {
        good = take(piece.front());
        piece.remove_prefix(1);
    }
    if (!good) *this = {};
    return good;
}

bool base64_decoder::finish(std::string& out) {
    const base64_decoder last = *this;
    *this = {};
    if (last.pending_ == 0) return last.padding_ == 0;
    if (last.pending_ == 1 || (last.padding_ != 0 && last.pending_ + last.padding_ != 4)) return false;
    const std::uint32_t group = last.group_ << 6 * (4 - last.pending_);
    out.push_back(static_cast<char>(group >> 16));
    if (last.pending_ == 3) out.push_back(static_cast<char>(group >> 8 & 0xff));
    return true;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::optional<std::string> out(std::in_place);
    base64_decoder decoder;
    if (!decoder.append(text, *out) || !decoder.finish(*out)) out.reset();
    return out;
}

}  // namespace dynconf::wire
