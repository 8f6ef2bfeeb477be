#include "crypto/hide.hpp"

#include "support/catch.hpp"

#include <string>

using dynconf::crypto::hide;

namespace {

std::string hidden(std::string words, std::string_view secret) {
    hide(words, {secret});
    return words;
}

}  // namespace

TEST_CASE("hide: a secret in the words of others", "[crypto]") {
    const std::string pw = "hunter2-canary";
    CHECK(hidden("nothing here", pw) == "nothing here");
    CHECK(hidden("", pw).empty());
    CHECK(hidden("hunter2-canary", pw) == "****");
    CHECK(hidden("a hunter2-canary, and hunter2-canary", pw) == "a ****, and ****");
    CHECK(hidden("hunter2-canaryhunter2-canary", pw) == "********");
}

TEST_CASE("hide: what is left where words were cut", "[crypto]") {
    const std::string pw = "hunter2-canary";
    CHECK(hidden("it starts with 'bad: hunter2-ca...'", pw) == "it starts with 'bad: ****...'");
    CHECK(hidden("hunter2-...; hunter2-cana...", pw) == "****...; ****...");
    CHECK(hidden("bad: hunter2-canar", pw) == "bad: ****");
    CHECK(hidden("bad: hun...", pw) == "bad: hun...");   // three letters tell nothing
    CHECK(hidden("hunter...", "x") == "hunter...");
    CHECK(hidden("...", pw) == "...");
}

TEST_CASE("hide: as JSON writes it", "[crypto]") {
    CHECK(hidden(R"({"password":"a\"b\\c"})", R"(a"b\c)") == R"({"password":"****"})");
    CHECK(hidden(R"({"password":"a\u003cb\u0026c"})", "a<b&c") == R"({"password":"****"})");
    CHECK(hidden(R"({"password":"a\u003eb c"})", "a>b c") == R"({"password":"****"})");
    CHECK(hidden(R"(tab: ab\u0009cd)", "ab\tcd") == "tab: ****");
}

TEST_CASE("hide: short ones are let be, several are hidden", "[crypto]") {
    CHECK(hidden("a bad password", "a") == "a bad password");
    std::string words = "token-17 for hunter2";
    hide(words, {"token-17", "", "hunter2"});
    CHECK(words == "**** for ****");
}
