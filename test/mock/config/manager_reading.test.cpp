#include "mock/config/manager_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("get_all_configs is at hand at once when there is a snapshot", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        f.goes_live();
        co_await cfg.start();
        bool turned = false;
        asio::post(ex, [&] { turned = true; });
        for (int i = 0; i < 100; ++i) {
            const snapshot now = co_await cfg.get_all_configs();
            CHECK(now == cfg.current());
        }
        CHECK_FALSE(turned);   // nothing else came to run meanwhile
        co_await settle(1);
        CHECK(turned);
        auto [ec, same] = co_await cfg.get_all_configs(as_values);
        CHECK_FALSE(ec);
        CHECK(same == cfg.current());
    });
}

TEST_CASE("get_all_configs waits while the manager starts, and fails when it does not run", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        auto [before, none] = co_await cfg.get_all_configs(as_values);
        CHECK(before == errc::not_running);
        error_code thrown;
        try {
            (void)co_await cfg.get_all_configs();
        } catch (const exception& e) {
            thrown = e.code();
        }
        CHECK(thrown == errc::not_running);

        cfg.start([](error_code, const start_report&) {});
        std::optional<snapshot> by_callback, by_default;
        cfg.get_all_configs([&](error_code ec, const snapshot& s) {
            CHECK_FALSE(ec);
            by_callback = s;
        });
        auto wait = [&]() -> asio::awaitable<void> { by_default = co_await cfg.get_all_configs(); };
        asio::co_spawn(ex, std::move(wait), [](std::exception_ptr e) { CHECK_FALSE(e); });
        co_await until([&] { return f.src->drained(); });
        co_await settle();
        CHECK_FALSE(by_callback);
        CHECK_FALSE(by_default);
        f.goes_live();
        co_await until([&] { return by_callback && by_default; });
        CHECK(by_callback->revision() == 3);
        CHECK(by_default->revision() == 3);

        co_await until([&] { return cfg.status().state == config_state::live; });
        co_await cfg.stop();
        auto [after, gone] = co_await cfg.get_all_configs(as_values);
        CHECK(after == errc::not_running);
    });
}

