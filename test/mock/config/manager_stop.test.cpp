#include "mock/config/manager_fixture.hpp"

#include <stdexcept>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

// Stopping

TEST_CASE("stop ends every state", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        const auto options = f.options();

        SECTION("idle") {
            config_manager cfg(ex, app_schema(), f.src, options);
            co_await cfg.stop();
            co_await cfg.stop();
            CHECK(cfg.status().state == config_state::stopped);
        }
        SECTION("while start waits") {
            config_manager cfg(ex, app_schema(), f.src, options);
            std::optional<error_code> started, got, news;
            cfg.start([&](error_code ec, const start_report&) { started = ec; });
            cfg.get_all_configs([&](error_code ec, const snapshot&) { got = ec; });
            cfg.changed_since(0, [&](error_code ec, const snapshot&) { news = ec; });
            co_await until([&] { return f.src->drained(); });
            CHECK_FALSE(started);
            co_await cfg.stop();
            CHECK(cfg.status().state == config_state::stopped);
            co_await until([&] { return started && got && news; });
            CHECK(*started == errc::not_running);
            CHECK(*got == errc::not_running);
            CHECK(*news == errc::not_running);
            CHECK(f.src->cancelled() == 1);
        }
        SECTION("in the same turn as start") {
            config_manager cfg(ex, app_schema(), f.src, options);
            std::optional<error_code> started;
            cfg.start([&](error_code ec, const start_report&) { started = ec; });
            co_await cfg.stop();
            co_await until([&] { return started.has_value(); });
            CHECK(*started == errc::not_running);
            CHECK(cfg.status().state == config_state::stopped);
        }
        SECTION("fallen back") {
            config_manager cfg(ex, app_schema(), f.src, options);
            f.src->push(interrupted());
            co_await cfg.start();
            co_await cfg.stop();
            CHECK(cfg.status().state == config_state::stopped);
            CHECK_FALSE(cfg.status().cause.code);
        }
        SECTION("live, with callbacks, of which none comes later") {
            config_manager cfg(ex, app_schema(), f.src, options);
            f.goes_live();
            co_await cfg.start();
            unsigned calls = 0;
            const subscription a = cfg.subscribe([&](const snapshot&, const snapshot&) { ++calls; });
            const subscription b = cfg.subscribe_status([&](const dynconf::status&) { ++calls; });
            const subscription c = cfg.subscribe_rejections([&](const rejection&) { ++calls; });
            for (int i = 0; i < 100; ++i)
                f.src->push(changed(10 + i, {{"/app/Port", i % 2 ? std::to_string(i) : "bad"}}));
            co_await cfg.stop();
            const unsigned at_stop = calls;
            f.src->push(changed(200, {{"/app/Port", "1"}}));
            f.src->push(interrupted());
            co_await settle();
            CHECK(calls == at_stop);
            CHECK(cfg.status().state == config_state::stopped);
        }
        SECTION("stale") {
            config_manager cfg(ex, app_schema(), f.src, options);
            f.goes_live();
            f.src->push(interrupted());
            co_await cfg.start();
            co_await until([&] { return cfg.status().state == config_state::stale; });
            co_await cfg.stop();
            CHECK(cfg.status().state == config_state::stopped);
            CHECK(cfg.current().get<int>("port").value() == 81);
        }
        SECTION("within a callback") {
            config_manager cfg(ex, app_schema(), f.src, options);
            f.goes_live();
            co_await cfg.start();
            bool stopped = false;
            bool called_after = false;
            bool returned = false;
            const subscription a = cfg.subscribe([&](const snapshot&, const snapshot&) {
                cfg.stop([&](error_code ec) {
                    CHECK_FALSE(ec);
                    CHECK(returned);
                    stopped = true;
                });
                returned = true;
            });
            const subscription b = cfg.subscribe([&](const snapshot&, const snapshot&) { called_after |= stopped; });
            for (int i = 0; i < 10; ++i) f.src->push(changed(10 + i, {{"/app/Port", std::to_string(i)}}));
            co_await until([&] { return stopped; });
            co_await settle();
            CHECK_FALSE(called_after);
            CHECK(cfg.status().state == config_state::stopped);
            CHECK(f.src->closed() == 1);
        }
        SECTION("twice at once") {
            config_manager cfg(ex, app_schema(), f.src, options);
            f.goes_live();
            co_await cfg.start();
            int stopped = 0;
            for (int i = 0; i < 3; ++i) cfg.stop([&](error_code ec) { stopped += ec ? 100 : 1; });
            co_await until([&] { return stopped != 0; });
            CHECK(cfg.status().state == config_state::stopped);
            co_await until([&] { return stopped == 3; });
            CHECK(f.src->closed() == 1);
        }
    });
}

