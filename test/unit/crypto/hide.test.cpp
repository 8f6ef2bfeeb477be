#include "crypto/hide.hpp"

#include "support/catch.hpp"
#include "wire/quote.hpp"

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
    CHECK(hidden(R"(short: ab\t\n\r\b\f\/cd)", "ab\t\n\r\b\f/cd") == "short: ****");
    CHECK(hidden(R"(ASCII: p\u00e4ss\u20ac\uD83D\uDE00!)", "p\u00e4ss\u20ac\U0001F600!") == "ASCII: ****");
    CHECK(hidden(R"(all: \u0070\u0061\u0073\u0073)", "pass") == "all: ****");
    CHECK(hidden(R"(replaced: pass\ufffdword)", "pass\xffword") == "replaced: ****");
    CHECK(hidden(R"(mixed: p\u00e4ss)" "\u20ac", "p\u00e4ss\u20ac") == "mixed: ****");
    CHECK(hidden(R"(not: p\u00e5ss\u20ac)", "p\u00e4ss\u20ac") == R"(not: p\u00e5ss\u20ac)");
    CHECK(hidden(R"(\\\\\\\\)", R"(\\\\)") == "****");   // four, each written as two
}

TEST_CASE("hide: as words are quoted for a log", "[crypto]") {
    const std::string pw = "p\tw\x01\x7f\xff \u20ac\u0085 end";
    const auto quoted = [&pw](const std::string& front, const std::string& back) { return hidden(dynconf::wire::quote(front + pw + back), pw); };
    CHECK(quoted("bad: ", "!") == "bad: ****!");
    CHECK(quoted("", "") == "****");
    const std::string blank = " \thunter2 ";
    CHECK(hidden(dynconf::wire::quote(blank), blank) == "****");
    CHECK(hidden(dynconf::wire::quote("bad: " + blank), blank) == "bad: ****");
    CHECK(hidden(dynconf::wire::quote("bad: " + pw, 20), pw) == "bad: ****...");
    for (std::size_t limit = 12; limit < 30; ++limit) {
        CAPTURE(limit);
        CHECK(hidden(dynconf::wire::quote("bad: " + pw, limit), pw) == "bad: ****...");
    }
    CHECK(hidden(R"(bad: hunter\u00...)", "hunter\u00e4...") == "bad: ****...");   // in the middle of an escape
}

TEST_CASE("hide: short ones are let be, several are hidden", "[crypto]") {
    CHECK(hidden("a bad password", "a") == "a bad password");
    std::string words = "token-17 for hunter2";
    hide(words, {"token-17", "", "hunter2"});
    CHECK(words == "**** for ****");
}
