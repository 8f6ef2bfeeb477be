#include "crypto/derivation_record.hpp"

#include "support/catch.hpp"
#include "unit/crypto/hex.hpp"

#include <string>

using namespace dynconf;
using namespace dynconf::crypto;
using namespace dynconf::test;

namespace {

const std::string salt = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string check = "AAECAwQFBgcICQoLDA0ODw==";

auto parsed(const std::string& text) { return derivation_record::parse(text, 600'000, 10'000'000); }

}  // namespace

TEST_CASE("derivation_record: text there and back", "[derivation_record]") {
    const std::string text = "dynconf-key 1 pbkdf2-hmac-sha256 600000 " + salt + ' ' + check;
    const auto record = parsed(text);
    REQUIRE(record);
    CHECK(record->rounds == 600'000);
    CHECK(to_hex(record->salt) == "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    CHECK(to_hex(record->check) == "000102030405060708090a0b0c0d0e0f");
    CHECK(record->text() == text);
}

TEST_CASE("derivation_record: what is none is refused, and how", "[derivation_record]") {
    struct row {
        const char* title;
        std::string text;
        errc code;
    };
    const std::string begin = "dynconf-key 1 pbkdf2-hmac-sha256 ";
    const row rows[] = {
        {"empty", "", errc::seal_broken},
        {"something else", "hello", errc::seal_broken},
        {"a later version", "dynconf-key 2 whatever comes", errc::unsupported_seal},
        {"another method", "dynconf-key 1 argon2id 3 " + salt + ' ' + check, errc::unsupported_seal},
        {"too few rounds", begin + "599999 " + salt + ' ' + check, errc::unsupported_seal},
        {"too many rounds", begin + "10000001 " + salt + ' ' + check, errc::unsupported_seal},
        {"no number", begin + "6e5 " + salt + ' ' + check, errc::seal_broken},
        {"a number past all bounds", begin + "99999999999999999999 " + salt + ' ' + check, errc::seal_broken},
        {"negative", begin + "-600000 " + salt + ' ' + check, errc::seal_broken},
        {"another spelling of the number", begin + "0600000 " + salt + ' ' + check, errc::seal_broken},
        {"another spelling of the salt", begin + "600000 " + salt.substr(0, salt.size() - 1) + ' ' + check, errc::seal_broken},
        {"no salt", begin + "600000  " + check, errc::seal_broken},
        {"a short salt", begin + "600000 AAAA " + check, errc::seal_broken},
        {"a salt that is not base64", begin + "600000 !!! " + check, errc::seal_broken},
        {"a salt in another spelling", begin + "600000 " + salt.substr(0, salt.size() - 1) + ' ' + check, errc::seal_broken},
        {"no check", begin + "600000 " + salt, errc::seal_broken},
        {"a line break", begin + "600000 " + salt + ' ' + check + "\n", errc::seal_broken},
        {"more behind it", begin + "600000 " + salt + ' ' + check + " more", errc::seal_broken},
        {"too long", begin + std::string(1'000'000, ' '), errc::seal_broken},
    };
    for (const row& r : rows) {
        INFO(r.title);
        const auto record = parsed(r.text);
        REQUIRE_FALSE(record);
        CHECK(record.error() == r.code);
    }
}

TEST_CASE("derivation_record: another passphrase, salt or number of rounds makes another key and check", "[derivation_record]") {
    derivation_record how;
    how.rounds = 1;
    how.salt = "salt";
    const secret key = derive("password", how);
    CHECK(to_hex(key.reveal()) == "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b");
    CHECK(check_of(key).size() == derivation_record::check_size);
    CHECK(check_of(key) == check_of(derive("password", how)));
    CHECK(check_of(key) != check_of(derive("Password", how)));
    CHECK(key.reveal().find(check_of(key)) == std::string::npos);
    how.rounds = 2;
    CHECK_FALSE(derive("password", how) == key);
}
