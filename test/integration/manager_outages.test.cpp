// The configuration manager on real etcd processes that die, come back, are replaced or fall silent; and its own end, in
// any state.

#include "integration/manager_scene.hpp"
#include "support/relay.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("a restart of etcd, or its death, loses no change", "[manager_outages]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (int i = 0; i < 20; ++i) admin.put("/app/k" + std::to_string(i), "0");
    io_threads io(2);
    manager_options how = quick();
    how.client.backoff.first = how.client.backoff.most = 300ms;   // the operator is quicker
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint()), how);
    REQUIRE(started(cfg).ok());
    witness saw(cfg);
    for (int round = 1; round <= 4; ++round) {
        const config_map before = cfg.current().all();
        if (round % 2) etcd.kill();
        else REQUIRE(etcd.terminate());
        REQUIRE(becomes_true([&] { return cfg.status().state == config_state::stale; }));
        CHECK(cfg.status().cause.code);
        CHECK(cfg.status().endpoint.empty());
        CHECK(cfg.current().all() == before);   // the last good values are served
        etcd.start();
        const std::string n = std::to_string(round);
        admin.put_all({{"/app/k1", n}, {"/app/k2", n}});
        admin.erase("/app/k" + std::to_string(10 + round));
        const auto last = admin.put("/app/new" + n, n);
        REQUIRE(becomes_true([&] { return is_live(cfg) && cfg.current().revision() >= last; }));
        CHECK(cfg.current().all() == content_of(admin));
        CHECK(sorted(saw.names()) == sorted({"k1", "k2", "k" + std::to_string(10 + round), "new" + n}));
    }
    CHECK(saw.faults() == 0);
    CHECK(saw.emptied() == 0);
    CHECK(cfg.status().resyncs == 0);
    CHECK(stopped(cfg) < 1s);
}

TEST_CASE("compaction while disconnected shows as the real differences", "[manager_outages]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (int i = 0; i < 20; ++i) admin.put("/app/k" + std::to_string(i), "0");
    relay wire(etcd.port());
    io_threads io(2);
    config_manager cfg(io.get_executor(), open_schema(), at(wire.endpoint()), quick());
    REQUIRE(started(cfg).ok());
    witness saw(cfg);
    std::atomic<bool> done{false};
    std::atomic<int> emptied{0};
    std::thread reader([&] {
        while (!done) {
            if (cfg.current().size() < 18) ++emptied;
            std::this_thread::sleep_for(100us);
        }
    });
    for (int round = 1; round <= 3; ++round) {
        wire.cut();
        const std::string n = std::to_string(round);
        admin.put("/app/k1", n + "x");
        admin.put("/app/k1", n);
        admin.put("/app/k2", "1");
        admin.put("/app/k2", "0");   // there and back
        admin.put("/app/k3", "0");   // the same again
        admin.put("/app/brief", n);
        admin.erase("/app/brief");
        const auto last = admin.put("/app/new", n);
        admin.compact(last);
        CHECK(becomes_true([&] { return cfg.status().state == config_state::stale; }));
        wire.mend();
        CHECK(becomes_true([&] { return is_live(cfg) && cfg.current().revision() >= last; }));
        CHECK(cfg.current().all() == content_of(admin));
        CHECK(saw.names() == strings{"k1", "new"});
        CHECK(cfg.status().resyncs == static_cast<unsigned>(round));
    }
    done = true;
    reader.join();
    CHECK(emptied == 0);
    CHECK(saw.faults() == 0);
    CHECK(stopped(cfg) < 1s);
    CHECK(
        becomes_true([&] { return wire.connections() <= 1; }));  // the watch is closed; one kept-alive session may stay
}

TEST_CASE("a store that is replaced by another takes over", "[manager_outages]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (int i = 0; i < 20; ++i) admin.put("/app/k" + std::to_string(i), "0");
    io_threads io(2);
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint()), quick());
    REQUIRE(started(cfg).ok());
    witness saw(cfg);
    auto went_back = cfg.changed_since(cfg.current().revision(), asio::use_future);
    etcd.kill();
    REQUIRE(becomes_true([&] { return cfg.status().state == config_state::stale; }));
    etcd.wipe();
    etcd.start();
    admin.put("/app/k1", "0");
    admin.put("/app/k2", "2");
    REQUIRE(becomes_true([&] { return is_live(cfg) && cfg.current().all() == content_of(admin); }));
    CHECK(cfg.current().revision() == admin.revision());
    CHECK(saw.faults() == 0);
    CHECK(went_back.get().revision() < 21);
}

TEST_CASE("tokens that live for one second, over thirty", "[manager_lifetime]") {
    FOR_EACH_ETCD(binary);
    etcd_options flags;
    flags.flags = {"--auth-token-ttl=1"};
    etcd_process etcd(binary, flags);
    etcd_admin admin(etcd);
    admin.put("/app/n", "0");
    admin.enable_auth();
    admin.add_user("reader", "secret");
    admin.add_role("readers");
    admin.grant("readers", "/app/", "READ");
    admin.grant_role("reader", "readers");
    io_threads io(2);
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint(), as_user("reader", "secret")), quick(true));
    REQUIRE(started(cfg).ok());
    witness saw(cfg);
    const auto due = steady::now() + 30s;
    int n = 0;
    while (steady::now() < due) {
        const auto revision = admin.put("/app/n", std::to_string(++n));
        REQUIRE(becomes_true([&] { return cfg.current().revision() >= revision; }, 15s));
        CHECK(cfg.current().get<int>("n").value() == n);
        const auto pause = steady::now() + (n % 4 ? 50ms : 2500ms);   // longer than a token lives
        CHECK_FALSE(becomes_true([&] { return cfg.current().get<int>("n").value() != n; }, pause - steady::now()));
    }
    CHECK(n > 20);
    CHECK(saw.faults() == 0);
    CHECK(saw.names().size() == static_cast<std::size_t>(n));
    // a start late in the game, when the client's token has long expired
    CHECK(stopped(cfg) < 1s);
    CHECK(started(cfg).ok());
    CHECK(stopped(cfg) < 1s);
}

