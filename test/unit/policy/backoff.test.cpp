#include "policy/backoff.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <set>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using policy::backoff;

namespace {

const auto never_random = [] { return 0.0; };
const backoff::time_point start = backoff::time_point() + 1h;

backoff_options options() {
    backoff_options o;
    o.first = 100ms;
    o.most = 1000ms;
    o.factor = 2.0;
    o.jitter = 0.5;
    o.healthy = 10s;
    return o;
}

std::vector<std::chrono::milliseconds> pauses(backoff& b, int n) {
    std::vector<std::chrono::milliseconds> all;
    for (int i = 0; i < n; ++i) all.push_back(b.failed(start));
    return all;
}

}  // namespace

TEST_CASE("backoff: pauses grow by the factor up to the cap and stay there", "[policy]") {
    backoff b(options(), never_random);
    CHECK(pauses(b, 7) == std::vector<std::chrono::milliseconds>{100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms, 1000ms});
}

TEST_CASE("backoff: chance only shortens, by at most the jitter", "[policy]") {
    double chance = 0.0;
    for (const double c : {0.0, 0.25, 0.5, 0.999}) {
        chance = c;
        backoff b(options(), [&chance] { return chance; });
        double whole = 100;
        for (int i = 0; i < 6; ++i) {
            const auto pause = b.failed(start);
            CHECK(pause.count() == static_cast<std::int64_t>(whole * (1 - 0.5 * c)));
            CHECK(pause.count() * 2 >= static_cast<std::int64_t>(whole) - 1);
            CHECK(pause.count() <= static_cast<std::int64_t>(whole));
            whole = std::min(whole * 2, 1000.0);
        }
    }
}

TEST_CASE("backoff: starts over only after a whole healthy period", "[policy]") {
    const auto after = [](std::chrono::milliseconds up) {
        backoff b(options(), never_random);
        pauses(b, 3);
        b.succeeded(start);
        return b.failed(start + up);
    };
    CHECK(after(0ms) == 800ms);
    CHECK(after(9'999ms) == 800ms);
    CHECK(after(10'000ms) == 100ms);
}

TEST_CASE("backoff: the healthy period counts from the first success, and from anew after a failure", "[policy]") {
    backoff b(options(), never_random);
    pauses(b, 2);
    b.succeeded(start);
    b.succeeded(start + 9s);
    CHECK(b.failed(start + 10s) == 100ms);
    b.succeeded(start + 11s);
    CHECK(b.failed(start + 12s) == 200ms);
    CHECK(b.failed(start + 100s) == 400ms);   // was down all the time
}

TEST_CASE("backoff: neither days of failures nor odd options make a pause that is none", "[policy]") {
    backoff long_down(options(), never_random);
    for (int i = 0; i < 5000; ++i) CHECK(long_down.failed(start) <= 1000ms);
    CHECK(long_down.failed(start) == 1000ms);

    backoff_options none = options();
    none.first = 0ms;
    backoff at_once(none, never_random);
    for (int i = 0; i < 5000; ++i) REQUIRE(at_once.failed(start) == 0ms);

    backoff_options high = options();
    high.first = 5s;
    backoff capped(high, never_random);
    CHECK(capped.failed(start) == 1000ms);

    backoff_options wild = options();
    wild.jitter = 3.0;
    backoff shortened(wild, [] { return 0.9; });
    CHECK(shortened.failed(start) >= 1ms);
    backoff_options brief = options();
    brief.first = brief.most = 1ms;
    backoff least(brief, [] { return 0.9; });
    CHECK(least.failed(start) == 1ms);   // else it would be a loop without a pause
}

TEST_CASE("backoff: the system's chance is within [0, 1) and varies", "[policy]") {
    const policy::random_source random = policy::system_random();
    std::set<double> seen;
    for (int i = 0; i < 1000; ++i) {
        const double d = random();
        REQUIRE(d >= 0.0);
        REQUIRE(d < 1.0);
        seen.insert(d);
    }
    CHECK(seen.size() > 900);
}
