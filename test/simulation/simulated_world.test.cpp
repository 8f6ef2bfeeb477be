#include <dynconf/dynconf.hpp>
#include <dynconf/testing/fake_etcd.hpp>
#include <dynconf/testing/simulated_world.hpp>

#include "support/catch.hpp"
#include "support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::testing;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

client_options of(const fake_etcd& etcd) {
    client_options o;
    o.endpoints = etcd.urls();
    return o;
}

/// What a client goes through while its three members fail one after the other for a day.
std::vector<std::string> a_day(std::uint64_t seed) {
    simulated_world world(seed);
    fake_etcd_options three;
    three.members = 3;
    fake_etcd etcd(world, three);
    std::vector<std::string> seen;
    world.run([&]() -> asio::awaitable<void> {
        client_options how = of(etcd);
        how.log = [&](const log_record& r) { seen.push_back(std::string(r.event) + " " + r.text); };
        client c(world.get_executor(), how);
        kv store(c);
        for (int hour = 0; hour < 24; ++hour) {
            const std::size_t down = world.random_bits() % 3;
            etcd.stop(down);
            for (int i = 0; i < 10; ++i) {
                const std::string value = std::to_string(hour);
                auto done = co_await store.put("/k", value, {}, as_outcome);
                seen.push_back(done.executed() ? std::to_string(done.value().header.revision) : done.error().message());
                co_await world.sleep(6min);
            }
            etcd.start(down);
        }
    }, 48h);
    return seen;
}

}  // namespace

TEST_CASE("a day of failover passes at once, and is the same for the same seed", "[simulated_world]") {
    const auto one = a_day(7);
    CHECK(one.size() > 240);
    CHECK(a_day(7) == one);
    CHECK(a_day(8) != one);
}

TEST_CASE("a coroutine that waits for nobody is told, and its exception passes", "[simulated_world]") {
    simulated_world world;
    CHECK_THROWS_AS(world.run([&]() -> asio::awaitable<void> {
        asio::steady_timer never(co_await asio::this_coro::executor);
        never.expires_at(asio::steady_timer::time_point::max());
        co_await never.async_wait(asio::use_awaitable);
    }), std::runtime_error);
    const auto before = world.now();
    CHECK_THROWS_AS(world.run([&]() -> asio::awaitable<void> { co_await world.sleep(2h); }, 1h), std::runtime_error);
    CHECK(world.now() == before + 1h);
    CHECK_THROWS_AS(world.run([]() -> asio::awaitable<void> {
        throw std::invalid_argument("so");
        co_return;
    }), std::invalid_argument);
}

TEST_CASE("a write whose answer is cut off is in doubt, one whose request is cut is not executed", "[simulated_world][fake_etcd]") {
    simulated_world world;
    fake_etcd etcd(world);
    world.run([&]() -> asio::awaitable<void> {
        client c(world.get_executor(), of(etcd));
        kv store(c);
        exchange_fault cut;
        cut.cut_answer = 20;
        etcd.break_exchanges("/v3/kv/put", cut);
        auto answer_lost = co_await store.put("/a", "1", {}, as_outcome);
        CHECK(answer_lost.unknown());
        CHECK(etcd.get("/a"));

        cut = {};
        cut.cut_request = 100;
        cut.reset = true;
        etcd.break_exchanges("/v3/kv/put", cut);
        auto request_lost = co_await store.put("/b", "1", {}, as_outcome);
        CHECK(request_lost.unknown());
        CHECK_FALSE(etcd.get("/b"));
    });
}

TEST_CASE("a black hole keeps what it swallows, and gives it back", "[simulated_world][fake_etcd]") {
    simulated_world world;
    fake_etcd etcd(world);
    world.run([&]() -> asio::awaitable<void> {
        client_options how = of(etcd);
        how.request_timeout = 2s;
        how.total_timeout = 2s;
        client c(world.get_executor(), how);
        kv store(c);
        co_await store.put("/a", "0");
        link_faults hole;
        hole.hold_requests = true;
        etcd.set_link(hole);
        const auto began = world.now();
        auto done = co_await store.put("/a", "1", {}, as_outcome);
        CHECK(done.unknown());
        CHECK(world.now() - began == 2s);
        CHECK(etcd.get("/a")->value == "0");
        etcd.heal();
        co_await world.sleep(1ms);
        CHECK(etcd.get("/a")->value == "1");
    });
}

