#include "mock/config/manager_fixture.hpp"

#include <stdexcept>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

// Starting

TEST_CASE("a manager starts live", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        CHECK(cfg.status().state == config_state::stopped);
        CHECK(cfg.current().origin() == origin::none);
        CHECK(f.src->opened() == 0);
        f.goes_live();
        const start_report r = co_await cfg.start();
        CHECK(r.ok());
        CHECK(r.state == config_state::live);
        CHECK(r.origin == origin::etcd);
        CHECK(r.revision == 3);
        CHECK(r.missing == std::vector<std::string>{"region"});
        CHECK(f.src->ranges() == std::vector<key_range>{key_range::prefix("/app/")});
        CHECK(cfg.current().get<int>("port").value() == 81);
        const dynconf::status s = cfg.status();
        CHECK(s.state == config_state::live);
        CHECK(s.origin == origin::etcd);
        CHECK(s.revision == 3);
        CHECK(s.cluster_id == 7);
        CHECK(s.endpoint == "http://one:2379");
        CHECK_FALSE(s.cause.code);
        CHECK(s.updates == 1);
        co_await cfg.stop();
        CHECK(cfg.status().state == config_state::stopped);
        CHECK(cfg.status().endpoint.empty());
        CHECK(cfg.current().revision() == 3);   // stays readable
        CHECK(f.src->closed() == 1);
    });
}

TEST_CASE("without etcd a manager serves the environment, and changes over when etcd appears", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        std::vector<std::pair<snapshot, snapshot>> told;
        const subscription sub =
            cfg.subscribe([&](const snapshot& before, const snapshot& after) { told.emplace_back(before, after); });
        std::vector<std::pair<config_state, origin>> states;
        const subscription status_sub =
            cfg.subscribe_status([&](const dynconf::status& s) { states.emplace_back(s.state, s.origin); });

        f.src->push(interrupted(asio::error::connection_refused, "range at one"));
        const start_report r = co_await cfg.start();
        CHECK_FALSE(r.ok());
        CHECK(r.state == config_state::local);
        CHECK(r.origin == origin::environment);
        CHECK(r.cause.code == asio::error::connection_refused);
        CHECK(r.missing == std::vector<std::string>{"region"});
        CHECK(r.missing_required.empty());
        CHECK(cfg.status().cause.code == asio::error::connection_refused);
        CHECK(cfg.status().interruptions == 1);
        CHECK(cfg.current().get<std::string>("host").value() == "env-host");
        REQUIRE(told.size() == 1);
        CHECK(told[0].first.origin() == origin::none);

        // another cause, the same state
        f.src->push(interrupted(errc::deadline_exceeded));
        co_await until([&] { return f.src->drained(); });
        CHECK(cfg.status().state == config_state::local);
        CHECK(cfg.status().cause.code == errc::deadline_exceeded);

        f.goes_live(9);
        co_await until([&] { return f.src->drained(); });
        CHECK(cfg.status().state == config_state::live);
        CHECK(cfg.status().origin == origin::etcd);
        CHECK_FALSE(cfg.status().cause.code);
        CHECK(cfg.current().origin() == origin::etcd);
        CHECK(cfg.current().get<std::string>("host").value() == "db1");
        CHECK(cfg.current().get<int>("port").value() == 81);
        REQUIRE(told.size() == 2);
        CHECK(told[1].first.get<std::string>("host").value() == "env-host");
        CHECK(told[1].first.origin() == origin::environment);
        CHECK(told[1].second.get<std::string>("host").value() == "db1");
        CHECK(told[1].second.revision() == 9);
        // "local" and "starting" never go with etcd's values
        const std::vector<std::pair<config_state, origin>> expected = {{config_state::starting, origin::none},
            {config_state::local, origin::environment}, {config_state::local, origin::environment},
            {config_state::stale, origin::etcd}, {config_state::live, origin::etcd}};
        CHECK(states == expected);
        co_await cfg.stop();
    });
}

