#include <dynconf/key_ring.hpp>

#include "crypto/aead.hpp"
#include "crypto/envelope.hpp"
#include "unit/crypto/hex.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cctype>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace dynconf;
using dynconf::test::from_hex;

namespace {

constexpr auto key_digits = "8f3a01c4d95be2770c6412aa53f8be09d1437e25b86099ec1fa2745d0be3c861";

/// Why it is refused; empty: it is not.
template <class Make>
std::string refusal(Make make) {
    try {
        (void)make();
        return {};
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
}

std::string refusal_of(std::string_view bytes) {
    return refusal([&] { return sealing_key(secret(bytes)); });
}

std::string counting() {
    std::string bytes;
    for (int i = 0; i < 32; ++i) bytes += static_cast<char>(i);
    return bytes;
}

const key_ring& ring() {
    static const key_ring made("k1", sealing_key::from_hex(key_digits));
    return made;
}

}  // namespace

TEST_CASE("sealing_key: only 32 random bytes are a key", "[crypto]") {
    CHECK(refusal_of("").find("empty") != std::string::npos);
    CHECK(refusal_of("short").find("32 bytes") != std::string::npos);
    CHECK(refusal_of(from_hex(key_digits) + "x").find("32 bytes") != std::string::npos);
    CHECK(refusal_of("correct horse battery staple 123").find("text") != std::string::npos);
    CHECK(refusal_of("k\xc3\xb6nigliche hoheit im schlo\xdf! 12345").find("32 bytes") != std::string::npos);
    CHECK(refusal_of("k\xc3\xb6nigliche hoheit im schloss 12").find("text") != std::string::npos);
    CHECK(refusal_of(std::string(32, '\0')).find("repeat") != std::string::npos);
    CHECK(refusal_of(from_hex("00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff")).find("repeat") != std::string::npos);
    CHECK(refusal_of(counting()).find("count") != std::string::npos);
    CHECK(refusal_of(from_hex(key_digits)).empty());
    // No message quotes what it was given.
    CHECK(refusal_of("correct horse battery staple 123").find("horse") == std::string::npos);
}

TEST_CASE("sealing_key: from text, and back", "[crypto]") {
    const sealing_key key = sealing_key::from_hex(key_digits);
    CHECK(key.bytes().reveal() == from_hex(key_digits));
    CHECK(sealing_key::from_base64(key.to_base64()) == key);
    CHECK(key.to_base64().size() == 44);
    const std::string padded(key.to_base64().reveal());
    CHECK(sealing_key::from_base64(padded.substr(0, 43)) == key);
    CHECK_FALSE(refusal([] { return sealing_key::from_hex(""); }).empty());
    CHECK_FALSE(refusal([] { return sealing_key::from_hex("8f3a"); }).empty());
    std::string upper = key_digits;
    std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    CHECK(sealing_key::from_hex(upper) == key);
    for (const char wrong : {'/', ':', '@', 'G', '`', 'g'})
        for (const std::size_t at : {0u, 1u, 63u}) {
            std::string digits = key_digits;
            digits[at] = wrong;
            CAPTURE(digits);
            CHECK_FALSE(refusal([&] { return sealing_key::from_hex(digits); }).empty());
        }
    CHECK_FALSE(refusal([] { return sealing_key::from_base64(""); }).empty());
    CHECK_FALSE(refusal([] { return sealing_key::from_base64("hunter2!"); }).empty());
    CHECK_FALSE(refusal([&] { return sealing_key::from_base64(key_digits); }).empty());   // base64 of 48 bytes
    CHECK_FALSE(sealing_key::generate() == sealing_key::generate());
}

TEST_CASE("key_ring: ids and which key writes", "[crypto]") {
    const sealing_key one = sealing_key::generate();
    const sealing_key two = sealing_key::generate();
    const key_ring first("one", one);
    const key_ring both = first.reading("two", two);
    const key_ring later = both.writing("two", two);
    CHECK(both.write_id() == "one");
    CHECK(later.write_id() == "two");
    CHECK(later.ids() == std::vector<std::string>{"one", "two"});
    CHECK(first.ids() == std::vector<std::string>{"one"});
    CHECK_FALSE(first.has("two"));
    CHECK(first.reading("one", one).ids().size() == 1);
    CHECK_FALSE(refusal([&] { return first.reading("one", two); }).empty());
    CHECK_FALSE(refusal([&] { return first.writing("one", two); }).empty());
    for (const std::string& id : {std::string(), std::string("with space"), std::string("\n"), std::string("\xc3\xa4"), std::string("\x7f"), std::string(65, 'x')})
        CHECK_FALSE(refusal([&] { return key_ring(id, one); }).empty());
    sealing_key gone = sealing_key::generate();
    const sealing_key taken = std::move(gone);
    CHECK_FALSE(refusal([&] { return key_ring("id", gone); }).empty());
    CHECK_FALSE(refusal([&] { return first.reading("id", gone); }).empty());
    CHECK(key_ring(std::string(64, 'x'), one).open("k", key_ring(std::string(64, 'x'), one).seal("k", "v")).value() == "v");

    const std::string old = first.seal("/k", "v");
    const std::string fresh = later.seal("/k", "v");
    CHECK(sealed_with(old) == "one");
    CHECK(sealed_with(fresh) == "two");
    CHECK(later.open("/k", old).value() == "v");
    const auto unknown = first.open("/k", fresh);
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == errc::unknown_key_id);
    CHECK(unknown.error().detail.find("two") != std::string::npos);
    CHECK(key_ring("one", two).open("/k", old).error().code == errc::seal_broken);
}