TEST_CASE("the way of each piece takes its time", "[simulated_world][fake_etcd]") {
    simulated_world world;
    fake_etcd etcd(world);
    world.run([&]() -> asio::awaitable<void> {
        client c(world.get_executor(), of(etcd));
        kv store(c);
        link_faults slow;
        slow.latency = 40ms;
        etcd.set_link(slow);
        auto began = world.now();
        co_await store.put("/a", "0");
        CHECK(world.now() - began == 160ms);   // to connect, and to ask
        began = world.now();
        co_await store.put("/a", "1");
        CHECK(world.now() - began == 80ms);
        slow.latency = 0ms;
        slow.drip_bytes = 10;
        slow.drip_every = 100ms;
        etcd.set_link(slow);
        began = world.now();
        co_await store.put("/a", "2");
        CHECK(world.now() - began > 1s);
    });
}

TEST_CASE("a lease that was ended by a try whose answer was lost is ended", "[simulated_world][lease]") {
    simulated_world world;
    fake_etcd etcd(world);
    world.run([&]() -> asio::awaitable<void> {
        client c(world.get_executor(), of(etcd));
        leases all(c);
        lease_grant_response lease = co_await all.grant(60s);
        exchange_fault cut;
        cut.cut_answer = 0;
        etcd.break_exchanges("/v3/lease/revoke", cut);
        auto done = co_await all.revoke(lease.id, as_outcome);
        CHECK(done.executed());
        CHECK(etcd.leases().empty());

        // Where no try was answered nobody knows.
        lease = co_await all.grant(60s);
        etcd.break_exchanges("/v3/lease/revoke", cut, 100);
        done = co_await all.revoke(lease.id, as_outcome);
        CHECK(done.unknown());
        CHECK(etcd.leases().empty());
    });
}

TEST_CASE("a mirror whose caller has stopped waiting is called current again", "[simulated_world][mirror]") {
    simulated_world world;
    fake_etcd etcd(world);
    world.run([&]() -> asio::awaitable<void> {
        client_options how = of(etcd);
        how.max_staleness = 4s;
        client c(world.get_executor(), how);
        mirror m(c, key_range::prefix("/a/"));
        mirror_step step = co_await m.next();
        while (step.what != mirror_step::kind::connected) step = co_await m.next();

        link_faults hole;
        hole.hold_requests = true;
        etcd.set_link(hole);
        while (step.what != mirror_step::kind::interrupted) step = co_await m.next();
        asio::cancellation_signal enough;
        bool ended = false;
        m.next(asio::bind_cancellation_slot(enough.slot(), [&ended](error_code, const mirror_step&) { ended = true; }));
        co_await world.sleep(10ms);
        enough.emit(asio::cancellation_type::terminal);
        co_await world.sleep(10ms);
        CHECK(ended);

        etcd.heal();
        const auto due = world.now() + 60s;
        while (step.what != mirror_step::kind::connected && world.now() < due) step = co_await m.next();
        CHECK(step.what == mirror_step::kind::connected);
    });
}

