// A good run for each rule of the checker, and at least one that breaks it: which has to be told as that, and as nothing
// else.

#include "support/catch.hpp"
#include "unit/testing/runs.hpp"

using namespace dynconf;
using namespace dynconf::test;

namespace {

using book = run_book;

/// Four revisions: 2 puts a, 3 puts a and b at once, 4 deletes a, 5 puts b.
struct four_revisions : run_book {
    key_value a2 = kv("a", "x", 2), a3 = kv("a", "y", 3, 2, 2), b3 = kv("b", "y", 3), b5 = kv("b", "z", 5, 2, 3);
    event second = put_event(a2), third_a = put_event(a3), third_b = put_event(b3), fourth = delete_event("a", 4), fifth = put_event(b5);

    four_revisions() {
        put(1, 0, 10, "a", "x", 2);
        txn_response yes;
        yes.succeeded = true;
        yes.responses = {put_response(), put_response()};
        done(1, 20, 30, op::txn(txn().then(op::put("a", "y")).then(op::put("b", "y"))), yes, 3);
        erase(1, 40, 50, "a", 1, 4);
        put(1, 60, 70, "b", "z", 5);
        end(9'000, 5, {b5});
    }
    /// A watch that has seen it all.
    observer& good() {
        observer& w = watch();
        w.seen = {started(0, 2), batch(15, {second}), batch(35, {third_a, third_b}), bookmark(36, 3), batch(55, {fourth}), batch(75, {fifth}), bookmark(80, 5)};
        return w;
    }
    observer& mirror() {
        observer& m = watch("mirror");
        m.what = observer::kind::mirror;
        m.seen = {snapshot(18, 2, {a2}), live(19), batch(35, {third_a, third_b}), batch(55, {fourth}), batch(75, {fifth})};
        return m;
    }
};

/// Every violation is of that rule; its words.
std::string only(rule expected, const run_book& b, check_options options = {}) {
    const auto all = b.check(options);
    const std::string text = b.verdict(options);
    INFO(text);
    CHECK_FALSE(all.empty());
    for (const violation& v : all) CHECK(name_of(v.broken) == name_of(expected));
    return text;
}

}  // namespace

TEST_CASE("rules: a run in which all is right", "[checker]") {
    four_revisions b;
    b.good();
    b.mirror();
    observer& part = b.watch("part", key_range::key("b"));
    part.no_delete = true;
    part.seen = {b.started(0, 0), b.batch(35, {b.third_b}), b.batch(75, {b.fifth})};
    observer& manager = b.watch("manager");
    manager.what = observer::kind::snapshots;
    manager.seen = {b.snapshot(16, 2, {b.a2}), b.live(17), b.snapshot(56, 4, {b.b3}), b.snapshot(76, 5, {b.b5})};
    CHECK(b.verdict({.max_staleness = 100ms}) == "");
}

TEST_CASE("rules: ordered", "[checker]") {
    four_revisions b;
    SECTION("an older revision after a newer one") {
        observer& w = b.good();
        w.seen = {b.started(0, 0), b.batch(36, {b.third_a, b.third_b}), b.batch(37, {b.second}), b.batch(55, {b.fourth}), b.batch(75, {b.fifth})};
        CHECK(has(only(rule::ordered, b), "revision 2 after revision 3"));
    }
    SECTION("changes before the snapshot") {
        b.mirror().seen = {b.batch(15, {b.second}), b.snapshot(76, 5, {b.b5})};
        CHECK(has(only(rule::ordered, b), "changes before the snapshot"));
    }
    SECTION("a snapshot that goes back") {
        observer& m = b.mirror();
        m.what = observer::kind::snapshots;
        m.seen = {b.snapshot(56, 4, {b.b3}), b.snapshot(57, 2, {b.a2}), b.snapshot(76, 5, {b.b5})};
        CHECK(has(only(rule::ordered, b), "the content of revision 2 after that of revision 4"));
    }
    SECTION("a batch that says another revision than it has") {
        b.good().seen[3 - 1].revision = 4;
        CHECK(has(only(rule::ordered, b), "a batch up to revision 4 ends with revision 3"));
    }
}

TEST_CASE("rules: unique", "[checker]") {
    four_revisions b;
    SECTION("a revision again") {
        auto& seen = b.good().seen;
        seen.insert(seen.begin() + 5, b.batch(56, {b.fourth}));
        CHECK(has(only(rule::unique, b), "revision 4 (delete a) again"));
    }
    SECTION("an event twice in one batch") {
        b.good().seen[4] = b.batch(55, {b.fourth, b.fourth});
        CHECK(has(only(rule::unique, b), "revision 4: a twice"));
    }
    SECTION("a second snapshot") {
        auto& seen = b.mirror().seen;
        seen.insert(seen.begin() + 4, b.snapshot(56, 4, {b.b3}));
        CHECK(has(only(rule::unique, b), "a second snapshot"));
    }
}

TEST_CASE("rules: atomic", "[checker]") {
    four_revisions b;
    SECTION("half of a revision") {
        b.good().seen[2] = b.batch(35, {b.third_a});
        const auto text = only(rule::atomic, b);
        CHECK(has(text, "revision 3 is not whole: put b=y is missing"));
        CHECK(has(text, "call 1 of client 1"));
    }
    SECTION("in two pieces") {
        auto& seen = b.good().seen;
        seen[2] = b.batch(35, {b.third_a});
        seen[3] = b.batch(36, {b.third_b});
        CHECK(has(only(rule::atomic, b), "revision 3 is not whole"));
    }
    SECTION("a torn snapshot") {
        observer& m = b.mirror();
        m.seen = {b.snapshot(35, 3, {b.a3}), b.batch(55, {b.fourth}), b.batch(75, {b.fifth})};
        CHECK(has(only(rule::atomic, b), "the content of revision 3 has without b=y"));
    }
    SECTION("a snapshot of no moment") {
        observer& m = b.mirror();
        m.what = observer::kind::snapshots;
        m.seen = {b.snapshot(35, 3, {b.a2, b.b3}), b.snapshot(76, 5, {b.b5})};
        CHECK(has(only(rule::atomic, b), "a=x (mod 2, version 1) instead of a=y (mod 3, version 2)"));
    }
}

TEST_CASE("rules: complete", "[checker]") {
    four_revisions b;
    SECTION("one is missing") {
        auto& seen = b.good().seen;
        seen.erase(seen.begin() + 4);
        CHECK(has(only(rule::complete, b), "revision 4 (delete a) has not come before revision 5"));
    }
    SECTION("the last one is missing") {
        b.good().seen.resize(5);
        CHECK(has(only(rule::complete, b), "revision 5 (put b=z) has not come by the end"));
    }
    SECTION("it had ended before") {
        auto& seen = b.good().seen;
        seen.resize(5);
        seen.push_back({sight::kind::ended, b.at(58)});
        CHECK(b.verdict() == "");
    }
    SECTION("what it has not asked for is not missing") {
        observer& w = b.good();
        w.ranges = {key_range::key("b")};
        w.seen = {b.started(0, 2), b.batch(35, {b.third_b}), b.batch(75, {b.fifth})};
        CHECK(b.verdict() == "");
    }
}

TEST_CASE("rules: genuine", "[checker]") {
    four_revisions b;
    SECTION("what nobody has written") {
        b.good().seen[1] = b.batch(15, {b.put_event(b.kv("a", "invented", 2))});
        CHECK(has(only(rule::genuine, b), "put a=invented at revision 2: that revision did put a=x"));
    }
    SECTION("at a revision that never was") {
        b.good().seen.push_back(b.batch(85, {b.put_event(b.kv("a", "x", 6))}));
        const auto text = b.verdict();
        CHECK(has(text, "genuine: watch at 0.085 s: put a=x at revision 6: there was no such revision"));
    }
    SECTION("with another version") {
        b.good().seen[1] = b.batch(15, {b.put_event(b.kv("a", "x", 2, 7))});
        CHECK(has(only(rule::genuine, b), "as a=x (mod 2, version 1) and not a=x (mod 2, version 7)"));
    }
    SECTION("before it was written") {
        b.good().seen[5].at = b.at(58);
        CHECK(has(only(rule::genuine, b), "put b=z at revision 5: it was written later"));
    }
    SECTION("what it has not asked for") {
        b.good().no_delete = true;
        CHECK(has(only(rule::genuine, b), "it has not asked for that"));
    }
    SECTION("what the metadata does not have counts as not recorded") {
        key_value bare = b.a2;
        bare.create_revision = bare.version = 0;
        b.good().seen[1] = b.batch(15, {b.put_event(bare)});
        CHECK(b.verdict() == "");
    }
}

TEST_CASE("rules: resumable", "[checker]") {
    four_revisions b;
    auto& seen = b.good().seen;
    const auto again = [&](revision_t from) { seen.insert(seen.begin() + 4, b.started(38, from)); };
    SECTION("right: from the next one") {
        again(4);
        CHECK(b.verdict() == "");
    }
    SECTION("right: from an older one, which comes again") {
        again(3);
        seen.insert(seen.begin() + 5, b.batch(39, {b.third_a, b.third_b}));
        CHECK(b.verdict() == "");
    }
    SECTION("the first one after it is missing") {
        again(4);
        seen.erase(seen.begin() + 5);
        CHECK(has(only(rule::resumable, b), "revision 4 (delete a) has not come before revision 5"));
    }
    SECTION("what came before, although it was not asked for") {
        again(4);
        seen.insert(seen.begin() + 5, b.batch(39, {b.third_a, b.third_b}));
        CHECK(has(only(rule::resumable, b), "revision 3, though it began with revision 4"));
    }
    SECTION("asks behind what it has not seen") {
        again(5);
        seen.erase(seen.begin() + 5);
        CHECK(has(only(rule::resumable, b), "revision 4 (delete a) has not come and is not asked for any more"));
    }
}

TEST_CASE("rules: previous", "[checker]") {
    four_revisions b;
    observer& w = b.good();
    w.prev_kv = true;
    b.third_a.prev_kv = b.a2;
    b.fourth.prev_kv = b.a3;
    b.fifth.prev_kv = b.b3;
    const auto all = [&] {
        w.seen = {b.started(0, 2), b.batch(15, {b.second}), b.batch(35, {b.third_a, b.third_b}), b.batch(55, {b.fourth}), b.batch(75, {b.fifth})};
    };
    all();
    SECTION("right") { CHECK(b.verdict() == ""); }
    SECTION("another value") {
        b.fourth.prev_kv->value = "other";
        b.fourth.prev_kv->mod_revision = 2;
        all();
        CHECK(has(only(rule::previous, b), "delete a at revision 4: before it a=other (mod 2, version 2) instead of a=y (mod 3, version 2)"));
    }
    SECTION("none, though there was one") {
        b.fifth.prev_kv.reset();
        all();
        CHECK(has(only(rule::previous, b), "before it nothing instead of b=y"));
        b.h.compactions.push_back({b.at(60), 5});
        CHECK(b.verdict() == "");
    }
    SECTION("one, though there was none") {
        b.third_b.prev_kv = b.kv("b", "ghost", 1);
        all();
        CHECK(has(only(rule::previous, b), "before it b=ghost (mod 1, version 1) instead of nothing"));
    }
}

TEST_CASE("rules: bookmark", "[checker]") {
    four_revisions b;
    auto& seen = b.good().seen;
    SECTION("an event that was said to be over") {
        seen[3].revision = 4;
        const auto text = only(rule::bookmark, b);
        CHECK(has(text, "bookmark 4, a revision that was yet to come"));
        CHECK(has(text, "revision 4 after the bookmark 4"));
    }
    SECTION("something has not come before it") {
        seen.erase(seen.begin() + 5);
        CHECK(has(only(rule::bookmark, b), "revision 5 (put b=z) has not come before bookmark 5"));
    }
    SECTION("it goes back") {
        seen.push_back(b.bookmark(90, 4));
        CHECK(has(only(rule::bookmark, b), "bookmark 4 after bookmark 5"));
    }
    SECTION("a revision that never was") {
        seen.push_back(b.bookmark(90, 9));
        CHECK(has(only(rule::bookmark, b), "bookmark 9, a revision that never was"));
    }
}

TEST_CASE("rules: resync", "[checker]") {
    four_revisions b;
    auto& seen = b.mirror().seen;
    sight s{sight::kind::resync, b.at(72), 5, {b.fifth, b.delete_event("a", 5)}};
    s.why = mirror_step::reason::compacted;
    seen.resize(2);
    seen.push_back(s);
    SECTION("right: what was missed had been compacted") {
        b.h.compactions.push_back({b.at(60), 4});
        CHECK(b.verdict() == "");
    }
    SECTION("no compaction") { CHECK(has(only(rule::resync, b), "no compaction made it necessary")); }
    SECTION("a compaction of what had been seen") {
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

TEST_CASE("rules: final content", "[checker]") {
    four_revisions b;
    auto& seen = b.mirror().seen;
    SECTION("a change that was not applied") {
        observer& m = b.h.observers.back();
        m.what = observer::kind::snapshots;
        seen = {b.snapshot(56, 4, {b.b3})};
        CHECK(has(only(rule::final_content, b), "the content at the end has b=y (mod 3, version 1) instead of b=z"));
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
        CHECK(has(text, "mirror: live without revision 5 for 1101 ms after it was acknowledged"));
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

TEST_CASE("rules: exclusive", "[checker]") {
    run_book b;
    b.h.foreign_writers = true;
    const auto write = [&](unsigned client, int from, std::string value, revision_t token, revision_t at) {
        txn_response yes;
        yes.succeeded = true;
        yes.responses.push_back(put_response());
        b.done(client, from, from + 5,
            op::txn(txn().if_(create_revision_of("lock/" + std::to_string(token)) == token).then(op::put("n", std::move(value)))), yes, at);
    };
    const auto hold = [&](unsigned client, revision_t token, int from, int to) {
        b.h.holdings.push_back({client, "lock", "lock/" + std::to_string(token), token, b.at(from), b.at(to)});
        // The key itself, so that the comparison can be true.
        b.done(client, from - 9, from - 5, op::put("lock/" + std::to_string(token), ""), put_response(), token);
    };
    hold(1, 2, 10, 50);
    write(1, 20, "1", 2, 4);
    SECTION("one after the other") {
        hold(2, 5, 60, 90);
        write(2, 70, "2", 5, 6);
        write(2, 80, "3", 5, 7);
        CHECK(b.verdict() == "");
    }
    SECTION("in turns") {
        hold(2, 5, 25, 90);
        write(2, 30, "2", 5, 6);
        write(1, 40, "3", 2, 7);
        const auto text = only(rule::exclusive, b);
        CHECK(has(text, "lock lock: client 2 with token 5 (from"));
        CHECK(has(text, "has written before client 1 with token 2"));
    }
    SECTION("in turns, as the calls say without the comparison") {
        b.h.operations.clear();
        for (const revision_t token : {2, 5}) b.done(9, 10 * static_cast<int>(token), 10 * static_cast<int>(token) + 1, op::put("other", std::to_string(token)), put_response(), token);
        b.h.holdings.push_back({2, "lock", "lock/5", 5, b.at(25), b.at(90)});
        for (const auto& [client, token, at] : {std::tuple{1U, 2, 3}, {1U, 2, 4}, {2U, 5, 6}, {1U, 2, 7}}) {
            b.done(client, 10 * at, 10 * at + 5, op::put("n", std::to_string(at)), put_response(), at);
            b.h.operations.back().guard = token;
        }
        CHECK(has(only(rule::exclusive, b), "client 2 with token 5"));
        b.h.operations.pop_back();
        CHECK(b.verdict() == "");
    }
    SECTION("with one token") {
        b.h.holdings.push_back({2, "lock", "lock/2", 2, b.at(60), {}});
        CHECK(has(only(rule::exclusive, b), "two holders with one token"));
    }
}

TEST_CASE("rules: lease", "[checker]") {
    run_book b;
    const auto lease = [&](lease_operation::kind what, int from, int to, std::int64_t ttl) {
        b.h.leases.push_back({1, what, 7, b.at(from), b.at(to), write_state::executed, ttl});
    };
    lease(lease_operation::kind::grant, 0, 10, 5);
    b.done(1, 20, 30, op::put("a", "x", {.lease = 7}), put_response(), 2);
    lease(lease_operation::kind::keep_alive, 2'000, 2'010, 5);
    SECTION("gone after its time") {
        b.get(1, 7'000, 7'010, "a", {}, 3);
        CHECK(b.verdict() == "");
    }
    SECTION("gone before") {
        b.get(1, 6'900, 6'910, "a", {}, 3);
        CHECK(has(only(rule::lease, b), "lease 7: delete a at revision 3, known at 6.910 s, though at 2.000 s it was given 5 s"));
    }
    SECTION("revoked") {
        lease(lease_operation::kind::revoke, 3'000, 3'010, 0);
        b.get(1, 3'020, 3'030, "a", {}, 3);
        CHECK(b.verdict() == "");
    }
    SECTION("revoked, and its key lives on") {
        lease(lease_operation::kind::revoke, 3'000, 3'010, 0);
        b.get(1, 3'020, 3'030, "a", {b.kv("a", "x", 2, 1, 2, 7)}, 2);
        CHECK(has(only(rule::lease, b), "was revoked at 3.010 s, and a=x (mod 2, version 1) is still there at revision 2"));
    }
}
