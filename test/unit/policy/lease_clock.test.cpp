#include "policy/lease_clock.hpp"

#include "support/catch.hpp"

using namespace std::chrono_literals;
using dynconf::policy::lease_clock;
using loss = lease_clock::loss;

namespace {

const lease_clock::time_point start = lease_clock::time_point() + 1h;

}  // namespace

TEST_CASE("lease clock: a third of the TTL between keep-alives, lost a tenth before its end", "[policy]") {
    struct row {
        std::chrono::seconds ttl;
        lease_clock::duration due, safe;
    };
    for (const row& r : {row{2s, lease_clock::duration(2s) / 3, 1800ms}, row{9s, 3s, 8100ms},
                         row{10s, lease_clock::duration(10s) / 3, 9s},
                         row{60s, 20s, 59s}, row{3600s, 1200s, 3599s}}) {
        CAPTURE(r.ttl.count());
        lease_clock c(r.ttl, start);
        CHECK(c.due() == start + r.due);
        CHECK(c.safe_until() == start + r.safe);
        CHECK_FALSE(c.may_come_along(start + r.due / 2 - 1ms));
        CHECK(c.may_come_along(start + r.due / 2 + 1ms));
        CHECK(c.lost(start + r.safe - 1ns) == loss::none);
        CHECK(c.lost(start + r.safe) == loss::expired);
    }
}

TEST_CASE("lease clock: an acknowledgement counts from when its request was sent, and the latest one holds", "[policy]") {
    lease_clock c(9s, start);
    c.acknowledged(9s, start + 3s);   // whenever it came
    CHECK(c.due() == start + 6s);
    CHECK(c.safe_until() == start + 11100ms);
    c.acknowledged(9s, start + 1s);   // overtaken on the way
    CHECK(c.safe_until() == start + 11100ms);
    c.acknowledged(30s, start + 4s);   // the server's TTL is what counts
    CHECK(c.due() == start + 14s);
    CHECK(c.safe_until() == start + 33s);
}

TEST_CASE("lease clock: tries get shorter as the end comes nearer, and never stop before it", "[policy]") {
    lease_clock c(10s, start);
    auto now = c.due();
    int tries = 0;
    while (c.lost(now) == loss::none) {
        CHECK(c.try_limit(now) >= 50ms);
        now += c.try_limit(now);   // each takes all the time it may
        c.failed(now, false, 3);
        CHECK(c.due() >= now + 50ms);
        now = c.due();
        ++tries;
    }
    CHECK(tries >= 5);
    CHECK(c.lost(now) == loss::unreachable);

    lease_clock other(10s, start);
    other.failed(start + 4s, true, 3);
    CHECK(other.due() == start + 4s);   // at another endpoint, at once
    other.failed(start + 4s, false, 3);
    CHECK(other.due() == start + 5250ms);
}

TEST_CASE("lease clock: what fails at every endpoint at once is tried once at each, then after a pause", "[policy]") {
    lease_clock c(10s, start);
    const auto round = [&c] {
        for (const bool at_once : {true, true, false}) {
            const auto now = c.due();
            c.failed(now, true, 3);
            CHECK((c.due() == now) == at_once);
        }
    };
    for (int i = 0; i < 3; ++i) round();
    c.failed(c.due(), true, 3);
    c.acknowledged(10s, c.due());   // the next round is a new one
    round();
    // Coming along with another lease meanwhile does not count.
    const auto paused_until = c.due();
    c.failed(paused_until - 1ms, true, 3);
    CHECK(c.due() == paused_until);
}

TEST_CASE("lease clock: why it was lost", "[policy]") {
    SECTION("unknown to etcd before its time: somebody revoked it") {
        lease_clock c(10s, start);
        c.failed(start + 4s, false, 3);
        c.gone(start + 8s);
        CHECK(c.lost(start + 8s) == loss::revoked);
        CHECK(c.lost(start + 1h) == loss::revoked);
    }
    SECTION("unknown to etcd after its time: it expired") {
        lease_clock c(10s, start);
        c.gone(start + 9s);
        CHECK(c.lost(start + 9s) == loss::expired);
    }
    SECTION("an acknowledgement that was read too late does not revive it") {
        lease_clock c(10s, start);
        CHECK(c.lost(start + 20s) == loss::expired);
        c.acknowledged(10s, start + 19s);
        CHECK(c.lost(start + 20s) == loss::expired);
    }
    SECTION("failures before an acknowledgement are forgotten") {
        lease_clock c(10s, start);
        c.failed(start + 4s, true, 3);
        c.acknowledged(10s, start + 4s);
        CHECK(c.lost(start + 13s) == loss::expired);
    }
}

TEST_CASE("lease clock: of an unknown lease the first answer tells", "[policy]") {
    lease_clock c = lease_clock::unknown(start, 20s);
    CHECK(c.due() == start);
    CHECK(c.may_come_along(start));
    CHECK(c.try_limit(start) == 10s);
    SECTION("it is there") {
        c.acknowledged(6s, start);
        CHECK(c.due() == start + 2s);
        CHECK(c.safe_until() == start + 5400ms);
    }
    SECTION("it is not") {
        c.gone(start + 1s);
        CHECK(c.lost(start + 1s) == loss::not_found);
    }
    SECTION("nobody is asked") {
        CHECK(c.lost(start + 20s) == loss::unreachable);
    }
    SECTION("nobody answers") {
        c.failed(start + 10s, false, 3);
        CHECK(c.lost(start + 19s) == loss::none);
        CHECK(c.lost(start + 20s) == loss::unreachable);
    }
}