TEST_CASE("a watch whose reader caught up while the next stream was being opened is served", "[simulated_world][watch]") {
    simulated_world world;
    fake_etcd etcd(world);
    world.run([&]() -> asio::awaitable<void> {
        client_options how = of(etcd);
        how.watch_buffer_bytes = 250;
        how.rotate_after = 5s;
        client c(world.get_executor(), how);
        watch_options from;
        from.start_revision = etcd.revision() + 1;
        watcher w(c, key_range::prefix("/a/"), from);
        etcd.put("/a/k", "0");
        watch_batch batch = co_await w.next();

        // The next stream takes a while; meanwhile more comes by the old one than may be left unread.
        exchange_fault slow;
        slow.delay = 3s;
        etcd.break_exchanges("/v3/watch", slow);
        const std::size_t streams = etcd.requests("/v3/watch");
        while (etcd.requests("/v3/watch") == streams) co_await world.sleep(10ms);
        revision_t last = 0;
        for (int i = 0; i < 5; ++i) last = etcd.put("/a/k", std::string(100, static_cast<char>('a' + i)));
        co_await world.sleep(100ms);
        std::vector<revision_t> seen;
        const auto due = world.now() + 60s;
        while ((seen.empty() || seen.back() < last) && world.now() < due) {
            asio::cancellation_signal enough;
            bool ended = false;
            w.next(asio::bind_cancellation_slot(enough.slot(), [&](error_code ec, const watch_batch& more) {
                ended = true;
                if (!ec) for (const event& e : more.events) seen.push_back(e.kv.mod_revision);
            }));
            while (!ended && world.now() < due) co_await world.sleep(10ms);
            if (!ended) enough.emit(asio::cancellation_type::terminal);
            while (!ended) co_await world.sleep(10ms);
        }
        CHECK(seen == std::vector<revision_t>{last - 4, last - 3, last - 2, last - 1, last});
        const revision_t next = etcd.put("/a/k", "goes on");
        batch = co_await w.next();
        CHECK(batch.revision == next);
    });
}

TEST_CASE("tries of a stream that end at once follow each other, also when nobody waits any more", "[simulated_world][watch]") {
    simulated_world world;
    fake_etcd_options closed;
    closed.root_password = "secret";
    fake_etcd etcd(world, closed);
    etcd.add_user("app", "hunter2");
    world.run([&]() -> asio::awaitable<void> {
        client_options how = of(etcd);
        how.auth = credentials{"app", "wrong"};
        how.slow_retry = 20ms;
        how.backoff.first = how.backoff.most = 20ms;
        client c(world.get_executor(), how);
        for (const bool refused : {true, false}) {
            link_faults link;
            link.refuse = refused;   // no connection, or no token
            etcd.set_link(link);
            mirror m(c, key_range::prefix("/a/"));
            for (int i = 0; i < 50; ++i) {
                asio::cancellation_signal enough;
                bool ended = false;
                m.next(asio::bind_cancellation_slot(enough.slot(), [&ended](error_code, const mirror_step&) { ended = true; }));
                if (i % 2 == 0) co_await world.sleep(50ms);
                enough.emit(asio::cancellation_type::terminal);
                while (!ended) co_await world.sleep(1ms);
            }
        }
        CHECK(etcd.open_streams() == 0);
    });
}

TEST_CASE("an update of several ranges is of the revision of its last event", "[simulated_world][mirror]") {
    simulated_world world;
    fake_etcd etcd(world);
    world.run([&]() -> asio::awaitable<void> {
        client c(world.get_executor(), of(etcd));
        std::vector<key_range> ranges{key_range::key("/a"), key_range::key("/c")};
        mirror m(c, ranges);
        mirror_step step = co_await m.next();
        while (step.what != mirror_step::kind::connected) step = co_await m.next();
        const revision_t ours = etcd.put("/a", "1");
        const revision_t between = etcd.put("/b", "1");
        while (step.what != mirror_step::kind::update) step = co_await m.next();
        CHECK(step.revision == ours);
        CHECK(step.events.back().kv.mod_revision == ours);
        while (step.known < between) step = co_await m.next();
        CHECK(step.revision == ours);
    });
}

