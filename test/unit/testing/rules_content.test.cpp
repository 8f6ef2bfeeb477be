// A good run for each rule of the checker, and at least one that breaks it: which has to be told as that, and as nothing
// else. Here: what is there, how fresh it is, and why anybody began anew.

#include "unit/testing/rules_scene.hpp"

#include <boost/asio/error.hpp>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("rules: resync", "[checker]") {
    four_revisions b;
    auto& seen = b.mirror().seen;
    sight s{sight::kind::resync, b.at(72), 5, {b.fifth, b.delete_event("a", 5)}};
    s.why = mirror_step::reason::compacted;
    seen.resize(2);
    seen.push_back(s);
    SECTION("right: what was missed had been compacted") {
        b.h.compactions.push_back({b.at(60), 3});
        CHECK(b.verdict() == "");
    }
    SECTION("no compaction") { CHECK(has(only(rule::resync, b), "no compaction made it necessary")); }
    SECTION("a compaction that leaves what comes next") {
        b.h.compactions.push_back({b.at(60), 2});
        CHECK(has(only(rule::resync, b), "no compaction made it necessary"));
    }
    SECTION("a compaction afterwards") {
        b.h.compactions.push_back({b.at(80), 4});
        CHECK(has(only(rule::resync, b), "no compaction made it necessary"));
    }
    SECTION("a repair: something was lost") {
        seen.back().why = mirror_step::reason::repaired;
        CHECK(has(only(rule::resync, b), "the watch had lost something"));
    }
    SECTION("another store, where there is none") {
        seen.back().why = mirror_step::reason::store_replaced;
        CHECK(has(only(rule::resync, b), "the store was not replaced"));
    }
    SECTION("it leads elsewhere") {
        b.h.compactions.push_back({b.at(60), 4});
        seen.back().events = {b.delete_event("a", 5), b.put_event(b.kv("b", "y", 3))};
        b.h.end.reset();
        CHECK(has(only(rule::resync, b), "after the resync the content of revision 5 has b=y (mod 3, version 1) instead of b=z"));
    }
}

TEST_CASE("rules: resync, of a watch that ends", "[checker]") {
    four_revisions b;
    auto& seen = b.good().seen;
    seen.resize(3);   // up to revision 3
    const auto end = [&](ending why) {
        sight s{sight::kind::ended, b.at(72)};
        s.end = why;
        seen.push_back(s);
    };
    SECTION("right: what comes next had been compacted") {
        end(ending::history_lost);
        b.h.compactions.push_back({b.at(60), 4});
        CHECK(b.verdict() == "");
    }
    SECTION("no compaction") {
        end(ending::history_lost);
        CHECK(has(only(rule::resync, b), "watch at 0.072 s: ended behind revision 3: no compaction made it necessary"));
    }
    SECTION("a compaction that leaves what comes next") {
        end(ending::history_lost);
        b.h.compactions.push_back({b.at(60), 3});
        CHECK(has(only(rule::resync, b), "ended behind revision 3: no compaction made it necessary"));
    }
    SECTION("a compaction afterwards") {
        end(ending::history_lost);
        b.h.compactions.push_back({b.at(80), 5});
        CHECK(has(only(rule::resync, b), "no compaction made it necessary"));
    }
    SECTION("before anything came") {
        seen.resize(1);
        end(ending::history_lost);
        b.h.compactions.push_back({b.at(60), 1});
        CHECK(has(only(rule::resync, b), "ended behind revision 1: no compaction made it necessary"));
    }
    SECTION("of what ought not to end it") {
        end(ending::failed);
        b.h.compactions.push_back({b.at(60), 5});
        CHECK(has(only(rule::resync, b), "ended behind revision 3: nothing made it necessary"));
    }
    SECTION("refused") {
        end(ending::refused);
        CHECK(b.verdict() == "");
    }
}

TEST_CASE("rules: which errors end a watch", "[checker]") {
    CHECK(ending_of(errc::history_lost) == ending::history_lost);
    CHECK(ending_of(server_errc::permission_denied) == ending::refused);
    CHECK(ending_of(boost::asio::error::operation_aborted) == ending::left);
    CHECK(ending_of(server_errc::no_leader) == ending::failed);
    CHECK(ending_of(errc::watch_ended) == ending::failed);
}