TEST_CASE("an etcd that appears after start is taken up", "[manager_outages]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    REQUIRE(etcd.terminate());
    io_threads io(2);
    config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), quick());
    const start_report r = started(cfg);
    CHECK(r.state == config_state::local);
    CHECK(r.origin == origin::environment);
    CHECK(r.cause.code == asio::error::connection_refused);
    CHECK(cfg.current().get<std::string>("host").value() == "env-host");
    auto next = cfg.changed_since(cfg.current().revision(), asio::use_future);
    etcd.start();
    CHECK(next.get().get<std::string>("host").value() == "db1");
    CHECK(becomes_true([&] { return is_live(cfg); }));
    CHECK(cfg.status().origin == origin::etcd);
    CHECK(cfg.current().info("host")->from == origin::etcd);
    CHECK(stopped(cfg) < 1s);
}

TEST_CASE("stop is quick in every state", "[manager_outages]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    io_threads io(2);
    std::vector<std::chrono::milliseconds> took;
    const auto options = [] {
        manager_options o = quick();
        o.client.backoff.first = o.client.backoff.most = 20s;   // stop() must not wait for it
        o.start_timeout = 30s;
        return o;
    };
    const auto begun = [&](config_manager& cfg) { cfg.start([](error_code, const start_report&) {}); };
    for (int round = 0; round < 20; ++round) {
        {   // idle
            config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
            took.push_back(stopped(cfg));
        }
        {   // anywhere in a start
            config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
            begun(cfg);
            (void)becomes_true([] { return false; }, std::chrono::microseconds(round * 300));
            took.push_back(stopped(cfg));
        }
        {   // live
            config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
            REQUIRE(started(cfg).ok());
            admin.put("/app/Host", std::to_string(round));
            took.push_back(stopped(cfg));
        }
    }
    {   // from within a callback, twice
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
        REQUIRE(started(cfg).ok());
        std::promise<void> both;
        std::atomic<int> left{2};
        const subscription sub = cfg.subscribe([&](const snapshot&, const snapshot&) {
            for (int i = 0; i < 2; ++i)
                cfg.stop([&](error_code) {
                    if (--left == 0) both.set_value();
                });
        });
        const auto begin = steady::now();
        admin.put("/app/Host", "callback");
        both.get_future().get();
        took.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - begin));
    }
    {   // stale, in the pause between two tries
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
        REQUIRE(started(cfg).ok());
        etcd.kill();
        REQUIRE(becomes_true([&] { return cfg.status().state == config_state::stale; }));
        took.push_back(stopped(cfg));
    }
    {   // fallen back
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
        CHECK(started(cfg).state == config_state::local);
        took.push_back(stopped(cfg));
    }
    etcd.start();
    {   // live at a member that has fallen silent, then starting at one
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
        REQUIRE(started(cfg).ok());
        etcd.pause();
        took.push_back(stopped(cfg));
        for (int round = 0; round < 5; ++round) {
            begun(cfg);
            (void)becomes_true([] { return false; }, std::chrono::milliseconds(round * 5));
            took.push_back(stopped(cfg));
        }
        config_manager with_login(io.get_executor(), app_schema(), at(etcd.endpoint(), as_user("a", "b")), options());
        begun(with_login);
        (void)becomes_true([] { return false; }, 20ms);
        took.push_back(stopped(with_login));
        etcd.resume();
    }
    {   // a name that does not resolve
        config_manager cfg(io.get_executor(), app_schema(), at("http://no-such-host.invalid:2379"), options());
        begun(cfg);
        took.push_back(stopped(cfg));
    }
    std::sort(took.begin(), took.end());
    const auto p99 = took[took.size() * 99 / 100];
    WARN(binary << ": of " << took.size() << " stops the median took " << took[took.size() / 2].count() << " ms, p99 " << p99.count()
                << " ms, the slowest " << took.back().count() << " ms");
    CHECK(p99 < 1s);
}

TEST_CASE("a destroyed manager leaves nothing behind", "[manager_outages]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    relay wire(etcd.port());
    const auto begin = steady::now();
    {
        io_threads io(2);   // ends when all work has
        for (int round = 0; round < 20; ++round) {
            config_manager cfg(io.get_executor(), app_schema(), at(wire.endpoint()), quick());
            cfg.start([](error_code, const start_report&) {});
            if (round % 2) REQUIRE(becomes_true([&] { return is_live(cfg); }));
            if (round % 4 == 3) admin.put("/app/Host", std::to_string(round));
        }
    }
    CHECK(becomes_true([&] { return wire.connections() == 0; }));
    CHECK(steady::now() - begin < 30s);
}
