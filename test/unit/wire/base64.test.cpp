#include "support/catch.hpp"

#include "wire/base64.hpp"

#include <random>
#include <utility>

using namespace dynconf::wire;

namespace {

// The plainest possible encoder, to check the fast one against.
std::string slow_base64(std::string_view bytes) {
    const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bits, out;
    for (const char c : bytes)
        for (int i = 7; i >= 0; --i) bits += (static_cast<unsigned char>(c) >> i & 1) != 0 ? '1' : '0';
    while (bits.size() % 6 != 0) bits += '0';
    for (std::size_t i = 0; i < bits.size(); i += 6) out += digits[std::stoul(bits.substr(i, 6), nullptr, 2)];
    while (out.size() % 4 != 0) out += '=';
    return out;
}

std::string some_bytes(std::size_t n, unsigned seed = 1) {
    std::mt19937 random(seed);
    std::string s(n, '\0');
    for (char& c : s) c = static_cast<char>(random());
    return s;
}

const std::pair<std::string, std::string> rfc4648[] = {
    {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
};

}  // namespace

TEST_CASE("base64 of the vectors of RFC 4648") {
    for (const auto& [bytes, text] : rfc4648) {
        CHECK(to_base64(bytes) == text);
        CHECK(from_base64(text) == bytes);
    }
}

TEST_CASE("base64 goes both ways for every length and every byte") {
    for (std::size_t n = 0; n < 260; ++n) {
        const std::string bytes = some_bytes(n, static_cast<unsigned>(n));
        const std::string text = slow_base64(bytes);
        REQUIRE(to_base64(bytes) == text);
        REQUIRE(from_base64(text) == bytes);
    }
    std::string every;
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; ++b) (every += static_cast<char>(a)) += static_cast<char>(b);
    CHECK(to_base64(every) == slow_base64(every));
    CHECK(from_base64(slow_base64(every)) == every);
}

TEST_CASE("base64 appends to what is there") {
    std::string out = "key:";
    append_base64(out, "foo");
    CHECK(out == "key:Zm9v");
    base64_decoder decoder;
    CHECK(decoder.append("Zm9vYg", out));
    CHECK(decoder.finish(out));
    CHECK(out == "key:Zm9vfoob");
}

TEST_CASE("base64 in two and three pieces, cut anywhere") {
    for (const std::size_t n : {1u, 2u, 3u, 4u, 10u, 11u, 12u, 13u, 32u}) {
        const std::string bytes = some_bytes(n);
        const std::string text = to_base64(bytes);
        for (std::size_t i = 0; i <= text.size(); ++i) {
            for (std::size_t j = i; j <= text.size(); ++j) {
                base64_decoder decoder;
                std::string out;
                REQUIRE(decoder.append(std::string_view(text).substr(0, i), out));
                REQUIRE(decoder.append(std::string_view(text).substr(i, j - i), out));
                REQUIRE(decoder.append(std::string_view(text).substr(j), out));
                REQUIRE(decoder.finish(out));
                REQUIRE(out == bytes);
            }
        }
    }
}

TEST_CASE("base64 of either alphabet, padded or not") {
    CHECK(from_base64("+/+/") == from_base64("-_-_"));
    CHECK(from_base64("-_-_") == std::string("\xfb\xff\xbf"));
    CHECK(from_base64("Zg") == "f");
    CHECK(from_base64("Zm8") == "fo");
    CHECK(from_base64("Zm9vYg") == "foob");
}

TEST_CASE("what is not base64 is refused, however it is cut") {
    const std::string bad[] = {"Z", "Zm9vY", "=", "==", "Z=", "Z===", "Zg=", "Zg===", "Zm8==", "Zm9v=", "Zm9v====",
                               "Zg==Zg==", "Zg=a", "Zm9v Zm9v", "Zm9v\n", "Zm9*", "*m9v", "Z*9v", "Zm*v",
                               "Zm9vZm9*Zm9v",
                               "Zm9vZ=9vZm9v", std::string("Zm9\0", 4), "Zm9\x80", "Zm9v\xff\xff\xff\xff"};
    for (const std::string& text : bad) {
        CAPTURE(text);
        CHECK_FALSE(from_base64(text));
        for (std::size_t i = 0; i <= text.size(); ++i) {
            base64_decoder decoder;
            std::string out;
            CHECK_FALSE((decoder.append(std::string_view(text).substr(0, i), out) &&
                         decoder.append(std::string_view(text).substr(i), out) && decoder.finish(out)));
        }
    }
    // every byte that is no digit, at every place of a group
    const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    for (int c = 0; c < 256; ++c) {
        const bool good = digits.find(static_cast<char>(c)) != std::string_view::npos;
        for (std::size_t place = 0; place < 8; ++place) {
            std::string text = "Zm9vZm9vZm9v";
            text[place] = static_cast<char>(c);
            REQUIRE(from_base64(text).has_value() == good);
        }
    }
}

TEST_CASE("a base64 decoder is ready again after a text, good or bad") {
    base64_decoder decoder;
    std::string out;
    CHECK_FALSE(decoder.append("Zm*", out));
    out.clear();
    CHECK(decoder.append("Zm9v", out));
    CHECK(decoder.finish(out));
    CHECK(decoder.append("Z", out));
    CHECK_FALSE(decoder.finish(out));
    out.clear();
    CHECK(decoder.append("Zg==", out));
    CHECK(decoder.finish(out));
    CHECK(out == "f");
}
