#include "policy/range_walk.hpp"

#include "support/catch.hpp"

using namespace dynconf;
using policy::range_walk;

namespace {

range_response page_of(const std::vector<std::string>& keys, bool more, std::int64_t count, revision_t revision = 9) {
    range_response page;
    page.header.revision = revision;
    page.more = more;
    page.count = count;
    for (const std::string& key : keys) page.kvs.emplace_back().key = key;
    return page;
}

range_options with_limit(std::int64_t limit) {
    range_options o;
    o.limit = limit;
    return o;
}

}  // namespace

TEST_CASE("range walk: pages follow each other at the revision of the first", "[range_walk]") {
    range_walk walk(key_range::prefix("a"), {}, 2);
    CHECK(walk.keys() == key_range::prefix("a"));
    CHECK(walk.options().limit == 2);
    CHECK(walk.options().revision == 0);
    range_response page = page_of({"a1", "a2"}, true, 5);
    REQUIRE_FALSE(walk.on(page));
    CHECK_FALSE(page.more);   // no limit of the caller's
    CHECK_FALSE(walk.done());
    CHECK(walk.keys() == key_range::prefix("a").after("a2"));
    CHECK(walk.options().revision == 9);
    page = page_of({"a3", "a4"}, true, 3, 12);
    REQUIRE_FALSE(walk.on(page));
    CHECK(page.header.revision == 9);
    CHECK(page.count == 5);   // that of the whole
    page = page_of({"a5"}, false, 1, 12);
    REQUIRE_FALSE(walk.on(page));
    CHECK(walk.done());
}

TEST_CASE("range walk: the caller's limit and revision hold for the whole", "[range_walk]") {
    range_options options = with_limit(3);
    options.revision = 4;
    range_walk walk(key_range::all(), options, 2);
    CHECK(walk.options().limit == 2);
    range_response page = page_of({"a", "b"}, true, 9);
    REQUIRE_FALSE(walk.on(page));
    CHECK(page.header.revision == 4);
    CHECK(walk.options().limit == 1);
    CHECK(walk.options().revision == 4);
    page = page_of({"c"}, true, 7);
    REQUIRE_FALSE(walk.on(page));
    CHECK(walk.done());
    CHECK(page.more);   // the limit left some out
}

TEST_CASE("range walk: what has no pages is one request", "[range_walk]") {
    range_options sorted = with_limit(3);
    sorted.order = sort_order::descend;
    range_options by_version;
    by_version.target = sort_target::version;
    range_options counting;
    counting.count_only = true;
    struct one { key_range keys; range_options options; };
    for (const one& each : {one{key_range::all(), sorted}, one{key_range::all(), by_version}, one{key_range::all(), counting}, one{key_range::key("a"), {}}}) {
        range_walk walk(each.keys, each.options, 1);
        CHECK(walk.options().limit == each.options.limit);
        range_response page = page_of({"a", "b", "c"}, each.options.limit > 0, 7);
        REQUIRE_FALSE(walk.on(page));
        CHECK(walk.done());
        CHECK(page.more == (each.options.limit > 0));
    }
}

TEST_CASE("range walk: an empty page that says there is more would never end", "[range_walk]") {
    range_walk walk(key_range::all(), {}, 1);
    range_response page = page_of({}, true, 7);
    const auto wrong = walk.on(page);
    REQUIRE(wrong);
    CHECK(wrong->code == errc::malformed_response);
}