TEST_CASE("changed_since gives the first snapshot with another value", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        auto [early, none] = co_await cfg.changed_since(0, as_values);
        CHECK(early == errc::not_running);
        f.goes_live();
        co_await cfg.start();

        SECTION("at once when it is newer already") {
            for (const revision_t since : {0, 1, 2}) {
                const snapshot now = co_await cfg.changed_since(since);
                CHECK(now.revision() == 3);
            }
        }
        SECTION("when it is published, and not for what changes no value") {
            std::vector<revision_t> seen;
            for (int i = 0; i < 3; ++i)   // several waiters
                cfg.changed_since(3, [&](error_code ec, const snapshot& s) {
                    CHECK_FALSE(ec);
                    seen.push_back(s.revision());
                });
            f.src->push(changed(4, {{"/app/Unknown", "1"}}));
            f.src->push(changed(5, {{"/app/Port", "81"}}));
            f.src->push(changed(6, {{"/app/Port", "bad"}}));
            f.src->push(interrupted());
            f.src->push(connected());
            co_await until([&] { return f.src->drained(); });
            co_await settle();
            CHECK(seen.empty());
            CHECK(cfg.current().revision() == 6);
            f.src->push(changed(7, {{"/app/Port", "82"}}));
            co_await until([&] { return seen.size() == 3; });
            CHECK(seen == std::vector<revision_t>(3, 7));
        }
        SECTION("steps in between are skipped") {
            for (int i = 10; i < 60; ++i) f.src->push(changed(i, {{"/app/Port", std::to_string(i)}}));
            co_await until([&] { return f.src->drained(); });
            const snapshot next = co_await cfg.changed_since(3);
            CHECK(next.revision() == 59);
            CHECK(next.get<int>("port").value() == 59);
            const snapshot same = co_await cfg.changed_since(30);
            CHECK(same.revision() == 59);
        }
        SECTION("a follower misses no last value") {
            std::vector<int> ports;
            auto follow = [&]() -> asio::awaitable<void> {
                snapshot now = cfg.current();
                while (ports.empty() || ports.back() != 59) {
                    now = co_await cfg.changed_since(now.revision());
                    ports.push_back(now.get<int>("port").value());
                }
            };
            bool done = false;
            asio::co_spawn(ex, std::move(follow), [&](std::exception_ptr e) {
                CHECK_FALSE(e);
                done = true;
            });
            for (int i = 10; i < 60; ++i) {
                f.src->push(changed(i, {{"/app/Port", std::to_string(i)}}));
                if (i % 7 == 0) co_await settle(5);
            }
            co_await until([&] { return done; });
            CHECK(std::is_sorted(ports.begin(), ports.end()));
        }
        SECTION("cancelled") {
            for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::total}) {
                asio::cancellation_signal signal;
                std::optional<error_code> ended;
                cfg.changed_since(3,
                    asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, const snapshot&) { ended = ec; }));
                co_await settle();
                CHECK_FALSE(ended);
                signal.emit(type);
                CHECK_FALSE(ended);
                co_await until([&] { return ended.has_value(); });
                CHECK(*ended == asio::error::operation_aborted);
            }
            CHECK(cfg.status().state == config_state::live);
        }
        SECTION("stopped") {
            std::optional<error_code> ended;
            cfg.changed_since(3, [&](error_code ec, const snapshot&) { ended = ec; });
            co_await settle();
            co_await cfg.stop();
            co_await until([&] { return ended.has_value(); });
            CHECK(*ended == errc::not_running);
            auto [late, gone] = co_await cfg.changed_since(0, as_values);
            CHECK(late == errc::not_running);
        }
        SECTION("the store went back") {
            f.src->push(changed(50, {{"/app/Port", "82"}}));
            co_await until([&] { return f.src->drained(); });
            std::optional<revision_t> seen;
            cfg.changed_since(50, [&](error_code ec, const snapshot& s) {
                CHECK_FALSE(ec);
                seen = s.revision();
            });
            co_await settle();
            CHECK_FALSE(seen);
            f.src->push(resynced(9, {{"/app/Port", "82"}, {"/app/Host", "db1"}}));   // another store, the same values
            co_await until([&] { return seen.has_value(); });
            CHECK(*seen == 9);
            const snapshot again = co_await cfg.changed_since(50);
            CHECK(again.revision() == 9);
        }
        SECTION("the store went back, and came further than before") {
            f.src->push(changed(100, {{"/app/Port", "82"}}));
            f.src->push(resynced(50, {{"/app/Port", "83"}}));
            f.src->push(changed(120, {{"/app/Unknown", "1"}}));   // no value of ours
            co_await until([&] { return f.src->drained(); });
            for (const revision_t before : {3, 100}) {
                const snapshot now = co_await cfg.changed_since(before);
                CHECK(now.revision() == 120);
                CHECK(now.get<int>("port").value() == 83);
            }
            // Who goes on from there waits, also while the new store has not come to where the other was.
            f.src->push(resynced(60, {{"/app/Port", "83"}}));
            co_await until([&] { return f.src->drained(); });
            std::vector<revision_t> seen;
            const auto note = [&](error_code ec, const snapshot& s) {
                CHECK_FALSE(ec);
                seen.push_back(s.revision());
            };
            cfg.changed_since(60, note);
            f.src->push(changed(70, {{"/app/Unknown", "1"}}));
            co_await until([&] { return f.src->drained(); });
            cfg.changed_since(70, note);
            co_await settle();
            CHECK(seen.empty());
            f.src->push(changed(80, {{"/app/Port", "84"}}));
            co_await until([&] { return seen.size() == 2; });
            CHECK(seen == std::vector<revision_t>(2, 80));
        }
    });
}

