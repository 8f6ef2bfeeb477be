#include "crypto/aead.hpp"

#include "unit/crypto/hex.hpp"
#include "support/catch.hpp"

#include <string>

using namespace dynconf::crypto;
using dynconf::test::from_hex;

namespace {

struct vector { const char *key, *nonce, *text, *associated, *sealed; };

// NIST's GCM submission (McGrew, Viega), AES-256: cases 13, 14, 15 and 16.
constexpr vector gcm[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "00000000000000000000000000000000", "", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

}  // namespace

TEST_CASE("aead: AES-256-GCM gives NIST's answers", "[crypto]") {
    for (const vector& v : gcm) {
        CAPTURE(v.sealed);
        CHECK(gcm_seal(from_hex(v.key), from_hex(v.nonce), from_hex(v.text), from_hex(v.associated)) == from_hex(v.sealed));
        const auto opened = gcm_open(from_hex(v.key), from_hex(v.nonce), from_hex(v.sealed), from_hex(v.associated));
        REQUIRE(opened);
        CHECK(*opened == from_hex(v.text));
    }
}

TEST_CASE("aead: XAES-256-GCM gives the answers of C2SP's specification", "[crypto]") {
    const std::string nonce = "ABCDEFGHIJKLMNOPQRSTUVWX";
    const std::string text = "XAES-256-GCM";
    // One of these has the highest bit set in the block that the subkey is made of, the other has not.
    const std::string ones(key_size, '\1');
    const std::string threes(key_size, '\3');
    const std::string associated = "c2sp.org/XAES-256-GCM";
    CHECK(xaes_seal(ones, nonce, text, "") == from_hex("ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"));
    CHECK(xaes_seal(threes, nonce, text, associated) == from_hex("986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"));
    CHECK(xaes_open(ones, nonce, from_hex("ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"), "") == text);
}

TEST_CASE("aead: nothing else opens", "[crypto]") {
    const std::string key = random_bytes(key_size);
    const std::string nonce = random_bytes(xaes_nonce_size);
    const std::string sealed = xaes_seal(key, nonce, "text", "also");
    CHECK(xaes_open(key, nonce, sealed, "also") == "text");
    CHECK_FALSE(xaes_open(key, nonce, sealed, "alsO"));
    CHECK_FALSE(xaes_open(key, nonce, sealed, ""));
    for (std::size_t size = 0; size < sealed.size(); ++size) CHECK_FALSE(xaes_open(key, nonce, sealed.substr(0, size), "also"));
    const auto changed = [](std::string bytes, std::size_t bit) {
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
        return bytes;
    };
    for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) CHECK_FALSE(xaes_open(key, nonce, changed(sealed, bit), "also"));
    for (std::size_t bit = 0; bit < 8 * nonce.size(); ++bit) CHECK_FALSE(xaes_open(key, changed(nonce, bit), sealed, "also"));
    for (std::size_t bit = 0; bit < 8 * key.size(); ++bit) CHECK_FALSE(xaes_open(changed(key, bit), nonce, sealed, "also"));
}
