#include "support/catch.hpp"

#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

using dynconf::key_range;
using dynconf::op;
using dynconf::txn;

namespace {
const std::string zero(1, '\0');
}

TEST_CASE("the end of a prefix is its successor") {
    CHECK(key_range::prefix("a") == key_range::interval("a", "b"));
    CHECK(key_range::prefix("/app/") == key_range::interval("/app/", "/app0"));
    CHECK(key_range::prefix("\x7f") == key_range::interval("\x7f", "\x80"));
    CHECK(key_range::prefix("\xfe") == key_range::interval("\xfe", "\xff"));
    CHECK(key_range::prefix("a\xff") == key_range::interval("a\xff", "b"));
    CHECK(key_range::prefix("a\xff\xff") == key_range::interval("a\xff\xff", "b"));
    CHECK(key_range::prefix(zero) == key_range::interval(zero, "\1"));
    CHECK(key_range::prefix("\xff") == key_range::from("\xff"));
    CHECK(key_range::prefix("\xff\xff") == key_range::from("\xff\xff"));
    CHECK(key_range::prefix("") == key_range::all());
}

TEST_CASE("a range as etcd writes it") {
    CHECK(key_range::key("k").first() == "k");
    CHECK(key_range::key("k").range_end().empty());
    CHECK(key_range::key("k").is_single_key());
    CHECK_FALSE(key_range::prefix("k").is_single_key());
    CHECK(key_range::all().first() == zero);
    CHECK(key_range::all().range_end() == zero);
    CHECK(key_range::from("k").range_end() == zero);
    // The empty key, which etcd cannot have, is before all that it can.
    CHECK(key_range::from("") == key_range::all());
    CHECK(key_range::all().lowest().empty());
    CHECK(key_range::interval("", "b").first() == zero);
    CHECK(key_range::key("").first().empty());
}

TEST_CASE("what a range contains") {
    CHECK(key_range::key("k").contains("k"));
    CHECK_FALSE(key_range::key("k").contains("ka"));
    CHECK_FALSE(key_range::key("k").contains(""));

    const auto half_open = key_range::interval("b", "d");
    CHECK_FALSE(half_open.contains("a"));
    CHECK(half_open.contains("b"));
    CHECK(half_open.contains("c\xff"));
    CHECK_FALSE(half_open.contains("d"));

    CHECK(key_range::all().contains(zero));
    CHECK(key_range::all().contains(""));
    CHECK_FALSE(key_range::all().after("").contains(""));
    CHECK(key_range::all().after("").contains(zero));
    CHECK(key_range::all().contains("\xff\xff"));
    CHECK(key_range::from("b").contains("\xff"));
    CHECK_FALSE(key_range::from("b").contains("a\xff"));

    CHECK(key_range::prefix("/a").contains("/a"));
    CHECK(key_range::prefix("/a").contains("/a\xff\xff"));
    CHECK_FALSE(key_range::prefix("/a").contains("/b"));
    CHECK(key_range::prefix("\xff").contains("\xff\xff"));
    CHECK_FALSE(key_range::prefix("\xff").contains("\xfe"));
    CHECK_FALSE(key_range::prefix("a\xff").contains("b"));
    // bytes count as unsigned
    CHECK(key_range::interval("a", "\x80").contains("\x7f"));
}

TEST_CASE("an interval holds what its ends say, whatever bytes they are") {
    const std::string some[] = {"", zero, zero + zero, "\1", "a", "a" + zero, "b", "\xff"};
    for (const std::string& first : some)
        for (const std::string& last : some) {
            const key_range asked = key_range::interval(first, last);
            for (const std::string& key : some) CHECK(asked.contains(key) == (first <= key && key < last));
            const bool one = first.empty() && last == zero;   // the empty key, which only a view has
            CHECK(asked.is_single_key() == one);
            CHECK(asked.range_end() != zero);
        }
    CHECK(key_range::raw("a", "") == key_range::key("a"));
    CHECK(key_range::raw("a", zero) == key_range::from("a"));
    CHECK_FALSE(key_range::key("").after("").contains("a"));
}

TEST_CASE("the cover of two ranges") {
    const auto cover = [](const key_range& a, const key_range& b) {
        CHECK(key_range::cover(a, b) == key_range::cover(b, a));
        return key_range::cover(a, b);
    };
    CHECK(cover(key_range::key("k"), key_range::key("k")) == key_range::key("k"));
    CHECK(cover(key_range::key("a"), key_range::key("c")) == key_range::interval("a", "c" + zero));
    CHECK(cover(key_range::prefix("/a/"), key_range::prefix("/b/")) == key_range::interval("/a/", "/b0"));
    CHECK(cover(key_range::prefix("/a/"), key_range::key("/a/x")) == key_range::prefix("/a/"));
    CHECK(cover(key_range::prefix("/a/"), key_range::key("/0")) == key_range::interval("/0", "/a0"));
    CHECK(cover(key_range::from("m"), key_range::key("c")) == key_range::from("c"));
    CHECK(cover(key_range::all(), key_range::prefix("a")) == key_range::all());
    // an interval without a key adds nothing
    CHECK(cover(key_range::interval("z", "a"), key_range::key("k")) == key_range::key("k"));
    CHECK(cover(key_range::interval("k", "k" + zero), key_range::key("k")) == key_range::key("k"));
}

TEST_CASE("a transaction that writes nothing") {
    CHECK(txn().read_only());
    CHECK(txn().then(op::range(key_range::key("a"))).else_(op::range(key_range::key("b"))).read_only());
    CHECK_FALSE(txn().then(op::put("a", "b")).read_only());
    CHECK_FALSE(txn().then(op::range(key_range::key("a"))).else_(op::delete_range(key_range::key("a"))).read_only());
}

TEST_CASE("key range: the part behind a key", "[key_range]") {
    const std::string next("/a/k\0", 5);
    CHECK(key_range::prefix("/a/").after("/a/k") == key_range::interval(next, "/a0"));
    CHECK(key_range::all().after("/a/k") == key_range::from(next));
    CHECK(key_range::from("/a").after("/a/k") == key_range::from(next));
    CHECK(key_range::prefix("/a/").after("/a/k").contains("/a/k0"));
    CHECK_FALSE(key_range::prefix("/a/").after("/a/k").contains("/a/k"));
    CHECK_FALSE(key_range::key("/a/k").after("/a/k").contains(next));   // no key is left
}
