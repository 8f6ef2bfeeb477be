#include "policy/endpoint_health.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using policy::endpoint_health;
using time_point = endpoint_health::time_point;

namespace {

const auto never_random = [] { return 0.0; };
const time_point start = time_point() + 1h;

/// 100, 200, 400 ... 1000 ms.
backoff_options options() {
    backoff_options o;
    o.first = 100ms;
    o.most = 1000ms;
    o.factor = 2.0;
    o.healthy = 10s;
    return o;
}

endpoint_health up(std::size_t count) { return {count, options(), never_random}; }

policy::random_source seeded(unsigned seed) {
    return [generator = std::mt19937(seed)]() mutable { return std::uniform_real_distribution<double>{}(generator); };
}

/// When a client with nothing but its prober tries to connect while no endpoint answers, the failing round included.
std::vector<time_point> tries_in_outage(std::size_t endpoints, policy::random_source random, time_point until) {
    endpoint_health h(endpoints, backoff_options{}, std::move(random));
    std::vector<time_point> all;
    time_point now = start;
    while (!h.all_down()) {
        all.push_back(now);
        const std::size_t index = h.choose();
        h.failed(index, now, now + 1ms);
        now += 1ms;
    }
    for (auto next = h.next_probe(); next->when < until; next = h.next_probe()) {
        now = next->when;
        all.push_back(now);
        h.probe_started(next->index, now);
        h.failed(next->index, now, now + 1ms);
    }
    return all;
}

std::ptrdiff_t count_in(const std::vector<time_point>& all, time_point from, time_point to) {
    return std::count_if(all.begin(), all.end(), [&](time_point t) { return t >= from && t < to; });
}

}  // namespace

TEST_CASE("endpoints: the current one is kept while it is up, then the first that is", "[policy][endpoints]") {
    endpoint_health h = up(3);
    CHECK(h.choose() == 0);
    CHECK_FALSE(h.is_proven(0));
    h.succeeded(0, start - 1s, start);
    CHECK(h.is_proven(0));
    CHECK(h.failed(0, start, start + 1s));
    CHECK_FALSE(h.is_proven(0));
    CHECK(h.choose() == 1);
    CHECK(h.succeeded(0, start + 2s, start + 2s));
    CHECK(h.choose() == 1);   // kept, though an earlier one is back
    CHECK(h.failed(1, start + 3s, start + 3s));
    CHECK(h.choose() == 0);
    CHECK(h.failed(0, start + 4s, start + 4s));
    CHECK(h.choose() == 2);
    h.succeeded(1, start + 5s, start + 5s);
    CHECK(h.choose() == 2);
    h.return_to_first();
    CHECK(h.choose() == 1);
    h.return_to_first();
    CHECK(h.choose() == 1);
}

TEST_CASE("endpoints: when all are down the least recently tried is chosen, in turn", "[policy][endpoints]") {
    endpoint_health h = up(3);
    for (std::size_t i : {0u, 1u, 2u}) h.failed(i, start + i * 1s, start + i * 1s);
    REQUIRE(h.all_down());
    for (std::size_t turn = 0; turn < 6; ++turn) {
        CHECK(h.choose() == turn % 3);
        const auto now = start + 10s + turn * 1s;
        CHECK_FALSE(h.failed(turn % 3, now, now));
    }
    h.failed(0, start + 20s, start + 20s);
    h.answered(0);   // a serializable read, say: better than those that refuse
    CHECK(h.choose() == 0);
    CHECK(h.all_down());
    h.failed(0, start + 21s, start + 21s);
    CHECK(h.choose() == 1);
}

