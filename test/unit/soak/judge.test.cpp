// The judge of the long run must not be kinder than its rules: each is broken once here, and has to be told.

#include "soak/judge.hpp"
#include "support/catch.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf::test;
using namespace std::chrono_literals;

namespace {

using clock_type = watch_judge::clock;
using strings = std::vector<std::string>;

const clock_type::time_point start{1h};

/// A transcript line by line, 100 ms apart, and the writes it tells of.
struct transcript {
    std::vector<std::pair<std::chrono::milliseconds, std::string>> lines{
        {0ms, R"({"type":"state","state":"starting"})"},
        {100ms, R"({"type":"snapshot","revision":10,"keys":{"a/1":"old","a/2":"old"}})"},
        {200ms, R"({"type":"state","state":"live","revision":10,"endpoint":"e"})"},
        {300ms, R"({"type":"update","revision":11,"events":[{"type":"put","key":"a/1","value":"w1","mod_revision":11},{"type":"put","key":"a/3","value":"w1","mod_revision":11}]})"},
        {400ms, R"({"type":"update","revision":13,"events":[{"type":"put","key":"a/1","value":"w2","mod_revision":13},{"type":"delete","key":"a/2","mod_revision":13}]})"},
    };
    std::vector<written> writes{
        {"w1", {"a/1", "a/3"}, {}, 11, start + 290ms},
        {"w2", {"a/1"}, {"a/2", "a/9"}, 13, start + 390ms},
        {"lost", {"a/1"}, {}, std::nullopt, {}},
    };
    watch_judge::content at_the_end{{"a/1", "w2"}, {"a/3", "w1"}};
    std::chrono::milliseconds end = 1s;
    std::function<void(watch_judge&)> also = [](watch_judge&) {};

    void add(std::chrono::milliseconds at, std::string line) { lines.emplace_back(at, std::move(line)); }
    watch_judge judged(strings& faults) const {
        watch_judge judge({2s, 250ms});
        for (const written& w : writes) judge.on_write(w);
        also(judge);
        for (const auto& [at, line] : lines) judge.on_line(start + at, line);
        faults = judge.finish(at_the_end, start + end);
        return judge;
    }
    strings faults() const {
        strings all;
        (void)judged(all);
        return all;
    }
    /// The only fault's words.
    std::string only_fault() const {
        const strings all = faults();
        if (all.size() == 1) return all.front();
        std::string text = std::to_string(all.size()) + " faults";
        for (const std::string& f : all) text += "; " + f;
        return text;
    }
};

bool has(const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
    return text.find(part) != std::string::npos;
}

std::string put_line(int revision, const std::string& key, const std::string& value) {
    const std::string r = std::to_string(revision);
    return R"({"type":"update","revision":)" + r + R"(,"events":[{"type":"put","key":")" + key + R"(","value":")" + value
        + R"(","mod_revision":)" + r + "}]}";
}

std::string resync_line(const std::string& reason) {
    return R"({"type":"resync","revision":20,"reason":")" + reason
        + R"(","events":[{"type":"put","key":"a/1","value":"w3","mod_revision":17}]})";
}

}  // namespace

TEST_CASE("judge: a true transcript has no faults, and its figures are counted", "[judge]") {
    strings faults;
    const watch_judge::figures f = transcript().judged(faults).result();
    CHECK(faults == strings{});
    CHECK(f.revisions == 2);
    CHECK(f.acknowledged == 2);
    CHECK(f.unknown == 1);
    CHECK(f.unknown_executed == 0);
    CHECK(f.worst_age_live == 10ms);
    CHECK(f.worst_delay == 10ms);
    CHECK(f.times_not_live == 0);
}

TEST_CASE("judge: a write without an answer may have been executed, or not", "[judge]") {
    transcript t;
    t.add(500ms, put_line(14, "a/1", "lost"));
    t.at_the_end["a/1"] = "lost";
    strings faults;
    CHECK(t.judged(faults).result().unknown_executed == 1);
    CHECK(faults == strings{});
}

