#include <dynconf/foreign_format.hpp>

#include "support/catch.hpp"
#include "unit/crypto/hex.hpp"

#include <openssl/err.h>

#include <cstddef>
#include <stdexcept>
#include <string>

using namespace dynconf;
using namespace dynconf::test;

namespace {

/// 0x00, 0x01, ... 0x3f
std::string counting_salt() {
    std::string salt;
    for (char c = 0; c < 64; ++c) salt += c;
    return salt;
}

const char* const osc_key = "a3deef88a6e15a5aab71e8a74ad3780386876ebdd52cfd459bd113224fa8f067";
const char* const osc_token = "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD6rcJVr7qyrBRS77z7Zv1YU0UoWQa65td4GnGNsZxOHm1MgNXD0BbelqWvSlOPk2BQ==";
const char* const blueprint_key = "test-encryption-key-32-bytes-abc";
const char* const blueprint_value = "a1b2c3d40000000000000000f9173f7bcafb46bd8e3a19d486173f1d3dc38a54daece37bd162d94ffbac";

}  // namespace

TEST_CASE("OpenSecureConf: a value made by it is opened", "[foreign]") {
    const auto format = foreign_format::open_secure_conf("my-secure-key-1", counting_salt());
    const auto plain = format.open(osc_token);
    REQUIRE(plain);
    CHECK(*plain == R"({"host": "h"})");
    CHECK(format.name() == "OpenSecureConf");
}

TEST_CASE("Fernet: the specification's own token", "[foreign]") {
    // github.com/fernet/spec, generate.json
    const auto format = foreign_format::fernet(from_hex("730ff4c7af3d46923e8ed451ee813c87f790b0a226bc96a92de49b5e9c05e1ee"));
    const auto plain = format.open("gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==");
    REQUIRE(plain);
    CHECK(*plain == "hello");
}

TEST_CASE("Fernet: whatever is altered is refused, and no error quotes it", "[foreign]") {
    const auto format = foreign_format::fernet(from_hex(osc_key));
    const std::string token = osc_token;
    REQUIRE(format.open(token));
    for (std::size_t at = 0; at < token.size(); ++at) {
        for (const char other : {'A', 'B', 'z', '=', '+', ' '}) {
            std::string altered = token;
            if (altered[at] == other) continue;
            altered[at] = other;
            const auto plain = format.open(altered);
            INFO(altered);
            REQUIRE_FALSE(plain);
            CHECK((plain.error() == errc::seal_broken || plain.error() == errc::not_sealed));
            CHECK(plain.error().message().find("host") == std::string::npos);
        }
        CHECK_FALSE(format.open(token.substr(0, at)));
        CHECK_FALSE(format.open(token.substr(at + 1)));
    }
    CHECK_FALSE(format.open(token + "="));
    CHECK_FALSE(format.open(token + "\n"));
    std::string standard = token;
    standard[standard.find('_')] = '/';   // the other alphabet: the same bytes, but no such token
    CHECK_FALSE(format.open(standard));
    std::string bare = token;
    bare.resize(bare.find('='));
    CHECK_FALSE(format.open(bare));
    const auto other = foreign_format::fernet(std::string(32, 'k')).open(token);
    REQUIRE_FALSE(other);
    CHECK(other.error() == errc::seal_broken);
    CHECK(ERR_peek_error() == 0);   // it would be taken for a TLS connection's
}

TEST_CASE("blueprint: a value made by it is opened, an altered one not", "[foreign]") {
    const auto format = foreign_format::blueprint(blueprint_key);
    const std::string stored = from_hex(blueprint_value);
    const auto plain = format.open(stored);
    REQUIRE(plain);
    CHECK(*plain == "sensitive data");
    for (std::size_t at = 0; at < stored.size(); ++at) {
        std::string altered = stored;
        altered[at] = static_cast<char>(altered[at] ^ 1);
        const auto refused = format.open(altered);
        REQUIRE_FALSE(refused);
        CHECK(refused.error() == errc::seal_broken);
        const auto cut = format.open(stored.substr(0, at));
        REQUIRE_FALSE(cut);
        CHECK((cut.error() == errc::seal_broken || cut.error() == errc::not_sealed));
    }
    CHECK_FALSE(foreign_format::blueprint("another-key").open(stored));
    const auto text = format.open("nothing but a long text, which nobody ever encrypted");
    REQUIRE_FALSE(text);
    CHECK(text.error() == errc::not_sealed);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("foreign formats: keys that are none", "[foreign]") {
    CHECK_THROWS_AS(foreign_format::fernet(std::string(31, 'k')), std::invalid_argument);
    CHECK_THROWS_AS(foreign_format::fernet(""), std::invalid_argument);
    CHECK_THROWS_AS(foreign_format::blueprint(""), std::invalid_argument);
    CHECK_THROWS_AS(foreign_format::open_secure_conf("", "salt"), std::invalid_argument);
    CHECK_THROWS_AS(foreign_format::open_secure_conf("key", "salt", 0), std::invalid_argument);
}

TEST_CASE("Fernet: authentic, and encrypted by something else", "[foreign]") {
    // The specification's key, and a body of zeros: its padding is none.
    const auto format = foreign_format::fernet(from_hex("730ff4c7af3d46923e8ed451ee813c87f790b0a226bc96a92de49b5e9c05e1ee"));
    const auto plain = format.open("gAAAAAAAAAAAAAECAwQFBgcICQoLDA0ODwAAAAAAAAAAAAAAAAAAAAA8o1dxPLotKa07zbakOCU-nqRq-SVgY88THiODtRlTaw==");
    REQUIRE_FALSE(plain);
    CHECK(plain.error() == errc::seal_broken);
    CHECK(plain.error().message().find("padding") != std::string::npos);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("foreign formats: what no value of etcd can be is not looked at", "[foreign]") {
    const std::string huge((std::size_t{64} << 20) + 1, 'A');
    for (const auto& format : {foreign_format::fernet(std::string(32, 'k')), foreign_format::blueprint("key")}) {
        const auto plain = format.open(huge);
        REQUIRE_FALSE(plain);
        CHECK(plain.error() == errc::not_sealed);
    }
}