TEST_CASE("endpoints: what counts as a failure", "[policy][endpoints]") {
    SECTION("ten calls that one member failed are one ejection") {
        endpoint_health h = up(2);
        CHECK(h.failed(0, start, start + 1s));
        for (int i = 0; i < 9; ++i) CHECK_FALSE(h.failed(0, start, start + 1s));
        CHECK(h.next_probe()->when == start + 1s + 100ms);
        h.succeeded(0, start + 2s, start + 2s);
        CHECK_FALSE(h.failed(0, start + 1s, start + 3s));   // the eleventh, late
        CHECK(h.is_up(0));
    }
    SECTION("a try that began before one that worked is old news") {
        endpoint_health h = up(2);
        h.succeeded(0, start + 1s, start + 2s);
        CHECK_FALSE(h.failed(0, start, start + 3s));
        CHECK(h.is_up(0));
        CHECK(h.failed(0, start + 1s, start + 3s));
    }
    SECTION("an answer that was on its way before the failure readmits nobody") {
        endpoint_health h = up(2);
        h.failed(0, start, start + 2s);
        h.failed(0, start, start + 4s);   // another of that time, which does not disprove what began since
        CHECK_FALSE(h.succeeded(0, start + 1s, start + 3s));
        CHECK_FALSE(h.is_up(0));
        CHECK(h.succeeded(0, start + 2s, start + 5s));
        CHECK(h.is_up(0));
    }
}

TEST_CASE("endpoints: ejected for longer each time, and forgiven after a healthy while", "[policy][endpoints]") {
    endpoint_health h = up(2);
    time_point now = start;
    for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        now += 1s;
        REQUIRE(h.failed(0, now, now));
        CHECK(h.next_probe()->index == 0);
        CHECK(h.next_probe()->when == now + pause);
        h.succeeded(0, now, now);
        CHECK_FALSE(h.next_probe());
    }
    h.succeeded(0, now + 10s, now + 10s);
    now += 11s;
    REQUIRE(h.failed(0, now, now));
    CHECK(h.next_probe()->when == now + 100ms);
}

TEST_CASE("endpoints: beside one that is up each ejected one is probed at times of its own", "[policy][endpoints]") {
    endpoint_health h = up(3);
    h.failed(0, start, start);
    h.failed(1, start + 50ms, start + 50ms);
    std::vector<std::pair<std::size_t, std::chrono::nanoseconds>> seen;
    for (int i = 0; i < 6; ++i) {
        const auto next = *h.next_probe();
        seen.emplace_back(next.index, next.when - start);
        h.probe_started(next.index, next.when);
        h.failed(next.index, next.when, next.when + 1ms);
    }
    const decltype(seen) expected{{0, 100ms}, {1, 150ms}, {0, 300ms}, {1, 350ms}, {0, 700ms}, {1, 750ms}};
    CHECK(seen == expected);
    const auto now = start + 2s;
    CHECK(h.probe_worked(1, now, now));
    CHECK(h.next_probe()->index == 0);
    CHECK(h.succeeded(0, now, now));
    CHECK_FALSE(h.next_probe());
}

TEST_CASE("endpoints: while all are down one pause holds for all, whatever calls do", "[policy][endpoints]") {
    endpoint_health h = up(3);
    for (std::size_t i : {0u, 1u, 2u}) h.failed(i, start, start);
    // Two of the pauses were skipped: the first round through the endpoints was made without any.
    std::vector<std::pair<std::size_t, std::chrono::nanoseconds>> seen;
    for (int i = 0; i < 4; ++i) {
        const auto next = *h.next_probe();
        seen.emplace_back(next.index, next.when - start);
        h.failed(h.choose(), next.when - 1ms, next.when - 1ms);   // a user's call, which waits for no probe
        CHECK(h.next_probe()->when == next.when);
        h.probe_started(next.index, next.when);
    }
    const decltype(seen) expected{{0, 400ms}, {2, 1200ms}, {1, 2200ms}, {0, 3200ms}};
    CHECK(seen.size() == expected.size());
    for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i].second == expected[i].second);

    // One that comes back and leaves again does not start the pauses over.
    h.succeeded(1, start + 5s, start + 5s);
    CHECK_FALSE(h.all_down());
    h.failed(1, start + 6s, start + 6s);
    CHECK(h.next_probe()->when == start + 7s);
    h.succeeded(1, start + 7s, start + 7s);
    h.failed(1, start + 20s, start + 20s);
    CHECK(h.next_probe()->when == start + 20s + 400ms);
}

