#include "policy/watch_plan.hpp"

#include "support/catch.hpp"

#include <boost/asio/error.hpp>

using namespace dynconf;
using namespace std::chrono_literals;
using policy::watch_plan;
using action = watch_plan::action;

namespace {

const watch_plan::time_point t0{1000s};

/// Two endpoints, no jitter: 0.5 stands for 100 %.
watch_plan plan(std::size_t endpoints = 1) {
    backoff_options pauses;
    pauses.first = 100ms;
    pauses.most = 1000ms;
    pauses.factor = 2;
    pauses.jitter = 0;
    pauses.healthy = 10s;
    return {{pauses, 60s, 30s, 5s, 2s, 10s, endpoints}, [] { return 0.5; }};
}

watch_plan served(std::size_t endpoints = 1) {
    watch_plan p = plan(endpoints);
    p.change(t0);
    p.opening(t0);
    p.opened(t0, false);
    return p;
}

}  // namespace

TEST_CASE("watch plan: rests until something is wanted, then opens at once and only once", "[watch_plan]") {
    watch_plan p = plan();
    CHECK(p.next(t0) == action::rest);
    CHECK(p.wake_at() == watch_plan::time_point::max());
    p.change(t0);
    CHECK(p.next(t0) == action::open);
    p.opening(t0);
    CHECK(p.next(t0) == action::rest);
    CHECK(p.wake_at() == watch_plan::time_point::max());
    p.opened(t0 + 1s, false);
    CHECK(p.next(t0 + 1s) == action::rest);
    CHECK(p.wake_at() == t0 + 6s);   // the first sign of life
}

TEST_CASE("watch plan: a change while a stream is being opened is served by the next one", "[watch_plan]") {
    watch_plan p = served();
    p.change(t0 + 1s);
    CHECK(p.next(t0 + 1s) == action::open);
    p.opening(t0 + 1s);
    p.change(t0 + 2s);
    p.change(t0 + 3s);
    CHECK(p.next(t0 + 3s) == action::rest);
    p.opened(t0 + 4s, false);
    CHECK(p.next(t0 + 4150ms) == action::open);   // one for both
    p.opening(t0 + 4150ms);
    p.opened(t0 + 4150ms, false);
    CHECK(p.next(t0 + 4900ms) == action::rest);
}

TEST_CASE("watch plan: a stream that has history to send gets the time to, unless it is suspected", "[watch_plan]") {
    watch_plan p = plan();
    p.change(t0);
    p.opening(t0);
    p.opened(t0, true);
    p.change(t0);
    CHECK(p.next(t0 + 149ms) == action::rest);
    CHECK(p.wake_at() == t0 + 150ms);
    CHECK(p.next(t0 + 150ms) == action::open);
    for (const bool suspected : {true, false}) {
        watch_plan other = p;
        suspected ? void(other.distrust(t0)) : other.caught_up();
        CHECK(other.next(t0) == action::open);
    }
    p.opening(t0 + 150ms);
    p.opened(t0 + 150ms, false);   // up to date from the start
    p.change(t0 + 150ms);
    CHECK(p.next(t0 + 150ms) == action::open);
    p.opening(t0 + 150ms);
    p.opened(t0 + 250ms, true);    // by a slow link
    p.change(t0 + 250ms);
    CHECK(p.next(t0 + 449ms) == action::rest);
    CHECK(p.next(t0 + 450ms) == action::open);
}

