// The one stream that serves all watches of a client.

#include <dynconf/kv.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/watch.hpp>

#include "integration/scene.hpp"
#include "support/etcd_admin.hpp"
#include "support/parallel.hpp"
#include "support/relay.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

using namespace dynconf;
using namespace dynconf::test;

namespace {

/// Transactions that write the same number to three keys below `prefix`, from a thread of its own, until it is destroyed.
class writer {
public:
    writer(const etcd_process& etcd, std::string prefix) : prefix_(std::move(prefix)), thread_([this, &etcd] {
        const etcd_admin admin(etcd);
        while (!stop_) {
            const std::string n = std::to_string(++count_);
            last_ = admin.put_all({{prefix_ + "a", n}, {prefix_ + "b", n}, {prefix_ + "c", n}});
        }
    }) {}
    ~writer() { stop(); }
    /// The revision of the last one.
    revision_t stop() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
        return last_;
    }
    int count() const noexcept { return count_; }

private:
    std::string prefix_;
    std::atomic<bool> stop_{false};
    std::atomic<int> count_{0};
    std::atomic<revision_t> last_{0};
    std::thread thread_;
};

/// Three events of one number and one revision for each transaction, the numbers from 1 on.
void check_whole(const std::vector<event>& events, int transactions) {
    REQUIRE(events.size() == static_cast<std::size_t>(transactions) * 3);
    for (std::size_t i = 0; i < events.size(); ++i) {
        INFO("event " << i << ": " << shown(events[i]));
        REQUIRE(events[i].kv.value == std::to_string(i / 3 + 1));
        REQUIRE(events[i].kv.mod_revision == events[i - i % 3].kv.mod_revision);
    }
}

std::string numbered(const std::string& stem, int i) { return stem + std::to_string(i) + "/"; }

}  // namespace

TEST_CASE("watch hub: five hundred prefixes share one connection, and one more loses nothing", "[watch_hub]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(strings{wire.endpoint()});
        options.max_connections = 1;
        client c(executor, options);
        std::vector<std::unique_ptr<mirror>> all;
        for (int i = 0; i < 500; ++i) all.push_back(std::make_unique<mirror>(c, key_range::prefix(numbered("/p/", i))));
        co_await in_parallel(500, [&](int i) -> asio::awaitable<void> {
            co_await next_of(*all[static_cast<std::size_t>(i)], mirror_step::kind::connected);
        });
        co_await until([&] { return wire.connections() <= 2; });   // one serves all, one is for calls

        writer writes(etcd, "/p/7/");
        std::vector<event> seen;
        for (int i = 0; i < 5; ++i) {   // each joins while events flow
            auto late = std::make_unique<mirror>(c, key_range::prefix(numbered("/late/", i)));
            co_await next_of(*late, mirror_step::kind::connected);
            all.push_back(std::move(late));
            mirror_step some = co_await next_of(*all[7], mirror_step::kind::update);
            seen.insert(seen.end(), some.events.begin(), some.events.end());
        }
        const revision_t last = writes.stop();
        if (seen.back().kv.mod_revision < last) {
            std::vector<event> rest = co_await changes_until(*all[7], last);
            seen.insert(seen.end(), rest.begin(), rest.end());
        }
        check_whole(seen, writes.count());

        const revision_t r = admin.put("/late/4/x", "1");
        seen = co_await changes_until(*all[504], r);
        CHECK(shown(seen) == strings{"put /late/4/x=1 @" + std::to_string(r)});
        co_await until([&] { return wire.connections() <= 2; });
    }, 60s);
}

TEST_CASE("watch hub: a stream that is replaced all the time loses nothing and doubles nothing", "[watch_hub][rotation]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(strings{wire.endpoint()});
        options.rotate_after = 1ms;
        client c(executor, options);
        watch_options from_start;
        from_start.start_revision = 1;
        watcher raw(c, key_range::prefix("/w/"), from_start);
        mirror content(c, key_range::prefix("/w/"));
        co_await next_of(content, mirror_step::kind::connected);

        writer writes(etcd, "/w/");
        const std::size_t before = wire.accepted();
        std::vector<event> of_watcher, of_mirror;
        while (wire.accepted() < before + 40) {
            watch_batch batch = co_await raw.next();
            of_watcher.insert(of_watcher.end(), batch.events.begin(), batch.events.end());
        }
        const revision_t last = writes.stop();
        if (of_watcher.back().kv.mod_revision < last) {
            std::vector<event> rest = co_await events_until(raw, last);
            of_watcher.insert(of_watcher.end(), rest.begin(), rest.end());
        }
        check_whole(of_watcher, writes.count());
        of_mirror = co_await changes_until(content, last);
        check_whole(of_mirror, writes.count());
    }, 120s);
}