TEST_CASE("envelope: byte for byte as documented", "[crypto]") {
    const std::string nonce = "ABCDEFGHIJKLMNOPQRSTUVWX";
    const std::string key(crypto::key_size, '\3');
    const std::string sealed = crypto::seal("k1", key, nonce, "/app/x", "value");
    const std::string header = from_hex("dc535601") + '\2' + "k1";
    CHECK(sealed == header + nonce + crypto::xaes_seal(key, nonce, "value", header + "/app/x"));
    CHECK(sealed.size() == crypto::envelope_overhead(2) + 5);
    CHECK(crypto::envelope_overhead(2) == 45 + 2);
    CHECK(ring().overhead() == 45 + 2);
    // Fixed for all time: whoever reads these bytes today has to do so in ten years.
    CHECK(sealed == from_hex("dc535601026b314142434445464748494a4b4c4d4e4f505152535455565758"
                             "b64ee8a56d621ba3b3dfc71f0d1a70046ef5752f91"));
}

TEST_CASE("envelope: opens for its own key of etcd only, and with no bit changed", "[crypto]") {
    const std::string sealed = ring().seal("/app/password", "hunter2");
    CHECK(ring().open("/app/password", sealed).value() == "hunter2");
    CHECK(sealed.find("hunter2") == std::string::npos);
    for (const char* other : {"/app/passwor", "/app/password2", "/app/Password", "", "x/app/password"})
        CHECK(ring().open(other, sealed).error().code == errc::seal_broken);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string changed = sealed;
            changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
            CAPTURE(i, bit);
            CHECK_FALSE(ring().open("/app/password", changed));
        }
    }
    for (std::size_t size = 0; size < sealed.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(ring().open("/app/password", sealed.substr(0, size)));
    }
    CHECK_FALSE(ring().open("/app/password", sealed + '\0'));
    // A part of the id that goes over to etcd's key is no other reading of the same bytes.
    const key_ring longer("k12", sealing_key::from_hex(key_digits));
    CHECK_FALSE(longer.open("password", ring().seal("2password", "v")));
}

TEST_CASE("envelope: why a value does not open", "[crypto]") {
    const std::string sealed = ring().seal("k", "v");
    std::string later = sealed;
    later[3] = 2;
    std::string no_id = sealed;
    no_id[4] = 0;
    std::string long_id = sealed;
    long_id[4] = 65;
    const auto why = [](std::string_view value) { return ring().open("k", value).error().code; };
    CHECK(why("") == errc::not_sealed);
    CHECK(why("plain") == errc::not_sealed);
    CHECK(why(sealed.substr(0, 2)) == errc::not_sealed);
    CHECK(why(sealed.substr(0, 3)) == errc::seal_broken);
    CHECK(why(later) == errc::unsupported_seal);
    CHECK(why(no_id) == errc::seal_broken);
    CHECK(why(long_id) == errc::seal_broken);
    for (const char c : {' ', '\n', '\0', '\x7f', '\x80', '\xff'}) {   // nobody is asked for a key by such an id
        std::string bad_id = sealed;
        bad_id[5] = c;
        CAPTURE(c);
        CHECK(why(bad_id) == errc::seal_broken);
        CHECK_FALSE(sealed_with(bad_id));
    }
    CHECK(is_sealed(later));
    CHECK_FALSE(sealed_with(later));
    CHECK_FALSE(sealed_with("plain"));
    CHECK_FALSE(is_sealed("plain"));
}

TEST_CASE("envelope: any bytes come back, and no two nonces are alike", "[crypto]") {
    std::mt19937 chance(7);
    const auto bytes = [&chance](std::size_t most) {
        std::string out(chance() % (most + 1), '\0');
        for (char& c : out) c = static_cast<char>(chance());
        return out;
    };
    std::set<std::string> nonces;
    constexpr int rounds = 2000;
    for (int i = 0; i < rounds; ++i) {
        const std::string key = bytes(40);
        const std::string value = i % 100 == 0 ? bytes(100'000) : bytes(60);
        const std::string sealed = ring().seal(key, value);
        const auto opened = ring().open(key, sealed);
        REQUIRE(opened);
        REQUIRE(*opened == value);
        nonces.emplace(crypto::parse_envelope(sealed)->nonce);
        (void)ring().open(bytes(10), bytes(200));                            // strange bytes are refused,
        (void)ring().open(key, sealed.substr(0, 6) + bytes(200));            // however they begin
    }
    CHECK(nonces.size() == rounds);
}