TEST_CASE("watch plan: a stream that came because one was not trusted is on trial, the next twice as long", "[watch_plan]") {
    watch_plan p = served();
    const auto replace = [&](watch_plan::time_point now, bool behind = true) {
        CHECK(p.distrust(now) == now);
        CHECK(p.next(now) == action::open);
        CHECK(p.distrust(now) == now);   // who shares it has been heard
        p.opening(now);
        p.opened(now, behind);
    };
    CHECK(watch_plan(plan()).distrust(t0) < t0);   // there is none
    replace(t0);
    CHECK(p.distrust(t0 + 1999ms) == t0);
    CHECK(p.next(t0 + 1999ms) == action::probe);   // and no other one
    replace(t0 + 2s);
    CHECK(p.distrust(t0 + 5999ms) == t0 + 2s);
    replace(t0 + 6s);
    CHECK(p.distrust(t0 + 13'999ms) == t0 + 6s);
    replace(t0 + 14s);
    CHECK(p.distrust(t0 + 23'999ms) == t0 + 14s);   // no longer than that
    SECTION("until it has caught up") {
        p.caught_up();
        replace(t0 + 15s, false);   // from its start
        replace(t0 + 15s);
        CHECK(p.distrust(t0 + 16'999ms) == t0 + 15s);
        replace(t0 + 17s);
    }
    SECTION("and in the end that was long ago") {
        replace(t0 + 34s);
        CHECK(p.distrust(t0 + 35'999ms) == t0 + 34s);
        replace(t0 + 36s);
    }
}

TEST_CASE("watch plan: a change that is due later waits, and the earliest counts", "[watch_plan]") {
    watch_plan p = served();
    p.change(t0 + 4s);
    p.change(t0 + 3s);
    p.change(t0 + 4s);
    CHECK(p.next(t0 + 2999ms) == action::rest);
    CHECK(p.wake_at() == t0 + 3s);
    CHECK(p.next(t0 + 3s) == action::open);
}

TEST_CASE("watch plan: the stream is replaced on schedule, with the first proof of life before that", "[watch_plan]") {
    watch_plan p = served();
    for (auto now = t0 + 5s; now < t0 + 60s; now += 5s) {
        CHECK(p.next(now) == action::probe);
        p.probing(now);
        CHECK(p.next(now) == action::rest);
        p.probe_answered();
        CHECK(p.wake_at() == now + 5s);
    }
    CHECK(p.next(t0 + 60s) == action::open);
    p.opening(t0 + 60s);
    CHECK(p.next(t0 + 60s) == action::probe);   // the old one goes on
    p.opened(t0 + 60s, false);
    CHECK(p.next(t0 + 60s) == action::probe);   // not put off by the rotation
    p.probing(t0 + 60s);
    p.probe_answered();
    CHECK(p.wake_at() == t0 + 65s);
}

TEST_CASE("watch plan: the schedule has 20 % of chance in it", "[watch_plan]") {
    double chance = 0;
    watch_plan p({backoff_options{}, 100s, 30s, 1000s, 2s, 10s, 1}, [&] { return chance; });
    p.change(t0);
    p.opening(t0);
    p.opened(t0, false);
    CHECK(p.wake_at() == t0 + 80s);
    chance = 0.999999;
    p.opening(t0);
    p.opened(t0, false);
    CHECK(p.wake_at() > t0 + 119s);
    CHECK(p.wake_at() <= t0 + 120s);
}

TEST_CASE("watch plan: a probe that fails brings another stream at once, beside the old one, and a probe of that", "[watch_plan]") {
    watch_plan p = served();
    p.probing(t0 + 5s);
    p.probe_failed(t0 + 5s);
    CHECK(p.next(t0 + 5s) == action::open);
    p.opening(t0 + 5s);
    p.opened(t0 + 5s, false);
    CHECK(p.next(t0 + 5s) == action::probe);
}

TEST_CASE("watch plan: where every probe fails streams follow each other with pauses, once each endpoint had its turn", "[watch_plan]") {
    watch_plan p = served(2);
    auto now = t0 + 5s;
    const auto fails = [&](std::chrono::milliseconds pause) {
        CHECK(p.next(now) == action::probe);
        p.probing(now);
        p.probe_failed(now);
        if (pause > 0ms) CHECK(p.next(now + pause - 1ms) == action::rest);
        now += pause;
        CHECK(p.next(now) == action::open);
        p.opening(now);
        p.opened(now, false);
    };
    for (const auto pause : {0ms, 0ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) fails(pause);
    p.probing(now);
    p.probe_outlived();   // says nothing of this one
    now += 5s;
    fails(1000ms);
    p.probing(now);
    p.probe_answered();
    now += 5s;
    for (const auto pause : {0ms, 0ms}) fails(pause);
}

TEST_CASE("watch plan: without a stream there is nothing to probe", "[watch_plan]") {
    watch_plan p = served();
    p.lost(t0 + 1s, boost::asio::error::connection_reset);
    p.probe_soon(t0 + 1s);
    p.opening(t0 + 1s);
    CHECK(p.next(t0 + 20s) == action::rest);
}

TEST_CASE("watch plan: every endpoint gets one try, then comes a pause that grows", "[watch_plan]") {
    watch_plan p = served(3);
    const error_code reset = boost::asio::error::connection_reset;
    CHECK(p.lost(t0 + 1s, reset) == 0ms);
    auto now = t0 + 1s;
    for (const auto pause : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        for (int tries = 0; tries < 2; ++tries) {
            CHECK(p.next(now) == action::open);
            p.opening(now);
            CHECK(p.open_failed(now, reset) == (tries == 1 ? pause : 0ms));
        }
        CHECK(p.next(now) == action::rest);
        CHECK(p.wake_at() == now + pause);
        now += pause;
        CHECK(p.next(now) == action::open);
        p.opening(now);
        CHECK(p.open_failed(now, reset) == 0ms);
    }
}

TEST_CASE("watch plan: streams that end as soon as they are confirmed are not reopened in a tight loop", "[watch_plan]") {
    watch_plan p = plan();
    p.change(t0);
    auto now = t0;
    std::chrono::milliseconds total{0};
    for (int i = 0; i < 5; ++i) {
        p.opening(now);
        p.opened(now, false);
        const auto pause = p.lost(now, errc::watch_ended);
        total += pause;
        now += pause;
    }
    CHECK(total == 100ms + 200ms + 400ms + 800ms + 1000ms);
    // One that has lasted clears the slate.
    p.opening(now);
    p.opened(now, false);
    CHECK(p.lost(now + 10s, errc::watch_ended) == 100ms);
}

TEST_CASE("watch plan: a refused token costs one try at once, not two", "[watch_plan]") {
    watch_plan p = served();
    CHECK(p.lost(t0 + 1s, server_errc::invalid_auth_token) == 0ms);
    p.opening(t0 + 1s);
    CHECK(p.open_failed(t0 + 1s, server_errc::invalid_auth_token) == 100ms);
}

TEST_CASE("watch plan: what does not heal by itself is asked for slowly", "[watch_plan]") {
    for (const error_code why : {error_code(server_errc::auth_failed), error_code(server_errc::permission_denied),
                                 error_code(server_errc::client_certificate_name), error_code(errc::gateway_disabled),
                                 error_code(server_errc::cluster_id_mismatch)}) {
        INFO(why.message());
        watch_plan p = served();
        CHECK(p.lost(t0 + 1s, why) == 30s);
        CHECK(p.wake_at() == t0 + 31s);
    }
}

TEST_CASE("watch plan: while the old stream serves, a new one that cannot be had is tried after pauses", "[watch_plan]") {
    watch_plan p = served();
    p.change(t0 + 1s);
    p.opening(t0 + 1s);
    CHECK(p.open_failed(t0 + 1s, boost::asio::error::connection_refused) == 100ms);
    CHECK(p.next(t0 + 1s) == action::rest);
    CHECK(p.next(t0 + 1100ms) == action::open);   // the change is still due
}

TEST_CASE("watch plan: beside a stream that has long served, too, each round of failures is followed by a pause", "[watch_plan]") {
    watch_plan p = served(3);
    const auto later = t0 + 10min;
    p.probing(later);
    p.change(later);
    for (int round = 0; round < 3; ++round)
        for (int endpoint = 0; endpoint < 3; ++endpoint) {
            INFO("round " << round << ", endpoint " << endpoint);
            p.opening(later);
            const auto pause = p.open_failed(later, server_errc::timeout);
            CHECK((pause > 0ms) == (endpoint == 2));
        }
    CHECK(p.next(later) == action::rest);
    CHECK(p.wake_at() == later + 400ms);
}

TEST_CASE("watch plan: a stream that is abandoned makes room for the next at once", "[watch_plan]") {
    watch_plan p = plan();
    p.change(t0);
    p.opening(t0);
    p.abandoned();
    CHECK(p.next(t0) == action::open);
    p = served();
    p.change(t0 + 1s);
    p.opening(t0 + 1s);
    p.change(t0 + 2s);
    CHECK(p.next(t0 + 2s) == action::rest);
    p.abandoned();
    CHECK(p.next(t0 + 2s) == action::open);
}

TEST_CASE("watch plan: a stream that is lost takes no change along that the one to come does not know", "[watch_plan]") {
    watch_plan p = served();
    p.change(t0 + 1s);
    p.opening(t0 + 1s);
    p.change(t0 + 2s);
    p.lost(t0 + 3s, errc::connection_closed);
    CHECK(p.next(t0 + 3s) == action::rest);   // one is on its way
    p.opened(t0 + 4s, false);
    CHECK(p.next(t0 + 4s) == action::open);
    p.opening(t0 + 4s);
    p.opened(t0 + 5s, false);
    p.change(t0 + 7s);
    p.lost(t0 + 6s, errc::connection_closed);
    p.opening(t0 + 6s);                       // now the next one knows it
    p.opened(t0 + 7s, false);
    CHECK(p.next(t0 + 7s) == action::rest);
}

TEST_CASE("watch plan: when every watch was refused it waits for a change", "[watch_plan]") {
    watch_plan p = plan();
    p.change(t0);
    p.opening(t0);
    p.change(t0 + 30s);   // the refused watch's next try
    p.nothing_wanted();
    CHECK(p.next(t0 + 1s) == action::rest);
    CHECK(p.wake_at() == t0 + 30s);
    CHECK(p.next(t0 + 30s) == action::open);
}

TEST_CASE("watch plan: changes in a row wait for each other as long as a stream takes, 100 ms at most", "[watch_plan]") {
    watch_plan p = plan();
    p.change_soon(t0);
    CHECK(p.next(t0) == action::open);   // nothing is served yet: at once
    p.opening(t0);
    p.opened(t0 + 10ms, false);
    p.change_soon(t0 + 1s);
    p.change_soon(t0 + 1s + 15ms);
    CHECK(p.next(t0 + 1s + 19ms) == action::rest);
    CHECK(p.next(t0 + 1s + 20ms) == action::open);
    p.opening(t0 + 1s + 20ms);
    p.opened(t0 + 2s, false);
    p.change_soon(t0 + 3s);
    CHECK(p.wake_at() == t0 + 3s + 100ms);
}

TEST_CASE("watch plan: while a sign of life is waited for no other is asked for", "[watch_plan]") {
    watch_plan p = served();
    CHECK(p.wake_at() == t0 + 5s);
    p.probing(t0 + 5s);
    CHECK(p.wake_at() == t0 + 60s);   // the rotation
    CHECK(p.next(t0 + 11s) == action::rest);
    p.probe_answered();
    CHECK(p.next(t0 + 11s) == action::probe);
}

TEST_CASE("watch plan: what no endpoint can mend makes a pause at the first of them", "[watch_plan]") {
    watch_plan p = served(2);
    CHECK(p.lost(t0 + 1s, boost::asio::error::connection_reset) == 0ms);   // the other one is next
    p = served(2);
    CHECK(p.lost(t0 + 1s, server_errc::permission_denied) == 30s);
}

TEST_CASE("watch plan: without a time to rotate after, a stream is not replaced", "[watch_plan]") {
    const double chance = GENERATE(0.0, 0.999);
    watch_plan p({backoff_options{}, 0s, 1ms, 5s, 2s, 10s, 1}, [chance] { return chance; });
    p.change(t0);
    p.opening(t0);
    p.opened(t0, false);
    CHECK(p.next(t0) == action::rest);
    CHECK(p.wake_at() == t0 + 5s);   // the first sign of life
    p.probing(t0 + 5s);
    CHECK(p.wake_at() == watch_plan::time_point::max());
    p.change(t0 + 6s);
    CHECK(p.next(t0 + 6s) == action::open);
    CHECK(p.lost(t0 + 7s, server_errc::permission_denied) > 0ms);   // however short the pause that was asked for
}