TEST_CASE("watch hub: a watcher that is not asked holds little and loses nothing", "[watch_hub][slow]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(etcd);
        options.watch_buffer_bytes = 64 * 1024;
        client c(executor, options);
        watcher slow(c, key_range::prefix("/s/"));
        watcher quick(c, key_range::prefix("/s/"));
        const revision_t first = admin.put("/s/first", "x");
        watch_options from_first;
        from_first.start_revision = first;
        watcher other(c, key_range::prefix("/s/"), from_first);
        watch_batch batch = co_await other.next();
        CHECK(batch.revision == first);

        revision_t last = 0;
        const std::string big(10'000, 'x');
        for (int i = 0; i < 300; ++i) {
            last = admin.put("/s/" + std::to_string(i % 7), big + std::to_string(i));
            if (i % 10 == 0) batch = co_await other.next();   // lets the stream be read, and lags behind
        }
        std::vector<event> events = std::move(batch.events);
        std::vector<event> rest;
        if (events.back().kv.mod_revision < last) rest = co_await events_until(other, last);
        events.insert(events.end(), rest.begin(), rest.end());
        REQUIRE_FALSE(events.empty());
        revision_t at = events.front().kv.mod_revision;
        for (const event& e : events) REQUIRE(e.kv.mod_revision == at++);
        CHECK(at == last + 1);
    }, 60s);
}

TEST_CASE("watch hub: history that is too large for one message comes in pieces", "[watch_hub]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    revision_t last = 0;
    const std::string big(500'000, 'x');
    for (int i = 0; i < 24; ++i) last = admin.put("/big/" + std::to_string(i), big);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(etcd);
        options.max_message_bytes = 8 << 20;
        client c(executor, options);
        watch_options from_start;
        from_start.start_revision = 1;
        watcher w(c, key_range::prefix("/big/"), from_start);
        std::vector<event> events = co_await events_until(w, last);
        REQUIRE(events.size() == 24);
        for (int i = 0; i < 24; ++i) CHECK(events[static_cast<std::size_t>(i)].kv.key == "/big/" + std::to_string(i));
    }, 60s);
}

TEST_CASE("watch hub: a watch that is denied takes no other with it, and heals when it is allowed", "[watch_hub][auth]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.enable_auth();
    admin.add_user("svc", "pw");
    admin.add_role("r");
    admin.grant("r", "/mine/", "READWRITE");
    admin.grant_role("svc", "r");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(etcd);
        options.auth = as_user("svc", "pw");
        options.slow_retry = 100ms;
        client c(executor, options);
        mirror allowed(c, key_range::prefix("/mine/"));
        co_await next_of(allowed, mirror_step::kind::connected);
        watch_options from_start;   // from the present it could begin after the change below
        from_start.start_revision = 1;
        watcher denied(c, key_range::prefix("/theirs/"), from_start);
        auto refused = co_await outcome(denied.next());
        REQUIRE(refused.has_error());
        CHECK(refused.error() == server_errc::permission_denied);
        revision_t r = admin.put("/mine/x", "1");
        std::vector<event> seen = co_await changes_until(allowed, r);
        CHECK(shown(seen) == strings{"put /mine/x=1 @" + std::to_string(r)});

        admin.grant("r", "/theirs/", "READ");
        mirror theirs(c, key_range::prefix("/theirs/"));
        co_await next_of(theirs, mirror_step::kind::connected);
        r = admin.put("/theirs/y", "2");
        for (;;) {   // refused again and again until the grant is there
            auto batch = co_await outcome(denied.next());
            if (batch.has_error()) {
                CHECK(batch.error() == server_errc::permission_denied);
                continue;
            }
            CHECK(shown(batch->events) == strings{"put /theirs/y=2 @" + std::to_string(r)});
            break;
        }
    }, 60s);
}

TEST_CASE("watch hub: foreign writes and a compaction are no reason to load a quiet prefix again", "[watch_hub][checkpoint]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    const etcd_admin admin(etcd);
    admin.put("/quiet/a", "1");
    admin.put("/quiet/b", "2");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(strings{wire.endpoint()});
        options.max_staleness = 1s;
        client c(executor, options);
        mirror quiet(c, key_range::prefix("/quiet/"));
        mirror_step s = co_await next_of(quiet, mirror_step::kind::connected);
        revision_t last = 0;
        for (int i = 0; i < 200; ++i) last = admin.put("/busy/" + std::to_string(i % 10), std::to_string(i));
        const auto written = std::chrono::steady_clock::now();
        do s = co_await next_of(quiet, mirror_step::kind::verified);
        while (s.as_of < written);
        admin.compact(last);
        wire.cut();
        s = co_await next_of(quiet, mirror_step::kind::interrupted);
        wire.mend();
        for (;;) {
            s = co_await quiet.next();
            CHECK(s.what != mirror_step::kind::resync);
            CHECK(s.what != mirror_step::kind::update);
            if (s.what == mirror_step::kind::connected) break;
        }
        const revision_t r = admin.put("/quiet/a", "3");
        std::vector<event> seen = co_await changes_until(quiet, r);
        CHECK(shown(seen) == strings{"put /quiet/a=3 @" + std::to_string(r)});
    }, 60s);
}
