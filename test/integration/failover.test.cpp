#include "integration/scene.hpp"

#include "support/io_threads.hpp"
#include "support/relay.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;
using std::chrono::steady_clock;

namespace {

template <class Duration>
auto in_ms(Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }

client_options patient(std::vector<std::string> endpoints) {
    client_options o;
    o.endpoints = std::move(endpoints);
    return o;
}

}  // namespace

TEST_CASE("failover: a member is killed, reads go on and so does the watch", "[failover]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster etcd(binary, 3);
    const etcd_admin last(etcd[2]);
    last.put("k/1", "one");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, patient(etcd.endpoints()));   // with the default options
            kv store(c);
            mirror content(c, key_range::prefix("k/"));
            (void)co_await next_of(content, kind::connected);
            range_options own;
            own.read = consistency::serializable;   // no election in the way: what is measured is the client
            const key_range key = key_range::key("k/1");
            (void)co_await store.range(key, own);

            etcd[0].kill();
            const auto killed = steady_clock::now();
            const range_response read = co_await store.range(key, own);
            const auto read_after = steady_clock::now() - killed;
            CHECK(read.kvs.size() == 1);
            const mirror_step elsewhere = co_await next_of(content, kind::connected);
            const auto watch_after = steady_clock::now() - killed;
            CHECK(elsewhere.endpoint != etcd[0].endpoint());
            WARN("read after " << in_ms(read_after) << " ms, watch after " << in_ms(watch_after) << " ms, " << binary);

            // It is looked after while the watch goes on, and is up again for the next call that needs it.
            etcd[0].launch();
            etcd[0].await_health();
        },
        60s);
}

TEST_CASE("failover: a rolling restart of all members fails no read", "[failover]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster etcd(binary, 3);
    etcd_admin(etcd[0]).put("k", "v");
    io_threads threads(1);
    std::atomic<bool> stop{false};
    std::atomic<unsigned> reads{0};
    std::mutex guard;
    std::vector<std::string> failures;
    client c(threads.get_executor(), patient(etcd.endpoints()));
    std::atomic<int> readers{4};
    for (int i = 0; i < 4; ++i) {
        auto run = [&]() -> asio::awaitable<void> {
            kv store(c);
            const key_range key = key_range::key("k");
            while (!stop) {
                auto got = co_await outcome(store.range(key));
                ++reads;
                if (got && got->kvs.size() == 1) continue;
                const std::lock_guard lock(guard);
                failures.push_back(got ? "no value" : got.error().message());
            }
            --readers;
        };
        asio::co_spawn(threads.get_executor(), std::move(run), asio::detached);
    }
    const auto more_reads = [&] {
        const unsigned now = reads;
        REQUIRE(becomes_true([&] { return reads > now + 200; }));
    };
    more_reads();
    for (std::size_t i = 0; i < etcd.size(); ++i) {
        CHECK(etcd[i].terminate());
        more_reads();
        etcd[i].launch();
        etcd[i].await_health();
        more_reads();
    }
    stop = true;
    REQUIRE(becomes_true([&] { return readers == 0; }));
    WARN(reads << " reads, " << failures.size() << " failed, " << binary);
    const std::lock_guard lock(guard);
    for (const std::string& f : failures) FAIL_CHECK(f);
}

TEST_CASE("failover: members that were learned serve when the one that was given is gone", "[failover]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster etcd(binary, 3);
    etcd_admin(etcd[0]).put("k/1", "v");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd[0]);
            options.discovery.members = true;
            std::atomic<int> learned{0};
            options.log = [&](const log_record& r) { learned += r.event == "endpoint_learned"; };
            client c(ex, options);
            kv store(c);
            mirror content(c, key_range::prefix("k/"));
            (void)co_await next_of(content, kind::connected);
            while (learned < 2) co_await wait_for(1ms);
            etcd[0].kill();
            range_options own;
            own.read = consistency::serializable;
            const key_range key = key_range::key("k/1");
            const range_response read = co_await store.range(key, own);
            CHECK(read.kvs.size() == 1);
            const mirror_step elsewhere = co_await next_of(content, kind::connected);
            CHECK(elsewhere.endpoint != etcd[0].endpoint());
        },
        60s);
}

TEST_CASE("failover: while the cluster is away a client makes few connection attempts", "[.failover_outage]") {
    REQUIRE_ETCD();
    etcd_process etcd(etcd_binaries().back());
    io_threads threads(1);
    struct one {
        std::vector<std::unique_ptr<relay>> ways;
        std::unique_ptr<client> etcd;
        std::unique_ptr<mirror> content;
        asio::cancellation_signal stop;
        std::atomic<bool> connected{false}, ended{false};
        std::size_t before = 0, first = 0;

        std::size_t attempts() const {
            std::size_t sum = 0;
            for (const auto& w : ways) sum += w->accepted();
            return sum;
        }
    };
    std::vector<std::unique_ptr<one>> clients;
    for (const std::size_t endpoints : {1u, 3u, 5u}) {
        auto& c = *clients.emplace_back(std::make_unique<one>());
        std::vector<std::string> urls;
        for (std::size_t i = 0; i < endpoints; ++i) urls.push_back(c.ways.emplace_back(std::make_unique<relay>(etcd.port()))->endpoint());
        c.etcd = std::make_unique<client>(threads.get_executor(), patient(urls));
        c.content = std::make_unique<mirror>(*c.etcd, key_range::prefix("k/"));
        auto follow = [&c]() -> asio::awaitable<void> {
            for (;;) {
                const mirror_step step = co_await c.content->next();
                c.connected = step.what == kind::connected;
            }
        };
        asio::co_spawn(threads.get_executor(), std::move(follow),
                       asio::bind_cancellation_slot(c.stop.slot(), [&c](std::exception_ptr) { c.ended = true; }));
    }
    const auto all = [&](auto met) {
        return becomes_true([&] { return std::all_of(clients.begin(), clients.end(), [&](const auto& c) { return met(*c); }); });
    };
    REQUIRE(all([](const one& c) { return c.connected.load(); }));
    for (auto& c : clients) c->before = c->attempts();
    etcd.kill();
    const auto killed = steady_clock::now();
    // The figures are about minutes, so two of them have to pass.
    std::this_thread::sleep_until(killed + 60s);
    for (auto& c : clients) c->first = c->attempts() - c->before;
    std::this_thread::sleep_until(killed + 120s);
    for (auto& c : clients) {
        const std::size_t second = c->attempts() - c->before - c->first;
        WARN(c->ways.size() << " endpoints: " << c->first << " attempts in the first minute, " << second << " in the second");
        CHECK(c->first <= 10);
        CHECK(c->first >= 4);
        CHECK(second <= 4);
        CHECK(second >= 2);
        CHECK_FALSE(c->connected);
    }
    etcd.start();
    CHECK(all([](const one& c) { return c.connected.load(); }));
    for (auto& c : clients) asio::post(threads.get_executor(), [&c] { c->stop.emit(asio::cancellation_type::terminal); });
    CHECK(all([](const one& c) { return c.ended.load(); }));
}
