#include "crypto/pbkdf2.hpp"

#include "support/catch.hpp"
#include "unit/crypto/hex.hpp"

#include <stdexcept>
#include <string>

using namespace dynconf;
using namespace dynconf::crypto;
using dynconf::test::to_hex;

TEST_CASE("PBKDF2-HMAC-SHA256: the vectors of RFC 7914 and those of RFC 6070's inputs", "[pbkdf2]") {
    struct row {
        std::string passphrase, salt;
        unsigned rounds;
        std::size_t bytes;
        std::string key;
    };
    const row rows[] = {
        // RFC 7914, 11
        {"passwd", "salt", 1, 64,
         "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
         "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"},
        {"Password", "NaCl", 80'000, 64,
         "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
         "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"},
        // The inputs of RFC 6070, with SHA-256
        {"password", "salt", 1, 32, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"},
        {"password", "salt", 2, 32, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"},
        {"password", "salt", 4096, 32, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"},
        {"passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096, 40,
         "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e9"},
        {std::string("pass\0word", 9), std::string("sa\0lt", 5), 4096, 16, "89b69d0516f829893c696226650a8687"},
    };
    for (const row& r : rows) {
        INFO(r.passphrase << ' ' << r.rounds);
        CHECK(to_hex(pbkdf2_hmac_sha256(r.passphrase, r.salt, r.rounds, r.bytes).reveal()) == r.key);
    }
}

TEST_CASE("PBKDF2-HMAC-SHA256: numbers that cannot work", "[pbkdf2]") {
    CHECK_THROWS_AS(pbkdf2_hmac_sha256("p", "s", 0, 32), std::invalid_argument);
    CHECK_THROWS_AS(pbkdf2_hmac_sha256("p", "s", 0xffff'ffffu, 32), std::invalid_argument);
    CHECK_THROWS_AS(pbkdf2_hmac_sha256("p", "s", 1, 0), std::invalid_argument);
}
