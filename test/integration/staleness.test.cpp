// The promise: what is called live is at most max_staleness older than etcd, whatever happens to etcd or to the way there.
// Each fault here is one of which nobody is told. DYNCONF_TEST_FULL=1 also takes the bounds of 5 s and 30 s.

#include "integration/scene.hpp"
#include "support/io_threads.hpp"
#include "support/relay.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/use_future.hpp>

#include <functional>
#include <memory>
#include <mutex>

using namespace dynconf;
using namespace dynconf::test;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

/// For the scheduler of a busy machine.
constexpr milliseconds allowance{500};

std::vector<milliseconds> bounds() {
    std::vector<milliseconds> all{2s};
    if (in_full()) all.insert(all.end(), {5s, client_options().max_staleness});
    return all;
}

/// A manager that follows one key, and when its state became what.
class follower {
public:
    follower(strings endpoints, milliseconds max_staleness)
        : cfg_(io_.get_executor(), std::make_shared<const prefix_schema>("/app"), at(std::move(endpoints)),
              with(max_staleness)),
          states_(cfg_.subscribe_status([this](const status& s) {
              const std::lock_guard lock(mutex_);
              if (s.state != config_state::live && state_ == config_state::live) lost_ = steady::now(), ++times_lost_;
              state_ = s.state;
          })) {
        if (!cfg_.start(asio::use_future).get().ok()) throw std::runtime_error("not started");
    }
    ~follower() { cfg_.stop(asio::use_future).get(); }

    config_state state() const {
        const std::lock_guard lock(mutex_);
        return state_;
    }
    unsigned times_lost() const {
        const std::lock_guard lock(mutex_);
        return times_lost_;
    }
    /// How long after `begin` it was told; the limit of the test when never.
    milliseconds told_after(steady::time_point begin) const {
        (void)becomes_true([&] { return state() != config_state::live; }, 60s);
        const std::lock_guard lock(mutex_);
        return std::chrono::duration_cast<milliseconds>((state_ == config_state::live ? steady::now() : lost_) - begin);
    }
    bool follows(const std::string& value) const {
        return becomes_true([&] { return state() == config_state::live && shows(value); }, 60s);
    }
    bool shows(const std::string& value) const { return cfg_.current().get_or("k", "") == value; }
    status now() const { return cfg_.status(); }

private:
    static settings at(strings endpoints) {
        settings s;
        s.endpoints = std::move(endpoints);
        return s;
    }
    static manager_options with(milliseconds max_staleness) {
        manager_options o;
        o.client.max_staleness = max_staleness;
        o.client.backoff.first = 20ms;
        o.client.backoff.most = 200ms;
        return o;
    }

    mutable std::mutex mutex_;
    config_state state_ = config_state::stopped;
    steady::time_point lost_{};
    unsigned times_lost_ = 0;
    io_threads io_{1};
    config_manager cfg_;
    subscription states_;
};

}  // namespace

TEST_CASE("staleness: a stopped process is told in time, and followed again when it goes on", "[staleness]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (const milliseconds bound : bounds()) {
        admin.put("/app/k", "before");
        follower f(strings{etcd.endpoint()}, bound);
        REQUIRE(f.follows("before"));
        const auto begin = steady::now();
        etcd.pause();
        const milliseconds told = f.told_after(begin);
        const error cause = f.now().cause;
        etcd.resume();
        admin.put("/app/k", "after");
        CHECK(told <= bound + allowance);
        CHECK(cause.code);
        CHECK(f.follows("after"));
        WARN(binary << ", SIGSTOP, bound " << bound.count() << " ms: told after " << told.count() << " ms");
    }
}

TEST_CASE("staleness: a black hole that acknowledges everything is told in time", "[staleness]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (const milliseconds bound : bounds()) {
        admin.put("/app/k", "before");
        relay wire(etcd.port());
        follower f(strings{wire.endpoint()}, bound);
        REQUIRE(f.follows("before"));
        const auto begin = steady::now();
        wire.black_hole();
        admin.put("/app/k", "unseen");
        const milliseconds told = f.told_after(begin);
        wire.mend();   // what was open then stays black
        CHECK(told <= bound + allowance);
        CHECK(f.follows("unseen"));
        WARN(binary << ", black hole, bound " << bound.count() << " ms: told after " << told.count() << " ms");
    }
}

TEST_CASE("staleness: a watch that alone has gone silent is found out", "[staleness]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/k", "before");
    relay wire(etcd.port());
    follower f(strings{wire.endpoint()}, 2s);
    REQUIRE(f.follows("before"));
    for (int round = 0; round < 3; ++round) {
        wire.black_hole(relay::reach::open);   // new connections pass, so that every probe on one of them succeeds
        const std::string value = std::to_string(round);
        const auto begin = steady::now();
        admin.put("/app/k", value);
        // Either it says that it may be behind, or it has found the write by itself.
        CHECK(becomes_true([&] { return f.state() != config_state::live || f.shows(value); }, 60s));
        const auto took = std::chrono::duration_cast<milliseconds>(steady::now() - begin);
        CHECK(took <= 2s + allowance);
        CHECK(f.follows(value));
        wire.mend();
    }
}

TEST_CASE("staleness: a member cut off from its quorum is not believed", "[staleness]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster cluster(binary, 3);
    const etcd_admin admin(cluster[0]);
    admin.put("/app/k", "before");
    for (const milliseconds bound : bounds()) {
        follower f(strings{cluster[0].endpoint()}, bound);
        REQUIRE(f.follows("before"));
        const auto begin = steady::now();
        cluster[1].pause();
        cluster[2].pause();
        const milliseconds told = f.told_after(begin);
        cluster[1].resume();
        cluster[2].resume();
        CHECK(told <= bound + allowance);
        for (std::size_t i = 0; i < cluster.size(); ++i) cluster[i].await_health();
        admin.put("/app/k", "before");
        CHECK(f.follows("before"));
        WARN(binary << ", minority, bound " << bound.count() << " ms: told after " << told.count() << " ms");
    }
}

TEST_CASE("staleness: no false alarm while all is well", "[staleness]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin(etcd).put("/app/k", "quiet");
    follower f(strings{etcd.endpoint()}, 2s);
    REQUIRE(f.follows("quiet"));
    CHECK_FALSE(becomes_true([&] { return f.times_lost() > 0; }, lasting(6s)));
    CHECK(f.now().interruptions == 0);
}

TEST_CASE("staleness: a store that went back, or is another one, is told as that", "[staleness]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (int i = 0; i < 10; ++i) admin.put("a/" + std::to_string(i), "old");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.max_staleness = 2s;
            client c(ex, options);
            mirror content(c, key_range::prefix("a/"));
            const mirror_step first = co_await next_of(content, mirror_step::kind::snapshot);
            CHECK(first.content.size() == 10);
            (void)co_await next_of(content, mirror_step::kind::connected);
            etcd.kill();
            etcd.wipe();
            etcd.start();
            admin.put("a/0", "new");
            const mirror_step again = co_await next_of(content, mirror_step::kind::resync);
            CHECK(again.why == mirror_step::reason::store_replaced);
            CHECK(again.revision < first.revision);
            CHECK(again.events.size() == 10);
        },
        60s);
}