TEST_CASE("endpoints: at most 10 tries in the first minute without a cluster, then at most 4 a minute", "[policy][endpoints]") {
    const time_point end = start + 10min;
    for (std::size_t endpoints = 1; endpoints <= 5; ++endpoints) {
        std::vector<policy::random_source> chances{[] { return 0.0; }, [] { return 0.999999; }};
        for (unsigned seed = 0; seed < 200; ++seed) chances.push_back(seeded(seed));
        std::ptrdiff_t most_first = 0, most_later = 0, least_later = 100;
        for (const auto& chance : chances) {
            const auto all = tries_in_outage(endpoints, chance, end);
            most_first = std::max(most_first, count_in(all, start, start + 1min));
            // In any minute, not only in those of the clock.
            for (const time_point t : all) {
                if (t < start + 1min || t + 1min > end) continue;
                most_later = std::max(most_later, count_in(all, t, t + 1min));
                least_later = std::min(least_later, count_in(all, t, t + 1min));
            }
        }
        INFO(endpoints << " endpoints: " << most_first << " in the first minute, then " << least_later << " to " << most_later);
        CHECK(most_first <= 10);
        CHECK(most_later <= 4);
        CHECK(least_later >= 3);   // nor is it given up
    }
}

TEST_CASE("endpoints: a thousand clients that lose their cluster together do not come back in step", "[policy][endpoints]") {
    constexpr int clients = 1000;
    const time_point end = start + 5min;
    std::map<std::int64_t, int> per_second;
    for (unsigned seed = 0; seed < clients; ++seed)
        for (const time_point t : tries_in_outage(3, seeded(seed), end))
            if (t >= start + 1min) ++per_second[std::chrono::duration_cast<std::chrono::seconds>(t - start).count()];
    int most = 0;
    for (const auto& [second, tries] : per_second) most = std::max(most, tries);
    INFO("at most " << most << " in one second");
    // In step all would come within a second, each 20 s; spread evenly it is 57 a second.
    CHECK(most <= clients / 5);
}

TEST_CASE("endpoints: one whose calls fail though its probes work does not keep the others from being tried", "[policy][endpoints]") {
    endpoint_health h = up(3);
    std::vector<std::size_t> chosen;
    for (time_point now = start; now < start + 60s; now += 5s) {
        const std::size_t index = h.choose();
        chosen.push_back(index);
        if (index == 2) break;
        h.failed(index, now, now);
        h.probe_worked(index, now + 1s, now + 1s);
    }
    CHECK(chosen == std::vector<std::size_t>{0, 1, 2});
    const auto now = start + 2min;
    h.failed(2, now, now);
    CHECK(h.choose() == 0);   // of those in doubt the one that failed the longest time ago
    h.succeeded(0, now + 1s, now + 1s);
    h.probe_worked(2, now + 1s, now + 1s);
    h.failed(0, now + 2s, now + 2s);
    CHECK(h.choose() == 1);
}

TEST_CASE("endpoints: coming back for a moment only does not shorten the pauses", "[policy][endpoints]") {
    endpoint_health h = up(1);
    h.failed(0, start, start);
    CHECK(h.next_probe()->when == start + 100ms);
    time_point now = start + 100ms;
    for (const auto pause : {200ms, 400ms, 800ms, 1000ms}) {
        h.probe_started(0, now);
        h.probe_worked(0, now, now + 1ms);
        CHECK_FALSE(h.next_probe());
        h.failed(0, now + 2ms, now + 2ms);
        CHECK(h.next_probe()->when == now + pause);
        now += pause;
    }
}