TEST_CASE("judge: what is missing, doubled, out of order or not whole is told", "[judge]") {
    transcript t;
    SECTION("a revision is missing") {
        t.lines.erase(t.lines.begin() + 3);
        t.at_the_end.erase("a/3");
        CHECK(has(t.only_fault(), "revision 11 ('w1') is missing"));
    }
    SECTION("the last revision is missing") {
        t.lines.pop_back();
        t.end = 500ms;
        const strings all = t.faults();
        REQUIRE(all.size() == 2);
        CHECK(has(all[0], "the content is not etcd's at the end: a/1 a/2"));
        CHECK(has(all[1], "revision 13 ('w2') is missing"));
    }
    SECTION("printed twice") {
        t.add(500ms, put_line(13, "a/1", "w2"));
        CHECK(has(t.faults().front(), "update 13: after revision 13"));
    }
    SECTION("the same write as two revisions") {
        t.add(500ms, R"({"type":"update","revision":14,"events":[{"type":"put","key":"a/1","value":"w2","mod_revision":14}]})");
        CHECK(has(t.faults().front(), "'w2' printed as revision 13 and 14"));
    }
    SECTION("out of order") {
        std::swap(t.lines[3].second, t.lines[4].second);
        t.at_the_end["a/1"] = "w1";
        CHECK(has(t.only_fault(), "update 11: after revision 13"));
    }
    SECTION("half of a transaction") {
        t.lines[3].second = put_line(11, "a/1", "w1");
        t.at_the_end.erase("a/3");
        CHECK(has(t.only_fault(), "revision 11 ('w1'): not whole: puts a/1 instead of a/1 a/3"));
    }
    SECTION("a transaction without its delete") {
        t.lines[4].second = put_line(13, "a/1", "w2");
        t.at_the_end["a/2"] = "old";
        CHECK(has(t.only_fault(), "not whole: the delete of a/2 is missing"));
    }
    SECTION("two transactions in one line") {
        t.lines[3].second = R"({"type":"update","revision":11,"events":[{"type":"put","key":"a/1","value":"w1","mod_revision":11},{"type":"put","key":"a/3","value":"w2","mod_revision":11}]})";
        t.at_the_end["a/3"] = "w2";
        CHECK(has(t.faults().front(), "update 11: values of two writes"));
    }
    SECTION("an event of another revision") {
        t.lines[4].second.replace(t.lines[4].second.find("\"mod_revision\":13"), 17, "\"mod_revision\":12");
        CHECK(has(t.only_fault(), "update 13: holds an event of another revision"));
    }
    SECTION("a key twice in one line") {
        t.add(500ms, R"({"type":"update","revision":14,"events":[{"type":"put","key":"a/1","value":"lost","mod_revision":14},{"type":"put","key":"a/1","value":"lost","mod_revision":14}]})");
        t.at_the_end["a/1"] = "lost";
        CHECK(has(t.only_fault(), "update 14: a/1 twice"));
    }
    SECTION("under another revision than was acknowledged") {
        t.writes[1].revision = 12;
        CHECK(has(t.only_fault(), "revision 13 ('w2'): was acknowledged as 12"));
    }
    SECTION("what nobody wrote") {
        t.add(500ms, put_line(14, "a/1", "invented"));
        t.at_the_end["a/1"] = "invented";
        CHECK(has(t.only_fault(), "revision 14: nobody wrote 'invented'"));
    }
    SECTION("a delete that nobody made") {
        t.lines[3].second = R"({"type":"update","revision":11,"events":[{"type":"put","key":"a/1","value":"w1","mod_revision":11},{"type":"put","key":"a/3","value":"w1","mod_revision":11},{"type":"delete","key":"a/2","mod_revision":11}]})";
        t.lines[4].second = put_line(13, "a/1", "w2");
        CHECK(has(t.only_fault(), "revision 11 ('w1'): nobody deleted a/2"));
    }
    SECTION("a delete of nothing") {
        t.lines[4].second.replace(t.lines[4].second.find("a/2"), 3, "a/9");
        t.at_the_end["a/2"] = "old";
        CHECK(has(t.faults().front(), "update 13: deletes a/9, which was not there"));
    }
    SECTION("another content than etcd's") {
        t.at_the_end["a/4"] = "x";
        CHECK(has(t.only_fault(), "the content is not etcd's at the end: a/4"));
    }
    SECTION("a second snapshot") {
        t.add(500ms, R"({"type":"snapshot","revision":14,"keys":{"a/1":"w2","a/3":"w1"}})");
        CHECK(has(t.only_fault(), "snapshot 14: a second snapshot"));
    }
    SECTION("an update before the snapshot") {
        std::swap(t.lines[1].second, t.lines[3].second);
        CHECK(has(t.faults().front(), "update 11: before the snapshot"));
    }
    SECTION("a line that was cut off") {
        t.add(500ms, R"({"type":"upd)");
        CHECK(has(t.only_fault(), "a line that cannot be read"));
    }
    SECTION("nothing at all") {
        t.lines.clear();
        CHECK(has(t.faults().front(), "no snapshot"));
    }
}