TEST_CASE("what is missing everywhere is said", "[manager]") {
    fixture f;
    f.environment.clear();
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        f.src->push(interrupted());
        const start_report r = co_await cfg.start();
        CHECK(r.missing_required == std::vector<std::string>{"host"});
        CHECK(r.missing == std::vector<std::string>{"host", "port", "region"});
        REQUIRE(r.rejected.size() == 1);
        CHECK(r.rejected[0].reason.code == errc::required_missing);
        CHECK(cfg.current().get<int>("port").value() == 80);
    });
}

TEST_CASE("a required setting that an earlier start had is not missing, but refused", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        f.goes_live();
        co_await cfg.start();
        co_await cfg.stop();
        f.src->push(loaded(20, {{"/app/Port", "81"}}));
        f.src->push(connected());
        const start_report r = co_await cfg.start();
        CHECK(r.missing_required.empty());
        REQUIRE(r.rejected.size() == 1);
        CHECK(r.rejected[0].name == "host");
        CHECK(cfg.current().get<std::string>("host").value() == "db1");
    });
}

TEST_CASE("a strict start fails, and leaves the manager stopped and ready to start again", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        manager_options how = f.strict();
        how.start_timeout = 30ms;
        config_manager cfg(ex, app_schema(), f.src, how);
        struct failing_start { const char* what; std::vector<mirror_step> steps; error_code expected; };
        failing_start cases[] = {
            {"not reached", {interrupted(asio::error::connection_refused)}, asio::error::connection_refused},
            {"no answer", {}, errc::deadline_exceeded},
            {"wrong password", {interrupted(server_errc::auth_failed)}, server_errc::auth_failed},
            {"loaded, but no watch", {loaded(3, {{"/app/Host", "h"}}), interrupted(errc::not_acknowledged)},
                errc::not_acknowledged},
            {"required", {loaded(3, {{"/app/Port", "81"}}), connected()}, errc::required_missing},
            {"refused", {loaded(3, {{"/app/Host", "h"}, {"/app/Port", "x"}}), connected()}, errc::schema_violation},
        };
        unsigned starts = 0;
        for (auto& c : cases) {
            INFO(c.what);
            // a manager of its own where the last good values would help
            config_manager fresh(ex, app_schema(), f.src, how);
            for (mirror_step& s : c.steps) f.src->push(std::move(s));
            auto [ec, r] = co_await fresh.start(as_values);
            CHECK(ec == c.expected);
            CHECK(fresh.status().state == config_state::stopped);
            CHECK(f.src->left() == 0);
            CHECK(f.src->opened() == ++starts);
            CHECK(f.src->closed() == starts);
            auto [not_running, s] = co_await fresh.get_all_configs(as_values);
            CHECK(not_running == errc::not_running);
            f.goes_live(30);
            const start_report again = co_await fresh.start();
            ++starts;
            CHECK(again.ok());
            CHECK(fresh.status().state == config_state::live);
            co_await fresh.stop();
        }
    });
}

TEST_CASE("a start that takes too long falls back", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        manager_options how = f.options();
        how.start_timeout = 20ms;
        config_manager cfg(ex, app_schema(), f.src, how);
        const start_report r = co_await cfg.start();
        CHECK(r.state == config_state::local);
        CHECK(r.origin == origin::environment);
        CHECK(r.cause.code == errc::deadline_exceeded);
        f.goes_live();
        co_await until([&] { return f.src->drained(); });
        CHECK(cfg.status().state == config_state::live);
        co_await cfg.stop();

        // Loaded, but the watch is not confirmed in time: etcd's values stay, and they are stale.
        f.src->push(loaded(9, {{"/app/Host", "db2"}}));
        const start_report half = co_await cfg.start();
        CHECK(half.origin == origin::etcd);
        CHECK(half.state == config_state::stale);
        CHECK(half.cause.code == errc::deadline_exceeded);
        CHECK(cfg.current().get<std::string>("host").value() == "db2");
        f.src->push(connected());
        co_await until([&] { return f.src->drained(); });
        CHECK(cfg.status().state == config_state::live);
    });
}

TEST_CASE("a limit without end is none", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        manager_options how = f.options();
        how.start_timeout = std::chrono::milliseconds::max();
        config_manager cfg(ex, app_schema(), f.src, how);
        f.goes_live();
        const start_report last = co_await cfg.start();
        CHECK(last.ok());
    });
}