TEST_CASE("a manager starts again after stop", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        for (revision_t revision = 10; revision < 15; ++revision) {
            f.goes_live(revision);
            const start_report r = co_await cfg.start();
            CHECK(r.revision == revision);
            CHECK(cfg.status().state == config_state::live);
            f.src->push(changed(revision * 100, {{"/app/Port", std::to_string(revision)}}));
            const snapshot next = co_await cfg.changed_since(revision);
            CHECK(next.get<int>("port").value() == revision);
            co_await cfg.stop();
        }
        // without etcd: the last good copy, not the environment
        f.src->push(interrupted());
        const start_report r = co_await cfg.start();
        CHECK(r.state == config_state::stale);
        CHECK(r.origin == origin::etcd);
        CHECK(r.cause.code == asio::error::connection_refused);
        CHECK(cfg.current().get<int>("port").value() == 14);
    });
}

TEST_CASE("a status callback may start the manager again when it says stopped", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        std::optional<error_code> restarted;
        std::vector<config_state> first, second;
        const subscription a = cfg.subscribe_status([&](const dynconf::status& s) {
            first.push_back(s.state);
            if (s.state == config_state::stopped && !restarted)
                cfg.start([&](error_code ec, const start_report&) { restarted = ec; });
        });
        const subscription b = cfg.subscribe_status([&](const dynconf::status& s) { second.push_back(s.state); });
        f.goes_live();
        co_await cfg.start();
        f.goes_live(4);
        co_await cfg.stop();
        co_await until([&] { return restarted.has_value(); });
        CHECK_FALSE(*restarted);
        CHECK(cfg.status().state == config_state::live);
        CHECK(first == second);
    });
}

TEST_CASE("a waiter that a quick stop and start overtake still hears of the stop", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), std::shared_ptr<source>(), f.options());
        co_await cfg.start();
        std::optional<error_code> news;
        cfg.changed_since(0, [&](error_code ec, const snapshot&) { news = ec; });
        int done = 0;
        cfg.stop([&](error_code) { ++done; });
        cfg.start([&](error_code, const start_report&) { ++done; });
        co_await until([&] { return done == 2 && news; });
        CHECK(*news == errc::not_running);
    });
}