TEST_CASE("judge: a resync only where a compaction made it necessary", "[judge]") {
    transcript t;
    t.writes.push_back({"w3", {"a/1"}, {}, 17, start + 600ms});
    t.at_the_end["a/1"] = "w3";
    const auto compacted = [&t](std::chrono::milliseconds at, std::int64_t revision) {
        t.also = [=](watch_judge& j) { j.on_compaction(start + at, revision); };
    };
    SECTION("necessary: what it skips may be missing") {
        compacted(650ms, 18);
        t.add(700ms, resync_line("compacted"));
        strings faults;
        CHECK(t.judged(faults).result().resyncs == 1);
        CHECK(faults == strings{});
    }
    SECTION("nothing was compacted") {
        t.add(700ms, resync_line("compacted"));
        CHECK(has(t.only_fault(), "resync 20 after 13: no compaction made it necessary"));
    }
    SECTION("what was compacted had been printed") {
        compacted(650ms, 13);
        t.add(700ms, resync_line("compacted"));
        CHECK(has(t.only_fault(), "no compaction made it necessary"));
    }
    SECTION("compacted afterwards") {
        compacted(750ms, 18);
        t.add(700ms, resync_line("compacted"));
        CHECK(has(t.only_fault(), "no compaction made it necessary"));
    }
    SECTION("the wrong content") {
        compacted(650ms, 18);
        t.add(700ms, resync_line("compacted"));
        t.at_the_end["a/3"] = "other";
        CHECK(has(t.only_fault(), "the content is not etcd's"));
    }
    SECTION("a repair: the watch has lost something") {
        t.add(700ms, resync_line("repaired"));
        CHECK(has(t.only_fault(), "because repaired"));
    }
    SECTION("another store where there is none") {
        t.add(700ms, resync_line("store_replaced"));
        CHECK(has(t.only_fault(), "the store was not replaced"));
    }
    SECTION("another store") {
        t.also = [](watch_judge& j) { j.on_store_replaced(start + 500ms); };
        t.add(700ms, resync_line("store_replaced"));
        CHECK(t.faults() == strings{});
    }
}

TEST_CASE("judge: live and too old is told, stale and old is not", "[judge]") {
    transcript t;
    t.writes.push_back({"late", {"a/1"}, {}, 14, start + 1s});
    t.at_the_end["a/1"] = "late";
    t.end = 10s;
    const std::string stale = R"({"type":"state","state":"stale","revision":13,"cause":"c"})";
    const std::string live = R"({"type":"state","state":"live","revision":13,"endpoint":"e"})";
    SECTION("printed within the bound") {
        t.add(3200ms, put_line(14, "a/1", "late"));
        strings faults;
        CHECK(t.judged(faults).result().worst_age_live == 2200ms);
        CHECK(faults == strings{});
    }
    SECTION("printed too late, live all the time") {
        t.add(3300ms, put_line(14, "a/1", "late"));
        CHECK(has(t.only_fault(), "live without revision 14 for 2300 ms"));
    }
    SECTION("the state was told in time") {
        t.add(3200ms, stale);
        t.add(9s, put_line(14, "a/1", "late"));
        t.add(9100ms, live);
        strings faults;
        const auto f = t.judged(faults).result();
        CHECK(faults == strings{});
        CHECK(f.worst_delay == 8s);
        CHECK(f.longest_not_live == 5900ms);
        CHECK(f.times_not_live == 1);
    }
    SECTION("the state was told too late") {
        t.add(3300ms, stale);
        t.add(9s, put_line(14, "a/1", "late"));
        t.add(9100ms, live);
        CHECK(has(t.only_fault(), "live without revision 14 for 2300 ms"));
    }
    SECTION("live again without it") {
        t.add(2s, stale);
        t.add(8s, live);
        t.add(8100ms, put_line(14, "a/1", "late"));
        CHECK(has(t.only_fault(), "live without revision 14 for 7100 ms"));
    }
    SECTION("never printed") {
        t.at_the_end["a/1"] = "w2";
        CHECK(t.faults().size() == 2);
        CHECK(has(t.faults()[1], "live without revision 14 for 9000 ms"));
    }
    SECTION("not live at the end") {
        t.add(2s, put_line(14, "a/1", "late"));
        t.add(3s, stale);
        CHECK(has(t.only_fault(), "not live at the end, but stale"));
    }
}
