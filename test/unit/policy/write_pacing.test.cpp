#include "policy/write_pacing.hpp"

#include "support/catch.hpp"

#include <optional>
#include <vector>

using namespace std::chrono_literals;
using dynconf::policy::write_pacing;

namespace {

const write_pacing::time_point start = write_pacing::time_point() + 1000h;

using when = std::optional<std::chrono::milliseconds>;
when after_start(const write_pacing& p) {
    const auto due = p.due();
    if (!due) return std::nullopt;
    return std::chrono::duration_cast<std::chrono::milliseconds>(*due - start);
}

}  // namespace

TEST_CASE("writes: what changes together is written together, and not more often than allowed", "[policy][cache]") {
    write_pacing p(30s, 1h);
    CHECK_FALSE(p.due());
    CHECK_FALSE(p.dirty());
    p.changed(start);
    CHECK(after_start(p) == 1s);
    p.changed(start + 900ms);   // does not put it off
    CHECK(after_start(p) == 1s);
    p.begun(start + 1s);
    CHECK_FALSE(p.due());       // one at a time
    CHECK_FALSE(p.dirty());
    p.changed(start + 1100ms);  // not in this one
    CHECK_FALSE(p.due());
    p.succeeded(start + 1200ms);
    CHECK(p.dirty());
    CHECK(after_start(p) == 31s);
    p.begun(start + 31s);
    p.succeeded(start + 31s);
    CHECK_FALSE(p.dirty());
    p.changed(start + 100s);
    CHECK(after_start(p) == 101s);
}

TEST_CASE("writes: the longest pauses do not overflow", "[policy][cache]") {
    write_pacing p(std::chrono::milliseconds::max(), std::chrono::milliseconds::max());
    p.changed(start);
    CHECK(after_start(p) == 1s);
    p.begun(start + 1s);
    p.succeeded(start + 1s);
    p.confirmed();
    p.changed(start + 2s);
    REQUIRE(p.due());
    CHECK(*p.due() > start + 24h);
    p.begun(start + 3s);
    p.failed(start + 3s);
    CHECK(*p.due() > start + 24h);
}

TEST_CASE("writes: any number of changes makes one write in each interval", "[policy][cache]") {
    write_pacing p(10s, 1h);
    int writes = 0;
    for (auto t = 0ms; t < 100s; t += 10ms) {
        p.changed(start + t);
        if (*p.due() > start + t) continue;
        p.begun(start + t);
        p.succeeded(start + t);
        ++writes;
    }
    CHECK(writes == 10);
}

TEST_CASE("writes: a failure is tried again slowly, or with the next change", "[policy][cache]") {
    write_pacing p(5s, 1h);
    p.changed(start);
    p.begun(start + 1s);
    p.failed(start + 2s);
    CHECK(p.dirty());
    CHECK(after_start(p) == 62s);
    p.changed(start + 10s);
    CHECK(after_start(p) == 11s);
    p.begun(start + 11s);
    p.failed(start + 11s);
    p.changed(start + 12s);      // the pace holds for failures too
    CHECK(after_start(p) == 16s);
    p.begun(start + 16s);
    p.succeeded(start + 16s);
    CHECK_FALSE(p.dirty());
    CHECK_FALSE(p.due());

    write_pacing slow(10min, 1h);
    slow.changed(start);
    slow.begun(start);
    slow.failed(start);
    CHECK(after_start(slow) == 10min);
}

TEST_CASE("writes: what etcd confirms is renewed, what it does not grows old", "[policy][cache]") {
    write_pacing p(30s, 1h);
    p.loaded(start, 50min);
    CHECK_FALSE(p.due());
    p.confirmed();
    CHECK(after_start(p) == 10min);
    CHECK_FALSE(p.dirty());      // no reason for a last write
    p.begun(start + 10min);
    p.succeeded(start + 10min);
    CHECK_FALSE(p.due());        // nothing was confirmed since
    p.confirmed();
    CHECK(after_start(p) == 70min);

    write_pacing old(30s, 1h);
    old.loaded(start, 100h);
    old.confirmed();
    CHECK(after_start(old) == -99h);   // at once

    write_pacing never(30s, 0s);
    never.loaded(start, 100h);
    never.confirmed();
    CHECK_FALSE(never.due());
}

TEST_CASE("writes: what etcd confirms at a later revision is written by the last write, and now and then before", "[policy][cache]") {
    write_pacing p(30s, 1h);
    p.loaded(start, 1min);
    p.outdated();
    CHECK(p.dirty());
    CHECK(after_start(p) == 9min);
    p.outdated();                // each few seconds
    CHECK(after_start(p) == 9min);
    p.begun(start + 9min);
    CHECK_FALSE(p.dirty());
    p.outdated();                // not in this one
    p.succeeded(start + 9min);
    CHECK(p.dirty());
    CHECK(after_start(p) == 19min);
    p.changed(start + 10min);    // takes it along
    CHECK(after_start(p) == 10min + 1s);
    p.begun(start + 11min);
    p.succeeded(start + 11min);
    CHECK_FALSE(p.dirty());
    CHECK_FALSE(p.due());

    write_pacing slow(20min, 1h);
    slow.changed(start);
    slow.begun(start);
    slow.succeeded(start);
    slow.outdated();
    CHECK(after_start(slow) == 20min);
}

TEST_CASE("writes: odd options do no harm", "[policy][cache]") {
    write_pacing p(-5s, -1h);
    p.changed(start);
    CHECK(after_start(p) == 0s);
    p.begun(start);
    p.failed(start);
    CHECK(after_start(p) == 60s);
    write_pacing none(0s, 1h);
    none.changed(start);
    none.begun(start);
    none.succeeded(start);
    none.changed(start);
    CHECK(after_start(none) == 0s);
}
