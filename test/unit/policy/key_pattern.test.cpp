#include <dynconf/search.hpp>

#include "support/catch.hpp"

#include <stdexcept>

using namespace dynconf;

TEST_CASE("key pattern: a substring anywhere", "[key_pattern]") {
    CHECK(key_pattern::substring("").matches(""));
    CHECK(key_pattern::substring("b/").matches("/a/b/c"));
    CHECK_FALSE(key_pattern::substring("b/").matches("/a/b"));
    CHECK(key_pattern::substring(std::string("\0x", 2)).matches(std::string_view("a\0x", 3)));
}

TEST_CASE("key pattern: a glob is the whole key", "[key_pattern]") {
    struct one { const char* pattern; std::string_view key; bool matches; };
    const one table[] = {
        {"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "/a/b", true}, {"a", "a", true}, {"a", "ab", false},
        {"/a/*", "/a/b/c", true}, {"/a/*", "/b", false}, {"*.conf", "/x/y.conf", true}, {"*.conf", "/x/y.confi", false},
        {"*a*b*", "xxaxxbxx", true}, {"*a*b", "ab ab", true}, {"*a*b", "ba", false}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"a?c", "a/c", true}, {"a[!b]c", "a/c", true},
        {"[a-c]x", "bx", true}, {"[a-c]x", "dx", false}, {"[!a-c]x", "dx", true}, {"[!a-c]x", "ax", false}, {"[]]", "]", true},
        {"[a-]", "-", true}, {"[ab]", "a", true}, {"[ab]", "b", true},
        {"[b-c]", "a", false}, {"[a-cx]", "x", true}, {"[a-cx]", "b", true}, {"[a-cm-o]", "b", true}, {"[a-cm-o]", "n", true}, {"[a-cm-o]", "e", false}, {"\\*", "*", true}, {"\\*", "x", false}, {"a\\", "a\\", true}, {"[\x80-\xff]", "\xc3", true},
        {"**a", "a", true}, {"a*", "a", true}, {"?", std::string_view("\0", 1), true},
    };
    for (const one& each : table) {
        INFO(each.pattern << " and " << each.key);
        CHECK(key_pattern::glob(each.pattern).matches(each.key) == each.matches);
    }
    CHECK_THROWS_AS(key_pattern::glob("a[b"), std::invalid_argument);
    CHECK_THROWS_AS(key_pattern::glob("a[]"), std::invalid_argument);
    CHECK_THROWS_AS(key_pattern::glob("a["), std::invalid_argument);
    CHECK_THROWS_AS(key_pattern::glob("[!]"), std::invalid_argument);
    CHECK_NOTHROW(key_pattern::glob("a\\[b"));
}

TEST_CASE("key pattern: a glob with many stars ends soon", "[key_pattern]") {
    std::string stars;
    for (int i = 0; i < 30; ++i) stars += "*a";
    CHECK_FALSE(key_pattern::glob(stars + "b").matches(std::string(2'000, 'a')));
}

TEST_CASE("key pattern: a regular expression is looked for anywhere, and a bad one is told", "[key_pattern]") {
    CHECK(key_pattern::regex("/[0-9]+/x$").matches("/jobs/17/x"));
    CHECK_FALSE(key_pattern::regex("^[0-9]").matches("/jobs/17"));
    CHECK(key_pattern::regex("^/JOBS").matches("/JOBS/1"));
    CHECK_THROWS_AS(key_pattern::regex("a("), std::invalid_argument);
}

TEST_CASE("key pattern: a regular expression that cannot tell says so", "[key_pattern]") {
    CHECK_THROWS_WITH(key_pattern::regex("(a|aa)+$").matches(std::string(4'000, 'a') + "b"), Catch::Contains("complexity"));   // would not end
    const std::string longest(key_pattern::most_regex_bytes, 'a');
    CHECK(key_pattern::regex("^a+$").matches(longest));
    CHECK_THROWS_WITH(key_pattern::regex("a").matches(longest + "a"), "dynconf: a key of 4097 bytes is too long for a regular expression");
    CHECK(key_pattern::substring("a").matches(longest + "a"));
    CHECK(key_pattern::glob("a*").matches(longest + "a"));
}
