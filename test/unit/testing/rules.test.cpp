// A good run for each rule of the checker, and at least one that breaks it: which has to be told as that, and as nothing
// else. Here: what was seen, event by event.

#include "unit/testing/rules_scene.hpp"

using namespace dynconf;
using namespace dynconf::test;

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
    SECTION("a manager's content again") {
        observer& m = b.mirror();
        m.what = observer::kind::snapshots;
        m.seen = {b.snapshot(56, 4, {b.b3}), b.snapshot(57, 4, {b.b3}), b.snapshot(76, 5, {b.b5})};
        CHECK(has(only(rule::unique, b), "the content of revision 4 again"));
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
    SECTION("the last one before a lull is missing, and comes later") {
        auto& seen = b.good().seen;
        seen[5].at = seen[6].at = b.at(900);
        CHECK(b.verdict() == "");
        b.h.lulls.push_back({b.at(800), 5});
        CHECK(has(only(rule::complete, b), "revision 5 (put b=z) has not come by 0.800 s, while all was still"));
        seen[5].at = seen[6].at = b.at(800);
        CHECK(b.verdict() == "");
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

TEST_CASE("rules: nothing is of a revision that etcd never reached, though others write", "[checker]") {
    four_revisions b;
    b.h.foreign_writers = true;
    SECTION("a bookmark") {
        b.good().seen.push_back(b.bookmark(90, 9));
        CHECK(has(only(rule::bookmark, b), "bookmark 9, a revision that never was"));
    }
    SECTION("a snapshot") {
        observer& m = b.mirror();
        m.what = observer::kind::snapshots;
        m.seen = {b.snapshot(90, 9, {b.b5})};
        CHECK(has(only(rule::genuine, b), "mirror at 0.090 s: the content of revision 9, which never was"));
    }
    SECTION("a resync") {
        sight s{sight::kind::resync, b.at(90), 9};
        s.why = mirror_step::reason::compacted;
        b.mirror().seen.push_back(s);
        b.h.compactions.push_back({b.at(80), 8});
        CHECK(has(only(rule::genuine, b), "mirror at 0.090 s: the content of revision 9, which never was"));
    }
    SECTION("an answer") {
        b.get(1, 80, 90, "b", {b.b5}, 9);
        CHECK(has(only(rule::genuine, b), "an answer of a revision that never was"));
    }
    SECTION("before the end there may be others") {
        b.h.end->revision = 9;
        b.good().seen.push_back(b.bookmark(90, 9));
        b.get(1, 80, 90, "b", {b.b5}, 8);
        CHECK(b.verdict() == "");
    }
}

TEST_CASE("rules: genuine, of a resync", "[checker]") {
    four_revisions b;
    auto& seen = b.mirror().seen;
    b.h.compactions.push_back({b.at(60), 5});
    seen.resize(2);
    seen.push_back({sight::kind::resync, b.at(72), 5, {b.fifth, b.delete_event("a", 5)}});
    seen.back().why = mirror_step::reason::compacted;
    SECTION("right") { CHECK(b.verdict() == ""); }
    SECTION("what nobody has written") {
        seen.back().events[0].kv.value = "invented";
        CHECK(has(b.verdict(), "genuine: mirror at 0.072 s: put b=invented at revision 5: that revision did put b=z"));
    }
    SECTION("what it has not asked for") {
        b.h.observers.back().ranges = {key_range::key("b")};
        CHECK(has(b.verdict(), "genuine: mirror at 0.072 s: delete a at revision 5: it has not asked for that"));
    }
}

TEST_CASE("rules: a mirror that goes on from known content", "[checker]") {
    four_revisions b;
    sight from = b.started(38, 4);
    from.content = {b.a3, b.b3};
    auto& seen = b.mirror().seen;
    seen = {from, b.batch(55, {b.fourth}), b.batch(75, {b.fifth})};
    SECTION("right") { CHECK(b.verdict() == ""); }
    SECTION("of another moment") {
        seen[0].content = {b.a2, b.b3};
        CHECK(has(only(rule::atomic, b), "mirror at 0.038 s: what it goes on from, the content of revision 3 has a=x"));
    }
    SECTION("of nothing") {
        seen[0].content = {};
        CHECK(has(only(rule::atomic, b), "the content of revision 3 has without a=y"));
    }
    SECTION("a resync needs a compaction of what comes next") {
        seen.resize(1);
        seen.push_back({sight::kind::resync, b.at(72), 5, {b.fifth, b.delete_event("a", 5)}});
        seen.back().why = mirror_step::reason::compacted;
        b.h.compactions.push_back({b.at(60), 3});
        CHECK(has(only(rule::resync, b), "no compaction made it necessary"));
        b.h.compactions.push_back({b.at(60), 4});
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
