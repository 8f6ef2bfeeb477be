#include "policy/freshness.hpp"

#include "support/catch.hpp"

using namespace std::chrono_literals;
using dynconf::policy::catch_up;
using dynconf::policy::freshness;

namespace {

const freshness::time_point t0{1000s};

}  // namespace

TEST_CASE("freshness: holds from a proof until a little before the bound", "[freshness]") {
    freshness f(2s);
    CHECK_FALSE(f.holds(t0));
    CHECK(f.good_until() == freshness::time_point{});   // nothing is promised
    f.proven(t0);
    CHECK(f.holds(t0 + 1899ms));
    CHECK_FALSE(f.holds(t0 + 1900ms));
    CHECK(f.good_until() == t0 + 2s);
    CHECK(f.deadline() < f.good_until());
}

TEST_CASE("freshness: an older proof that arrives late takes nothing back", "[freshness]") {
    freshness f(2s);
    f.proven(t0 + 1s);
    f.proven(t0);
    CHECK(f.as_of() == t0 + 1s);
    f.proven(t0 + 2s);
    CHECK(f.as_of() == t0 + 2s);
    f.forget();   // of another store
    CHECK_FALSE(f.holds(t0 + 1s));
    f.proven(t0);
    CHECK(f.as_of() == t0);
}

TEST_CASE("catch up: waits, then wants another stream, then a reload, each after its patience", "[freshness]") {
    catch_up c(1s, 4s);
    CHECK_FALSE(c.under_way());
    CHECK(c.look_at() == catch_up::time_point::max());
    std::string all;
    auto now = t0;
    int looks = 0;
    for (; looks < 100; ++looks) {
        const catch_up::action a = c.differs(now);
        if (a == catch_up::action::reload) {
            all += "reload after " + std::to_string((now - t0) / 1ms);
            break;
        }
        if (a == catch_up::action::replace_stream) {
            all += "replace after " + std::to_string((now - t0) / 1ms) + ", ";
            c.asked(now, now);
        }
        REQUIRE(c.look_at() > now);
        REQUIRE(c.look_at() - now <= 500ms);
        now = c.look_at();
    }
    CHECK(all == "replace after 1120, reload after 5250");
    CHECK(looks < 20);   // a look costs the server a read of the range
    CHECK_FALSE(c.under_way());
}

TEST_CASE("catch up: time in which nobody answers does not speak for a reload", "[freshness]") {
    catch_up c(1s, 4s);
    c.differs(t0);
    CHECK(c.unanswered(t0 + 900ms) == catch_up::action::wait);
    CHECK(c.unanswered(t0 + 1s) == catch_up::action::replace_stream);
    c.asked(t0 + 1s, t0 + 1s);
    auto now = t0 + 1s;
    for (int looks = 0; looks < 100; ++looks) CHECK(c.unanswered(now += 500ms) == catch_up::action::wait);
    CHECK(c.differs(now += 500ms) == catch_up::action::wait);   // the first answer; what it tells of may be on its way
    CHECK(c.differs(now += 3s) == catch_up::action::wait);
    CHECK(c.unanswered(now += 1h) == catch_up::action::wait);
    CHECK(c.differs(now += 500ms) == catch_up::action::reload);
}

TEST_CASE("catch up: a stream that another has had replaced is another one, and one that is too young is waited for", "[freshness]") {
    catch_up c(1s, 4s);
    c.differs(t0);
    SECTION("replaced since") {
        CHECK(c.differs(t0 + 1s) == catch_up::action::replace_stream);
        c.asked(t0 + 500ms, t0 + 1s);
        CHECK(c.look_at() > t0 + 1s);
        CHECK(c.differs(t0 + 4499ms) == catch_up::action::wait);
        CHECK(c.differs(t0 + 4500ms) == catch_up::action::reload);   // it has had its time
    }
    SECTION("replaced before") {
        CHECK(c.differs(t0 + 1s) == catch_up::action::replace_stream);
        c.asked(t0 - 1ms, t0 + 1s);
        CHECK(c.look_at() > t0 + 1s);
        CHECK(c.differs(t0 + 1999ms) == catch_up::action::wait);
        CHECK(c.differs(t0 + 2s) == catch_up::action::replace_stream);
    }
}

TEST_CASE("catch up: is over as soon as a look finds no difference", "[freshness]") {
    catch_up c(1s, 4s);
    c.differs(t0);
    CHECK(c.under_way());
    c.equal();
    CHECK_FALSE(c.under_way());
    CHECK(c.differs(t0 + 10s) == catch_up::action::wait);   // from the beginning
}

TEST_CASE("freshness: what was never proven was never good", "[freshness]") {
    freshness f(2s);
    CHECK(f.good_until() == freshness::time_point{});
    CHECK(f.deadline() == freshness::time_point::min());
    f.proven(t0);
    f.forget();
    CHECK(f.good_until() == freshness::time_point{});
}