TEST_CASE("endpoints: some are learned and some retired", "[policy][endpoints]") {
    endpoint_health h = up(1);
    h.failed(0, start, start);
    CHECK(h.add() == 1);
    CHECK_FALSE(h.all_down());
    CHECK(h.count() == 2);
    CHECK(h.choose() == 1);
    h.succeeded(0, start + 1s, start + 1s);
    h.retire(1);
    CHECK(h.count() == 1);
    CHECK_FALSE(h.is_up(1));
    CHECK(h.choose() == 0);
    h.retire(0);   // somebody has to be there
    CHECK(h.choose() == 0);
    h.failed(0, start + 2s, start + 2s);
    CHECK(h.all_down());
    CHECK(h.choose() == 0);
    CHECK(h.next_probe()->index == 0);
    h.restore(1);
    CHECK_FALSE(h.all_down());
    CHECK(h.choose() == 1);
    h.retire(1);
    CHECK(h.all_down());
}

TEST_CASE("endpoints: those that are preferred come first, whatever their numbers", "[policy][endpoints]") {
    endpoint_health h = up(2);
    CHECK(h.add() == 2);
    CHECK(h.add() == 3);
    h.prefer({3, 1});   // then 0 and 2
    CHECK(h.choose() == 0);   // the current one is kept
    h.return_to_first();
    for (const std::size_t next : {3u, 1u, 0u, 2u}) {
        CHECK(h.choose() == next);
        h.failed(next, start + 1s, start + 1s);
    }
    CHECK(h.all_down());
    CHECK(h.choose() == 3);   // all were tried at the same time
    h.prefer({2});
    CHECK(h.choose() == 2);
    CHECK(h.add() == 4);
    CHECK(h.choose() == 4);
}

TEST_CASE("endpoints: what was too slow at one goes on at the next that is up, going round", "[policy][endpoints]") {
    endpoint_health h = up(4);
    h.prefer({2, 0, 3, 1});
    CHECK(h.next_after(2) == 0);
    CHECK(h.next_after(1) == 2);
    h.failed(0, start, start);
    h.retire(3);
    CHECK(h.next_after(2) == 1);
    CHECK(h.choose() == 2);   // for all others nothing has changed
    h.failed(2, start, start);
    CHECK(h.next_after(2) == 1);
    CHECK(h.next_after(1) == 1);
    CHECK(up(1).next_after(0) == 0);
}

TEST_CASE("endpoints: there may be none yet", "[policy][endpoints]") {
    endpoint_health h = up(0);
    CHECK(h.all_down());
    CHECK(h.count() == 0);
    CHECK_FALSE(h.next_probe());
    h.prefer({});
    CHECK(h.add() == 0);
    h.retire(0);   // the last one cannot be
    CHECK(h.choose() == 0);
    CHECK_FALSE(h.all_down());
}

TEST_CASE("endpoints: where only suspects are up, the one that failed the longest time ago is next", "[policy][endpoints]") {
    endpoint_health h = up(3);
    h.failed(1, start, start);
    h.failed(0, start + 1s, start + 1s);
    h.probe_worked(0, start + 2s, start + 2s);   // no call has worked there yet
    h.probe_worked(1, start + 2s, start + 2s);
    CHECK(h.choose() == 2);
    h.failed(2, start + 3s, start + 3s);
    CHECK(h.choose() == 1);
}

TEST_CASE("endpoints: while all are down one that answers is asked, unless it is retired", "[policy][endpoints]") {
    endpoint_health h = up(3);
    for (const std::size_t i : {0u, 1u, 2u}) h.failed(i, start + i * 1s, start + i * 1s);
    CHECK(h.choose() == 0);
    h.answered(1);
    h.answered(2);
    CHECK(h.choose() == 1);
    h.retire(1);
    CHECK(h.choose() == 2);
    h.return_to_first();   // to none
    CHECK(h.all_down());
    CHECK(h.choose() == 2);
}

TEST_CASE("endpoints: a retired one is not probed, however often it is retired", "[policy][endpoints]") {
    endpoint_health h = up(3);
    h.failed(0, start, start);
    h.failed(1, start + 1s, start + 1s);
    CHECK(h.next_probe()->index == 0);
    h.retire(0);
    h.retire(0);
    CHECK(h.count() == 2);
    CHECK(h.next_probe()->index == 1);
}