TEST_CASE("a manager destroyed with everything outstanding ends it all", "[manager]") {
    fixture f;
    SECTION("while it starts") {
        test::run([&]() -> asio::awaitable<void> {
            const asio::any_io_executor ex = co_await asio::this_coro::executor;
            std::vector<error_code> ended;
            unsigned calls = 0;
            std::vector<subscription> subs;
            {
                config_manager cfg(ex, app_schema(), f.src, f.options());
                subs.push_back(cfg.subscribe([&](const snapshot&, const snapshot&) { ++calls; }));
                subs.push_back(cfg.subscribe_status([&](const dynconf::status&) { ++calls; }));
                cfg.start([&](error_code ec, const start_report&) { ended.push_back(ec); });
                cfg.get_all_configs([&](error_code ec, const snapshot&) { ended.push_back(ec); });
                cfg.changed_since(0, [&](error_code ec, const snapshot&) { ended.push_back(ec); });
                co_await until([&] { return f.src->drained(); });
                calls = 0;
            }
            co_await until([&] { return ended.size() == 3; });
            CHECK(ended == std::vector<error_code>(3, errc::not_running));
            CHECK(calls == 0);
        });
    }
    SECTION("while it runs, with steps ready to be taken") {
        test::run([&]() -> asio::awaitable<void> {
            const asio::any_io_executor ex = co_await asio::this_coro::executor;
            std::vector<error_code> ended;
            unsigned calls = 0;
            std::vector<subscription> subs;
            {
                config_manager cfg(ex, app_schema(), f.src, f.options());
                f.goes_live();
                co_await cfg.start();
                subs.push_back(cfg.subscribe([&](const snapshot&, const snapshot&) { ++calls; }));
                subs.push_back(cfg.subscribe("port", [&](const value&, const value&) { ++calls; }));
                subs.push_back(cfg.subscribe_status([&](const dynconf::status&) { ++calls; }));
                subs.push_back(cfg.subscribe_rejections([&](const rejection&) { ++calls; }));
                cfg.changed_since(3, [&](error_code ec, const snapshot&) { ended.push_back(ec); });
                cfg.changed_since(3, [&](error_code ec, const snapshot&) { ended.push_back(ec); });
                f.src->push(changed(4, {{"/app/Port", "1"}}));
                f.src->push(changed(5, {{"/app/Port", "x"}}));
                f.src->push(interrupted());
            }
            co_await until([&] { return ended.size() == 2; });
            co_await settle();
            CHECK(calls == 0);
            CHECK(f.src->closed() == 1);
            subs.clear();   // after the manager
        });
    }
    SECTION("while one stop waits for another") {
        test::run([&]() -> asio::awaitable<void> {
            const asio::any_io_executor ex = co_await asio::this_coro::executor;
            int stopped = 0;
            {
                config_manager cfg(ex, app_schema(), f.src, f.options());
                f.goes_live();
                co_await cfg.start();
                cfg.stop([&](error_code) { ++stopped; });
                cfg.stop([&](error_code) { ++stopped; });
            }
            co_await until([&] { return stopped == 2; });
        });
    }
    SECTION("while somebody waits for a state") {
        test::run([&]() -> asio::awaitable<void> {
            const asio::any_io_executor ex = co_await asio::this_coro::executor;
            std::vector<error_code> ended;
            std::optional<config_state> state;
            const auto note = [&](error_code ec, const dynconf::status&) { ended.push_back(ec); };
            {
                config_manager idle(ex, app_schema(), f.src, f.options()), ran(ex, app_schema(), f.src, f.options()), runs(ex, app_schema(), f.src, f.options());
                idle.state_other_than(config_state::stopped, note);
                f.goes_live();
                co_await ran.start();
                co_await ran.stop();
                ran.state_other_than(config_state::stopped, note);
                f.goes_live();
                co_await runs.start();
                runs.state_other_than(config_state::live, [&](error_code ec, const dynconf::status& s) {
                    CHECK_FALSE(ec);
                    state = s.state;
                });
                co_await settle();
                CHECK(ended.empty());
            }
            co_await until([&] { return ended.size() == 2 && state; });
            CHECK(ended == std::vector<error_code>(2, errc::not_running));
            CHECK(state == config_state::stopped);
        });
    }
    SECTION("within its own callback") {
        test::run([&]() -> asio::awaitable<void> {
            const asio::any_io_executor ex = co_await asio::this_coro::executor;
            auto cfg = std::make_unique<config_manager>(ex, app_schema(), f.src, f.options());
            f.goes_live();
            co_await cfg->start();
            unsigned calls = 0;
            const subscription a = cfg->subscribe([&](const snapshot&, const snapshot&) {
                ++calls;
                cfg.reset();
            });
            const subscription b = cfg->subscribe([&](const snapshot&, const snapshot&) { ++calls; });
            f.src->push(changed(4, {{"/app/Port", "1"}}));
            f.src->push(changed(5, {{"/app/Port", "2"}}));
            co_await until([&] { return f.src->closed() == 1; });
            CHECK(calls == 1);
        });
    }
    SECTION("with its context") {
        asio::io_context io;
        config_manager* left = nullptr;
        asio::co_spawn(io, [&]() -> asio::awaitable<void> {
            const asio::any_io_executor ex = co_await asio::this_coro::executor;
            config_manager cfg(ex, app_schema(), f.src, f.options());
            left = &cfg;
            f.goes_live();
            co_await cfg.start();
            (void)co_await cfg.changed_since(3);
        }, [](std::exception_ptr) {});
        io.run_for(50ms);
        REQUIRE(left);
    }
}

TEST_CASE("a manager that is moved goes on", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager first(ex, app_schema(), f.src, f.options());
        f.goes_live();
        co_await first.start();
        config_manager second(std::move(first));
        f.src->push(changed(4, {{"/app/Port", "1"}}));
        const snapshot next = co_await second.changed_since(3);
        CHECK(next.get<int>("port").value() == 1);
        co_await second.stop();
    });
}

TEST_CASE("wrong arguments are refused by the constructor", "[manager]") {
    asio::io_context io;
    const auto ex = io.get_executor();
    CHECK_THROWS_AS(
        config_manager(ex, std::shared_ptr<const schema>(), std::shared_ptr<source>()), std::invalid_argument);
    CHECK_THROWS_AS(config_manager(ex, app_schema(), settings{}), std::invalid_argument);
    settings nonsense;
    nonsense.endpoints = {"http://one:two:three"};
    CHECK_THROWS_AS(config_manager(ex, app_schema(), nonsense), std::invalid_argument);
    settings local;
    local.use_local_config = true;
    CHECK_NOTHROW(config_manager(ex, app_schema(), local));
}
