// What the long run takes out of the program's lines; the checker judges it.

#include "soak/program_lines.hpp"
#include "support/catch.hpp"

#include <string>

using namespace dynconf;
using namespace dynconf::test;
using namespace std::chrono_literals;
using testing::sight;

namespace {

const testing::time_point start{1h};

}  // namespace

TEST_CASE("program lines: a snapshot, changes, a resync and states", "[program_lines]") {
    testing::observer seen;
    program_lines lines(seen);
    auto say = [&, at = start](const std::string& line) mutable { lines.take(at += 100ms, line); };
    say(R"({"type":"state","state":"starting"})");
    say(R"({"type":"snapshot","revision":10,"keys":{"a/1":"old"}})");
    say(R"({"type":"state","state":"live","revision":10,"endpoint":"e"})");
    say(R"({"type":"update","revision":11,"events":[{"type":"put","key":"a/1","value":"w","mod_revision":11},{"type":"delete","key":"a/2","mod_revision":11}]})");
    say(R"({"type":"state","state":"stale","cause":"x"})");
    say(R"({"type":"resync","revision":20,"reason":"compacted","events":[{"type":"put","key":"a/3","value":"v","mod_revision":17}]})");
    say(R"({"type":"state","state":"live"})");

    CHECK(lines.faults().empty());
    REQUIRE(seen.what == testing::observer::kind::mirror);
    REQUIRE(seen.seen.size() == 6);
    CHECK(seen.seen[0].what == sight::kind::snapshot);
    CHECK(seen.seen[0].at == start + 200ms);
    CHECK(seen.seen[0].content.front().value == "old");
    CHECK(seen.seen[1].what == sight::kind::live);
    const sight& update = seen.seen[2];
    CHECK(update.what == sight::kind::batch);
    CHECK(update.revision == 11);
    REQUIRE(update.events.size() == 2);
    CHECK(update.events[0].kv.mod_revision == 11);
    CHECK(update.events[1].type == event::kind::erase);
    CHECK(seen.seen[3].what == sight::kind::stale);
    CHECK(seen.seen[4].what == sight::kind::resync);
    CHECK(seen.seen[4].why == mirror_step::reason::compacted);
    CHECK(seen.seen[5].what == sight::kind::live);
    CHECK(lines.seen().revisions == 1);
    CHECK(lines.seen().resyncs == 1);
    CHECK(lines.seen().times_not_live == 1);
    CHECK(lines.seen().longest_not_live == 200ms);
}

TEST_CASE("program lines: what makes no sense is told", "[program_lines]") {
    testing::observer seen;
    program_lines lines(seen);
    for (const char* line : {R"({"type":"upd)", R"({"type":"new","revision":1})", R"({"type":"state","state":"fine"})",
             R"({"type":"update","revision":11,"events":[{"type":"swap","key":"a","mod_revision":11}]})",
             R"({"type":"update","events":[]})"})
        lines.take(start, line);
    CHECK(lines.faults().size() == 5);
    CHECK(seen.seen.empty());
}