TEST_CASE("a second start fails, whatever the first one does", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        std::optional<error_code> first;
        cfg.start([&](error_code ec, const start_report&) { first = ec; });
        auto [ec, r] = co_await cfg.start(as_values);
        CHECK(ec == errc::already_running);
        CHECK_FALSE(first);
        f.goes_live();
        co_await until([&] { return first.has_value(); });
        CHECK_FALSE(*first);
        auto [again, r2] = co_await cfg.start(as_values);
        CHECK(again == errc::already_running);
        CHECK(cfg.status().state == config_state::live);
    });
}

TEST_CASE("a source or an environment that throws fails the start and nothing else", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        bool broken = true;
        manager_options how = f.options();
        how.look_up = [&](const std::string&) -> std::optional<std::string> {
            if (broken) throw std::runtime_error("no environment");
            return "5";
        };
        config_manager cfg(ex, app_schema(), f.src, how);
        f.src->refuse_to_open();
        auto [ec, r] = co_await cfg.start(as_values);
        CHECK(ec);
        CHECK(cfg.status().state == config_state::stopped);
        f.src->push(interrupted());
        auto [ec2, r2] = co_await cfg.start(as_values);
        CHECK(ec2);
        CHECK(cfg.status().state == config_state::stopped);
        CHECK(f.src->closed() == 1);
        co_await cfg.stop();
        broken = false;
        // next() that throws although nobody cancelled it: the manager goes on with what it has
        f.src->push(std::make_exception_ptr(std::runtime_error("broken source")));
        const start_report local = co_await cfg.start();
        CHECK(local.state == config_state::local);
        CHECK(local.cause.code);
        CHECK(f.logged("broken source"));
        co_await cfg.stop();
        f.goes_live();
        const start_report last = co_await cfg.start();
        CHECK(last.ok());
        f.src->push(std::make_exception_ptr(std::runtime_error("broken again")));
        co_await until([&] { return cfg.status().state == config_state::stale; });
        CHECK(cfg.status().endpoint.empty());
        CHECK(cfg.current().get<int>("port").value() == 81);
        co_await cfg.stop();
        // Also by a cancellation of its own, which is none of the manager's.
        f.goes_live();
        co_await cfg.start();
        const unsigned closed = f.src->closed();
        f.src->push(std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted)));
        co_await until([&] { return f.src->closed() == closed + 1; });
        co_await settle();
        CHECK(cfg.status().state == config_state::stale);
        CHECK(cfg.status().cause.code == asio::error::operation_aborted);
        CHECK(cfg.status().endpoint.empty());
        co_await cfg.stop();
    });
}

TEST_CASE("a schema that contradicts itself fails the start", "[manager]") {
    struct contradiction : schema {
        std::string get_config_prefix() const override { return "/x"; }
        name_map build_etcd_key_map() const override { return {{"/x/A", "a"}, {"/x/B", "a"}}; }
    };
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, std::make_shared<contradiction>(), f.src, f.options());
        auto [ec, r] = co_await cfg.start(as_values);
        CHECK(ec == errc::schema_violation);
        CHECK(cfg.status().state == config_state::stopped);
        CHECK(f.src->opened() == 0);
        co_await cfg.stop();
    });
}

TEST_CASE("local mode, and a schema of environment variables alone, ask no source", "[manager]") {
    struct environment_only : schema {
        std::string get_config_prefix() const override { return {}; }
        name_map build_etcd_key_map() const override { return {}; }
        name_map build_env_var_map() const override { return {{"host", "HOST"}}; }
    };
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager local(ex, app_schema(), std::shared_ptr<source>(), f.options());
        config_manager bare(ex, std::make_shared<environment_only>(), f.src, f.strict());
        for (config_manager* cfg : {&local, &bare}) {
            const start_report r = co_await cfg->start();
            CHECK(r.ok());
            CHECK(r.state == config_state::local);
            CHECK(r.origin == origin::environment);
            const snapshot now = co_await cfg->get_all_configs();
            CHECK(now.get<std::string>("host").value() == "env-host");
            co_await cfg->stop();
            CHECK(cfg->status().state == config_state::stopped);
        }
        // read anew by the next start
        f.environment["HOST"] = "other";
        co_await local.start();
        CHECK(local.current().get<std::string>("host").value() == "other");
        CHECK(f.src->opened() == 0);
    });
}