TEST_CASE("changed_since goes from the environment to etcd", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        f.src->push(interrupted());
        co_await cfg.start();
        std::optional<snapshot> seen;
        cfg.changed_since(cfg.current().revision(), [&](error_code, const snapshot& s) { seen = s; });
        co_await settle();
        CHECK_FALSE(seen);
        f.goes_live();
        co_await until([&] { return seen.has_value(); });
        CHECK(seen->origin() == origin::etcd);
    });
}

// Subscriptions

TEST_CASE("a change is told once for each step, with before and after", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        f.goes_live();
        co_await cfg.start();
        std::vector<std::pair<snapshot, snapshot>> told;
        const subscription sub = cfg.subscribe([&](const snapshot& before, const snapshot& after) {
            CHECK(after == cfg.current());
            told.emplace_back(before, after);
        });
        std::vector<std::pair<value, value>> ports, regions, nothing;
        const subscription port =
            cfg.subscribe("port", [&](const value& before, const value& after) { ports.emplace_back(before, after); });
        const subscription region =
            cfg.subscribe("region", [&](const value& b, const value& a) { regions.emplace_back(b, a); });
        const subscription other =
            cfg.subscribe("unheard of", [&](const value& b, const value& a) { nothing.emplace_back(b, a); });

        f.src->push(changed(4, {{"/app/Port", "82"}, {"/app/Host", "db2"}}));
        f.src->push(changed(5, {{"/app/Port", "82"}}));       // the same value
        f.src->push(changed(6, {{"/app/Host", "db3"}}));
        f.src->push(changed(7, {{"/app/Elsewhere", "1"}}));   // no setting
        f.src->push(changed(8, {{"/app/Port", "bad"}}));      // refused
        f.src->push(changed(9, {}, {"/app/Port"}));
        co_await until([&] { return f.src->drained(); });

        REQUIRE(told.size() == 3);
        CHECK(told[0].first.revision() == 3);
        CHECK(told[0].second.revision() == 4);
        CHECK(changed_names(told[0].first, told[0].second) == std::vector<std::string>{"host", "port"});
        CHECK(changed_names(told[1].first, told[1].second) == std::vector<std::string>{"host"});
        CHECK(changed_names(told[2].first, told[2].second) == std::vector<std::string>{"port"});
        CHECK(ports == std::vector<std::pair<value, value>>{{value(81), value(82)}, {value(82), value(80)}});
        CHECK(regions.empty());
        CHECK(nothing.empty());
        CHECK(told[0].first.serial() < told[0].second.serial());
    });
}

TEST_CASE("null stands for a name that comes or goes", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, open_schema(), f.src, f.options());
        std::vector<std::pair<value, value>> told;
        const subscription sub =
            cfg.subscribe("Host", [&](const value& before, const value& after) { told.emplace_back(before, after); });
        f.goes_live();
        co_await cfg.start();
        f.src->push(changed(4, {}, {"/app/Host"}));
        f.src->push(changed(5, {{"/app/Host", "back"}}));
        co_await until([&] { return f.src->drained(); });
        CHECK(told == std::vector<std::pair<value, value>>{
            {value(), value("db1")}, {value("db1"), value()}, {value(), value("back")}});
    });
}

TEST_CASE("a resync tells real differences only, and never an empty configuration", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        f.goes_live();
        co_await cfg.start();
        unsigned told = 0;
        const subscription sub = cfg.subscribe([&](const snapshot& before, const snapshot& after) {
            ++told;
            CHECK(changed_names(before, after) == std::vector<std::string>{"region"});
            CHECK(after.get<int>("port").value() == 81);
        });
        f.src->push(interrupted(errc::history_lost));
        f.src->push(resynced(40, {}));
        f.src->push(resynced(50, {{"/app/Region", "south"}, {"/app/Port", "81"}}));
        co_await until([&] { return f.src->drained(); });
        CHECK(told == 1);
        CHECK(cfg.status().resyncs == 2);
        CHECK(cfg.current().revision() == 50);
    });
}