TEST_CASE("a fake etcd on loopback serves a client in real time", "[fake_etcd]") {
    fake_etcd etcd;
    etcd.put("/myapp/Host", "db1");
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, of(etcd));
        kv store(c);
        auto found = co_await store.get("/myapp/Host");
        CHECK(found->value == "db1");
        watch_options from;
        from.start_revision = etcd.revision() + 1;
        watcher w(c, key_range::prefix("/myapp/"), from);
        etcd.put("/myapp/Host", "db2");
        auto batch = co_await w.next();
        CHECK(batch.events.front().kv.value == "db2");
        CHECK(etcd.open_streams() == 1);

        etcd.stop();
        auto refused = co_await store.put("/myapp/Host", "db3", {}, as_outcome);
        CHECK(refused.not_executed());
        etcd.start();
        co_await store.put("/myapp/Host", "db3");
        etcd.cut_connections(true);
        batch = co_await w.next();
        CHECK(batch.events.front().kv.value == "db3");
    });
    CHECK(etcd.requests("/v3/watch") >= 2);
}

TEST_CASE("a fake etcd asks for a password when it was given one", "[simulated_world][fake_etcd]") {
    simulated_world world;
    fake_etcd_options closed;
    closed.root_password = "secret";
    closed.token_ttl = 60s;
    fake_etcd etcd(world, closed);
    etcd.add_user("app", "hunter2");
    world.run([&]() -> asio::awaitable<void> {
        client_options how = of(etcd);
        how.auth = credentials{"app", "hunter2"};
        client c(world.get_executor(), how);
        kv store(c);
        co_await store.put("/a", "1");
        co_await world.sleep(2h);
        co_await store.put("/a", "2");
        CHECK(etcd.requests("/v3/auth/authenticate") == 2);
        client stranger(world.get_executor(), of(etcd));
        kv others(stranger);
        auto done = co_await others.put("/a", "3", {}, as_outcome);
        CHECK(done.not_executed());
    });
}

TEST_CASE("a fake etcd makes tokens of either kind", "[simulated_world][fake_etcd]") {
    const bool signed_ones = GENERATE(false, true);
    INFO(signed_ones);
    simulated_world world;
    fake_etcd_options closed;
    closed.root_password = "secret";
    closed.tokens = signed_ones ? token_kind::jwt : token_kind::simple;
    closed.token_ttl = 60s;
    fake_etcd etcd(world, closed);
    const auto logins = [&] { return etcd.requests("/v3/auth/authenticate"); };
    world.run([&]() -> asio::awaitable<void> {
        client_options how = of(etcd);
        how.auth = credentials{"root", "secret"};
        client c(world.get_executor(), how);
        kv store(c);
        for (int i = 0; i < 10; ++i) {
            co_await store.put("/a", "1");
            co_await world.sleep(40s);
        }
        // A use renews a simple one. A JWT lives for 60 s whatever is done with it, so each served two calls.
        CHECK(logins() == (signed_ones ? 5 : 1));
        co_await store.put("/a", "2");
        const auto before = logins();
        etcd.add_user("app", "hunter2");   // a JWT is of the users that there were
        co_await store.put("/a", "3");
        CHECK(logins() - before == (signed_ones ? 1 : 0));
        const capability_report found = co_await maintenance(c).probe();
        using kind = endpoint_capabilities::token_kind;
        CHECK(found.endpoints.at(0).tokens == (signed_ones ? kind::jwt : kind::simple));
    });
}

TEST_CASE("a rotation waits for a key's provider no longer than a sealed client does", "[simulated_world]") {
    simulated_world world;
    fake_etcd etcd(world);
    const key_ring now("now", sealing_key::generate());
    const std::string key = "/r/1", sealed = key_ring("lost", sealing_key::generate()).seal(key, "value");
    int asked = 0;
    rotation_report report;
    auto took = std::chrono::steady_clock::duration::zero();
    world.run([&]() -> asio::awaitable<void> {
        client c(world.get_executor(), of(etcd));
        kv store(c);
        co_await store.put(key, sealed);
        const key_provider ask = [&](std::string) -> asio::awaitable<std::optional<sealing_key>> {
            ++asked;
            co_await world.sleep(24h);
            co_return std::nullopt;
        };
        rotation turning(c, now, ask);
        const key_range all = key_range::prefix("/r/");
        const auto began = world.now();
        report = co_await turning.run(all);
        took = world.now() - began;
    }, 48h);
    CHECK(asked == 1);
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].why == errc::key_unavailable);
    CHECK(took < 1min);
}