TEST_CASE("rules: final content", "[checker]") {
    four_revisions b;
    auto& seen = b.mirror().seen;
    SECTION("a change that was not applied") {
        observer& m = b.h.observers.back();
        m.what = observer::kind::snapshots;
        seen = {b.snapshot(56, 4, {b.b3})};
        CHECK(has(only(rule::final_content, b), "the content at the end has b=y (mod 3, version 1) instead of b=z"));
    }
    SECTION("a change that was not applied, and covered up by a later one") {
        observer& m = b.h.observers.back();
        m.what = observer::kind::snapshots;
        seen = {b.snapshot(36, 3, {b.a3, b.b3}), b.snapshot(76, 5, {b.b5})};
        CHECK(b.verdict() == "");
        b.h.lulls.push_back({b.at(58), 4});
        CHECK(has(only(rule::final_content, b), "mirror: while all was still, at 0.058 s, the content has a=y (mod 3, version 2), which is not there"));
    }
    SECTION("it never had any") {
        seen.clear();
        CHECK(has(only(rule::final_content, b), "has never had a content"));
    }
    SECTION("it had ended before") {
        seen.resize(3);
        seen.push_back({sight::kind::ended, b.at(38)});
        CHECK(b.verdict() == "");
    }
}

TEST_CASE("rules: fresh", "[checker]") {
    four_revisions b;
    auto& seen = b.mirror().seen;
    const check_options bound{.max_staleness = 1s, .allowance = 100ms};
    SECTION("within the bound") {
        seen.back().at = b.at(1'170);
        CHECK(b.verdict(bound) == "");
    }
    SECTION("beyond") {
        seen.back().at = b.at(1'171);
        const auto text = only(rule::fresh, b, bound);
        CHECK(has(text, "mirror: live without revision 5 (put b=z) for 1101 ms after somebody had been told of it"));
        CHECK(has(text, "call 3 of client 1"));
    }
    SECTION("it was said in time") {
        seen.back().at = b.at(8'000);
        seen.insert(seen.end() - 1, b.stale(1'100));
        seen.push_back(b.live(8'001));
        CHECK(b.verdict(bound) == "");
    }
    SECTION("it was said too late") {
        seen.back().at = b.at(8'000);
        seen.insert(seen.end() - 1, b.stale(1'500));
        CHECK(has(only(rule::fresh, b, bound), "for 1430 ms"));
    }
    SECTION("live again without it") {
        seen.back().at = b.at(8'000);
        seen.insert(seen.end() - 1, {b.stale(500), b.live(7'000)});
        CHECK(has(only(rule::fresh, b, bound), "for 7930 ms"));
    }
    SECTION("live without any content") {
        std::swap(seen[0], seen[1]);
        CHECK(has(only(rule::fresh, b, bound), "live before it has a content"));
    }
    SECTION("a bookmark is a proof, too") {
        observer& m = b.h.observers.back();
        m.ranges = {key_range::key("a")};
        m.seen = {b.snapshot(18, 2, {b.a2}), b.live(19), b.batch(35, {b.third_a}), b.batch(55, {b.fourth}), b.bookmark(5'000, 5)};
        CHECK(b.verdict(bound) == "");
    }
}

TEST_CASE("rules: fresh, when a lease ends", "[checker]") {
    run_book b;
    b.done(1, 0, 10, op::put("a", "x", {.lease = 7}), put_response(), 2);
    b.get(2, 200, 210, "a", {}, 3);
    b.end(9'000, 3, {});
    observer& m = b.watch("mirror");
    m.what = observer::kind::mirror;
    m.seen = {b.snapshot(18, 2, {b.kv("a", "x", 2, 1, 2, 7)}), b.live(19), b.batch(1'210, {b.delete_event("a", 3)})};
    CHECK(b.verdict({.max_staleness = 1s}) == "");
    m.seen.back().at = b.at(1'211);
    CHECK(has(only(rule::fresh, b, {.max_staleness = 1s}), "mirror: live without revision 3 (delete a) for 1001 ms after somebody had been told of it"));
}

TEST_CASE("rules: fresh, where what came has gone again", "[checker]") {
    const auto what = GENERATE(observer::kind::watch, observer::kind::mirror, observer::kind::snapshots);
    run_book b;
    const auto late = [&](int erased) {
        b.put(1, 0, 10, "a", "x", 2);
        b.put(1, 100, 110, "b", "x", 3);
        b.erase(1, erased, erased + 10, "b", 1, 4);
        b.end(9'000, 4, {b.kv("a", "x", 2)});
        observer& m = b.watch("one");
        m.what = what;
        m.seen = {b.snapshot(18, 2, {b.kv("a", "x", 2)}), b.live(19)};
        if (what == observer::kind::watch) m.seen = {b.started(0, 2), b.batch(18, {b.put_event(b.kv("a", "x", 2))}), b.live(19), b.bookmark(8'000, 4)};
    };
    constexpr check_options bound{.max_staleness = 1s};
    if (what == observer::kind::watch) {
        late(200);
        const auto told = b.verdict(bound);
        CHECK(has(told, "fresh: one: live without revision 3 (put b=x) for 7890 ms"));
        CHECK(has(told, "bookmark: one: revision 3 (put b=x) has not come"));
        return;
    }
    SECTION("in time") {
        late(1'100);
        CHECK(b.verdict(bound) == "");
    }
    SECTION("later") {
        late(1'101);
        CHECK(has(only(rule::fresh, b, bound), "one: live without revision 3 (put b=x) for 1001 ms"));
    }
    SECTION("written again, and not gone") {
        if (what == observer::kind::snapshots) return;   // the content is as before
        b.put(1, 0, 10, "a", "x", 2);
        b.put(1, 100, 110, "a", "y", 3);
        b.put(1, 200, 210, "a", "x", 4);
        b.end(9'000, 4, {b.kv("a", "x", 4, 3, 2)});
        observer& m = b.watch("one");
        m.what = what;
        m.seen = {b.snapshot(18, 2, {b.kv("a", "x", 2)}), b.live(19),
            b.batch(5'000, {b.put_event(b.kv("a", "y", 3, 2, 2)), b.put_event(b.kv("a", "x", 4, 3, 2))})};
        CHECK(has(only(rule::fresh, b, bound), "one: live without revision 3 (put a=y) for 4890 ms"));
    }
}

TEST_CASE("rules: a mirror need not tell of a key that came and went between two of its sights", "[checker]") {
    run_book b;
    b.put(1, 0, 10, "a", "x", 2);
    const bool outcome_is_known = GENERATE(true, false);   // if not, nobody tells what made the revision
    if (outcome_is_known) b.put(1, 20, 30, "b", "1", 3);
    else b.unknown(1, 20, op::put("b", "1"));
    b.put(1, 40, 50, "b", "2", 4);
    b.erase(1, 60, 70, "b", 1, 5);
    b.put(1, 80, 90, "b", "3", 6);
    b.put(1, 100, 110, "a", "y", 7);
    const key_value a2 = b.kv("a", "x", 2), a7 = b.kv("a", "y", 7, 2, 2), b6 = b.kv("b", "3", 6);
    const event third = b.put_event(b.kv("b", "1", 3)), fourth = b.put_event(b.kv("b", "2", 4, 2, 3)), fifth = b.delete_event("b", 5),
        sixth = b.put_event(b6), seventh = b.put_event(a7);
    b.end(9'000, 7, {a7, b6});
    observer& m = b.watch("mirror");
    m.what = observer::kind::mirror;
    const auto sees = [&](const std::vector<event>& all) {
        m.seen = {b.snapshot(15, 2, {a2})};
        for (const event& e : all) m.seen.push_back(b.batch(200 + static_cast<int>(e.kv.mod_revision), {e}));
    };
    SECTION("none of it") {
        sees({sixth, seventh});
        CHECK(b.verdict() == "");
        m.what = observer::kind::watch;
        m.seen.front() = b.started(15, 3);
        CHECK(has(only(rule::complete, b), "revision 4 (put b=2) has not come before revision 6"));
    }
    SECTION("none, and what came then is missing") {
        sees({seventh});
        CHECK(has(b.verdict(), "complete: mirror: revision 6 (put b=3) has not come before revision 7"));
    }
    SECTION("that it came, and not that it went") {
        sees({third, fourth, sixth, seventh});
        CHECK(has(only(rule::complete, b), "revision 5 (delete b) has not come before revision 6"));
    }
    SECTION("that it changed, and not that it came") {
        sees({fourth, fifth, sixth, seventh});
        CHECK(has(only(rule::complete, b), "revision 3 (put b=1) has not come before revision 4"));
    }
    SECTION("that it went, and not that it came") {
        sees({fifth, sixth, seventh});
        const auto told = only(rule::complete, b);
        CHECK(has(told, "revision 3 (put b=1) has not come before revision 5"));
        CHECK(has(told, "revision 4 (put b=2) has not come before revision 5"));
    }
    SECTION("but of one that had been there") {
        sees({third, seventh});
        const auto told = b.verdict();
        CHECK(has(told, "complete: mirror: revision 4 (put b=2) has not come before revision 7"));
        CHECK(has(told, "revision 5 (delete b) has not come before revision 7"));
        CHECK(has(told, "revision 6 (put b=3) has not come before revision 7"));
    }
    SECTION("but of what else its revisions did") {
        b.h.operations[2].what = op::txn(txn().then(op::put("b", "2")).then(op::put("c", "2")));
        txn_response yes;
        yes.succeeded = true;
        yes.responses = {put_response(), put_response()};
        yes.header.revision = 4;
        b.h.operations[2].answer = yes;
        b.end(9'000, 7, {a7, b6, b.kv("c", "2", 4)});
        sees({sixth, seventh});
        const auto told = b.verdict();
        CHECK(has(told, "revision 4 (put c=2) has not come before revision 6"));
        CHECK_FALSE(has(told, "revision 3"));
    }
}