// Following

TEST_CASE("states and counters follow the watch", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        std::vector<std::pair<config_state, error_code>> states;
        const subscription sub =
            cfg.subscribe_status([&](const dynconf::status& s) { states.emplace_back(s.state, s.cause.code); });
        f.goes_live();
        co_await cfg.start();
        const auto live_since = cfg.status().since;
        f.src->push(changed(5, {{"/app/Port", "82"}}));
        f.src->push(changed(6, {{"/app/Unknown", "x"}}));
        f.src->push(changed(7, {{"/app/Port", "82"}}));    // an equal value
        f.src->push(interrupted(asio::error::connection_reset));
        f.src->push(interrupted(asio::error::connection_refused));
        f.src->push(interrupted(asio::error::connection_refused));
        co_await until([&] { return f.src->drained(); });
        dynconf::status s = cfg.status();
        CHECK(s.state == config_state::stale);
        CHECK(s.cause.code == asio::error::connection_refused);
        CHECK(s.endpoint.empty());
        CHECK(s.revision == 7);
        CHECK(s.updates == 2);
        CHECK(s.interruptions == 3);
        CHECK(s.since >= live_since);
        CHECK(cfg.current().get<int>("port").value() == 82);   // the last good values are served
        CHECK(cfg.current().info("port") == provenance{origin::etcd, 7});

        f.src->push(resynced(20, {{"/app/Port", "83"}}));
        f.src->push(connected("http://two:2379"));
        f.src->push(changed(21, {{"/app/Port", "bad"}}, {"/app/Host"}));
        co_await until([&] { return f.src->drained(); });
        s = cfg.status();
        CHECK(s.state == config_state::live);
        CHECK(s.endpoint == "http://two:2379");
        CHECK(s.resyncs == 1);
        CHECK(s.updates == 3);
        CHECK(s.rejected == 2);
        CHECK(s.revision == 21);
        co_await cfg.stop();
        const std::vector<std::pair<config_state, error_code>> expected = {{config_state::starting, {}},
            {config_state::live, {}}, {config_state::stale, asio::error::connection_reset},
            {config_state::stale, asio::error::connection_refused}, {config_state::live, {}},
            {config_state::stopped, {}}};
        CHECK(states == expected);
    });
}

TEST_CASE("refused values are told while running, and reported by start", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        std::vector<rejection> told;
        const subscription sub = cfg.subscribe_rejections([&](const rejection& r) { told.push_back(r); });
        f.src->push(loaded(3, {{"/app/Host", "db1"}, {"/app/Port", "x"}}));
        f.src->push(connected());
        const start_report r = co_await cfg.start();
        REQUIRE(r.rejected.size() == 1);
        CHECK(r.rejected[0].name == "port");
        CHECK_FALSE(r.ok());
        CHECK(told.empty());
        CHECK(cfg.current().get<int>("port").value() == 80);

        f.src->push(changed(4, {{"/app/Port", "90"}}));
        f.src->push(changed(5, {{"/app/Port", "y"}, {"/app/Host", "db2"}}));
        co_await until([&] { return f.src->drained(); });
        REQUIRE(told.size() == 1);
        CHECK(told[0].name == "port");
        CHECK(told[0].key == "/app/Port");
        CHECK(told[0].reason.code == errc::schema_violation);
        CHECK(told[0].revision == 5);
        CHECK(cfg.current().get<int>("port").value() == 90);
        CHECK(cfg.current().get<std::string>("host").value() == "db2");   // the rest of the revision counts
        CHECK(cfg.status().rejected == 2);
        CHECK(f.logged("value_refused"));

        co_await cfg.stop();
        f.src->push(loaded(9, {{"/app/Host", "db1"}, {"/app/Port", "z"}}));
        f.src->push(connected());
        const start_report again = co_await cfg.start();
        CHECK(again.rejected.size() == 1);
        CHECK(told.size() == 1);
        CHECK(cfg.current().get<int>("port").value() == 90);
    });
}