TEST_CASE("an exception in a callback is logged and harms nobody", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        unsigned others = 0;
        const subscription a =
            cfg.subscribe([](const snapshot&, const snapshot&) { throw std::runtime_error("change thrown"); });
        const subscription b =
            cfg.subscribe_status([](const dynconf::status&) { throw std::runtime_error("status thrown"); });
        const subscription c = cfg.subscribe_rejections([](const rejection&) { throw 7; });
        const subscription d = cfg.subscribe([&](const snapshot&, const snapshot&) { ++others; });
        f.goes_live();
        const start_report report = co_await cfg.start();
        CHECK(report.ok());
        f.src->push(changed(4, {{"/app/Port", "1"}}));
        f.src->push(changed(5, {{"/app/Port", "x"}}));
        f.src->push(changed(6, {{"/app/Port", "2"}}));
        co_await until([&] { return f.src->drained(); });
        CHECK(others == 3);
        CHECK(f.logged("change thrown"));
        CHECK(f.logged("status thrown"));
        CHECK(f.logged("a rejection callback"));
        CHECK(cfg.current().get<int>("port").value() == 2);
        CHECK(cfg.status().state == config_state::live);
    });
}

TEST_CASE("a subscription ends by itself, by others, and after the manager", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        std::optional<config_manager> cfg;
        cfg.emplace(ex, app_schema(), f.src, f.options());
        f.goes_live();
        co_await cfg->start();
        unsigned own = 0, by_other = 0, replaced = 0, kept = 0;
        auto captured = std::make_shared<int>(1);
        subscription within, victim;
        within = cfg->subscribe([&, captured](const snapshot&, const snapshot&) {
            ++own;
            within.cancel();
            victim.cancel();
            CHECK(captured.use_count() > 1);   // what a running callback holds stays
        });
        victim = cfg->subscribe([&](const snapshot&, const snapshot&) { ++by_other; });
        subscription moved = cfg->subscribe([&](const snapshot&, const snapshot&) { ++replaced; });
        subscription target = cfg->subscribe([&](const snapshot&, const snapshot&) { ++kept; });
        moved = std::move(target);
        CHECK(moved);
        CHECK_FALSE(target);
        f.src->push(changed(4, {{"/app/Port", "1"}}));
        f.src->push(changed(5, {{"/app/Port", "2"}}));
        co_await until([&] { return f.src->drained(); });
        CHECK(own == 1);
        CHECK(by_other == 0);
        CHECK(replaced == 0);
        CHECK(kept == 2);
        CHECK_FALSE(within);
        CHECK(captured.use_count() == 1);   // and is let go with the subscription
        cfg.reset();
        moved.cancel();
        moved.cancel();
    });
}

TEST_CASE("callbacks may subscribe, read and ask", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        f.goes_live();
        co_await cfg.start();
        std::vector<subscription> more;
        unsigned inner = 0;
        std::vector<revision_t> asked;
        bool returned = true;
        const subscription a = cfg.subscribe([&](const snapshot&, const snapshot& after) {
            returned = false;
            more.push_back(cfg.subscribe([&](const snapshot&, const snapshot&) { ++inner; }));
            cfg.get_all_configs([&](error_code ec, const snapshot& s) {
                CHECK_FALSE(ec);
                CHECK(returned);
                asked.push_back(s.revision());
            });
            CHECK(cfg.status().revision == after.revision());
            returned = true;
        });
        f.src->push(changed(4, {{"/app/Port", "1"}}));
        co_await until([&] { return asked.size() == 1; });
        CHECK(inner == 0);
        f.src->push(changed(5, {{"/app/Port", "2"}}));
        co_await until([&] { return asked.size() == 2; });
        CHECK(inner == 1);
        CHECK(asked == std::vector<revision_t>{4, 5});
    });
}
