#include <dynconf/key_ring.hpp>

#include "support/catch.hpp"
#include "support/scratch_dir.hpp"
#include "unit/crypto/hex.hpp"

#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>

using namespace dynconf;
using dynconf::test::from_hex;

namespace {

constexpr auto key_digits = "8f3a01c4d95be2770c6412aa53f8be09d1437e25b86099ec1fa2745d0be3c861";

/// Why it is refused; empty: it is not.
std::string refusal(const std::function<sealing_key()>& make) {
    try {
        make();
        return {};
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
}

}  // namespace

TEST_CASE("sealing_key: from a file, raw or as text", "[crypto]") {
    const test::scratch_dir dir;
    const auto read = [&](const std::string& content) {
        const std::string path = dir.path() / "key";
        std::ofstream(path, std::ios::binary) << content;
        return sealing_key::from_file(path);
    };
    const sealing_key key = sealing_key::from_hex(key_digits);
    const std::string base64(key.to_base64().reveal());
    for (const std::string& content : {from_hex(key_digits), std::string(key_digits), key_digits + std::string("\n"), base64, base64 + "\n",
                                       base64 + "\r\n", base64.substr(0, 43)}) {
        CAPTURE(content.size());
        CHECK(read(content) == key);
    }
    const std::string ends_a_line = from_hex(key_digits).substr(0, 31) + "\n";
    CHECK(read(ends_a_line).bytes().reveal() == ends_a_line);
    for (const std::string& content : {std::string(), std::string("\n"), base64 + "\n\n", from_hex(key_digits) + "x", std::string(key_digits) + "00",
                                       std::string("correct horse battery staple 123\n"), std::string(5000, 'a')}) {
        CAPTURE(content.size());
        const std::string why = refusal([&] { return read(content); });
        CHECK(why.find(dir.path().string()) != std::string::npos);
    }
    CHECK(refusal([&] { return sealing_key::from_file(dir.path() / "none"); }).find("cannot be read") != std::string::npos);
    CHECK_FALSE(refusal([&] { return sealing_key::from_file(dir.path()); }).empty());
}
