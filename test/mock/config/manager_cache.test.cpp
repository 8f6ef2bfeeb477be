// The manager's copy on disk, on a scripted source.

#include "mock/config/disk_fixture.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
namespace fs = std::filesystem;

namespace {

using strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a restart without etcd serves the copy on disk, and etcd takes over without a change", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        co_await one_run(dir);
        disk_fixture f(dir);
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.src->push(interrupted());
        const start_report r = co_await cfg.start();
        CHECK(r.state == config_state::stale);
        CHECK(r.origin == origin::disk);
        CHECK(r.revision == 3);
        CHECK(r.cause.code == asio::error::connection_refused);
        CHECK(r.missing == strings{"region"});
        CHECK(r.missing_required.empty());
        CHECK(r.rejected.empty());
        CHECK(r.cache.used());
        CHECK(r.cache.current == cache_verdict::usable);
        CHECK(r.cache.revision == 3);
        CHECK_FALSE(r.cache.clock_went_back);
        CHECK(std::chrono::system_clock::now() - r.cache.as_of < 1h);
        CHECK(cfg.current().get<std::string>("host").value() == "db1");
        CHECK(cfg.current().info("host") == provenance{origin::disk, 3});
        CHECK(cfg.status().cluster_id == 7);
        // what the source goes on from
        REQUIRE(f.src->known());
        CHECK(f.src->known()->revision == 3);
        CHECK(f.src->known()->cluster_id == 7);
        CHECK(f.src->known()->kvs.size() == 2);

        f.src->push(interrupted(errc::deadline_exceeded));
        co_await until([&] { return f.src->drained(); });
        CHECK(cfg.status().state == config_state::stale);
        CHECK(cfg.status().origin == origin::disk);

        int told = 0;
        const subscription sub = cfg.subscribe([&](const snapshot&, const snapshot&) { ++told; });
        f.src->push(connected());
        co_await until([&] { return f.src->drained(); });
        CHECK(cfg.status().state == config_state::live);
        CHECK(cfg.status().origin == origin::etcd);
        CHECK(cfg.current().info("host") == provenance{origin::etcd, 3});
        CHECK(told == 0);
        f.src->push(interrupted());
        co_await until([&] { return f.src->drained(); });
        CHECK(cfg.status().state == config_state::stale);
        CHECK(cfg.status().origin == origin::etcd);
        co_await cfg.stop();
    });
}

TEST_CASE("the copy on disk is readable while start() still waits for a silent etcd", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        co_await one_run(dir);
        disk_fixture f(dir);
        manager_options how = f.kept();
        how.start_timeout = 400ms;
        config_manager cfg(ex, app_schema(), f.src, how);
        bool started = false;
        start_report r;
        cfg.start([&](error_code, start_report report) {
            r = std::move(report);
            started = true;
        });
        co_await until([&] { return cfg.current().origin() == origin::disk; });
        CHECK_FALSE(started);
        CHECK(cfg.status().state == config_state::starting);
        const snapshot now = co_await cfg.get_all_configs();
        CHECK(now.get<int>("port").value() == 81);
        co_await until([&] { return started; });
        CHECK(r.state == config_state::stale);
        CHECK(r.origin == origin::disk);
        CHECK(r.cause.code == errc::deadline_exceeded);
        co_await cfg.stop();
    });
}

TEST_CASE("after a warm start only differences are told", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        co_await one_run(dir);
        {
            disk_fixture f(dir);
            config_manager cfg(ex, app_schema(), f.src, f.kept());
            strings told;
            const subscription sub = cfg.subscribe([&](const snapshot& before, const snapshot& after) {
                if (before.origin() == origin::none) return;   // the first load
                for (std::string& name : changed_names(before, after)) told.push_back(std::move(name));
            });
            f.src->push(changed(9, {{"/app/Region", "south"}}, {"/app/Port"}));
            f.src->push(connected());
            const start_report r = co_await cfg.start();
            CHECK(r.ok());
            CHECK(r.origin == origin::etcd);
            CHECK(r.revision == 9);
            CHECK(r.missing == strings{"port"});
            CHECK(told == strings{"port", "region"});
            co_await cfg.stop();
        }
        disk_fixture f(dir);   // and was written again
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.src->push(interrupted());
        const start_report r = co_await cfg.start();
        CHECK(r.revision == 9);
        CHECK(cfg.current().get<std::string>("region").value() == "south");
        CHECK(cfg.current().get<int>("port").value() == 80);
        co_await cfg.stop();
    });
}

TEST_CASE("a refused value does not displace the last good one over restarts", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        std::vector<mirror_step> more;
        more.push_back(changed(8, {{"/app/Port", "canary-many"}}, {"/app/Host"}));
        co_await one_run(dir, std::move(more));
        for (int round = 0; round < 2; ++round) {
            disk_fixture f(dir);
            config_manager cfg(ex, app_schema(), f.src, f.kept());
            f.src->push(connected());
            const start_report r = co_await cfg.start();
            CHECK(cfg.current().get<int>("port").value() == 81);
            CHECK(cfg.current().get<std::string>("host").value() == "db1");
            CHECK(r.rejected.size() == 2);
            CHECK(r.missing == strings{"host", "region"});
            REQUIRE(f.src->known());
            REQUIRE(f.src->known()->kvs.size() == 1);
            CHECK(f.src->known()->kvs[0].value == "canary-many");
            co_await cfg.stop();
        }
        disk_fixture f(dir);
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.src->push(changed(10, {{"/app/Port", "82"}, {"/app/Host", "db2"}}));   // was mended meanwhile
        f.src->push(connected());
        const start_report r = co_await cfg.start();
        CHECK(r.ok());
        CHECK(cfg.current().get<int>("port").value() == 82);
        co_await cfg.stop();
    });
}

TEST_CASE("a source that begins anew all the same says once what is refused", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        std::vector<mirror_step> more;
        more.push_back(changed(8, {{"/app/Port", "many"}}));
        co_await one_run(dir, std::move(more));
        disk_fixture f(dir);
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.src->push(loaded(9, {{"/app/Host", "db1"}, {"/app/Port", "many"}}));
        f.src->push(connected());
        const start_report r = co_await cfg.start();
        CHECK(r.rejected.size() == 1);
        CHECK(cfg.current().get<int>("port").value() == 81);
        CHECK(cfg.current().origin() == origin::etcd);
        co_await cfg.stop();
    });
}

TEST_CASE("a strict start fails without etcd, copy or not", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        co_await one_run(dir);
        disk_fixture f(dir);
        manager_options how = f.kept();
        how.strict = true;
        config_manager cfg(ex, app_schema(), f.src, how);
        f.src->push(interrupted());
        const error e = co_await failure_of([&]() -> asio::awaitable<void> { co_await cfg.start(); });
        CHECK(e.code == asio::error::connection_refused);
        CHECK(cfg.status().state == config_state::stopped);
        CHECK(cfg.current().origin() == origin::disk);
        f.src->push(connected());
        const start_report r = co_await cfg.start();   // reads it again
        CHECK(r.ok());
        co_await cfg.stop();
    });
}

TEST_CASE("a disk that cannot be written is told once, and disturbs nothing", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        disk_fixture f(dir);
        f.path = dir.path() / "later" / "copy";
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.goes_live();
        const start_report r = co_await cfg.start();
        CHECK(r.ok());
        CHECK(r.cache.current == cache_verdict::missing);
        co_await until([&] { return cfg.status().cache.failures == 1; });
        f.src->push(changed(4, {{"/app/Port", "82"}}));
        co_await until([&] { return cfg.status().cache.failures == 2; });
        CHECK(cfg.status().cache.last_error.code == boost::system::errc::no_such_file_or_directory);
        CHECK(cfg.status().cache.last_error.detail.find("later") != std::string::npos);
        CHECK(cfg.status().cache.failed.time_since_epoch().count() != 0);
        CHECK(cfg.status().cache.writes == 0);
        CHECK(cfg.status().state == config_state::live);
        CHECK(cfg.current().get<int>("port").value() == 82);
        CHECK(f.count_logged("cache_write_failed") == 1);

        fs::create_directory(dir.path() / "later");
        f.src->push(changed(5, {{"/app/Port", "83"}}));
        co_await until([&] { return cfg.status().cache.writes == 1; });
        CHECK(cfg.status().cache.revision == 5);
        CHECK_FALSE(cfg.status().cache.last_error.code);
        co_await cfg.stop();
        CHECK(cfg.status().cache.writes == 1);   // nothing is left for a last one
    });
}

TEST_CASE("stop() does not wait for a disk that hangs", "[manager][cache]") {
    const scratch_dir dir;
    const int held = ::open((dir.path() / "copy.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(::flock(held, LOCK_EX) == 0);   // every writer waits here
    const fs::path path = dir.path() / "copy";
    for (const bool writing : {true, false}) {
        test::run([&]() -> asio::awaitable<void> {
            const asio::any_io_executor ex = co_await asio::this_coro::executor;
            disk_fixture f(dir);
            manager_options how = f.kept();
            how.cache.write_every = writing ? 0ms : 1000s;   // in the midst of a write, or with the last one ahead
            config_manager cfg(ex, app_schema(), f.src, how);
            f.goes_live();
            co_await cfg.start();
            f.src->push(changed(4, {{"/app/Port", "82"}}));
            co_await until([&] { return f.src->drained(); });
            CHECK(cfg.current().get<int>("port").value() == 82);
            const auto begin = std::chrono::steady_clock::now();
            co_await cfg.stop();
            CHECK(std::chrono::steady_clock::now() - begin < 1s);
            CHECK(cfg.status().state == config_state::stopped);
            CHECK(cfg.status().cache.failures == 1);
            CHECK(cfg.status().cache.last_error.code == errc::deadline_exceeded);
            CHECK_FALSE(fs::exists(path));
        });
    }
    // The threads that were left alone end their work; nobody is there to hear of it.
    ::flock(held, LOCK_UN);
    ::close(held);
    test::run([&]() -> asio::awaitable<void> {
        co_await until([&] { return fs::exists(path) && !fs::exists(path.string() + ".new"); });
    });
}

TEST_CASE("a manager that is destroyed leaves its last change on disk", "[manager][cache]") {
    const scratch_dir dir;
    disk_fixture first(dir);   // its log is used after the manager is gone
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        manager_options how = first.kept();
        how.cache.write_every = 1000s;
        config_manager cfg(ex, app_schema(), first.src, how);
        first.goes_live();
        co_await cfg.start();
    });
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        disk_fixture f(dir);
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.src->push(interrupted());
        const start_report r = co_await cfg.start();
        CHECK(r.cache.revision == 3);
        co_await cfg.stop();
    });
}

TEST_CASE("a second start of a manager goes on from its memory", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        disk_fixture f(dir);
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.goes_live();
        co_await cfg.start();
        co_await cfg.stop();
        f.src->push(interrupted());
        const start_report r = co_await cfg.start();
        CHECK(r.origin == origin::etcd);
        CHECK(r.state == config_state::stale);
        CHECK(r.missing == std::vector<std::string>{"region"});
        f.goes_live(5);
        co_await until([&] { return f.src->drained(); });
        co_await cfg.stop();
        CHECK(cfg.status().cache.revision == 5);
    });
}

TEST_CASE("a second start of a manager does not claim to have read what the first one did", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        co_await one_run(dir);
        disk_fixture f(dir);
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.src->push(connected());
        const start_report first = co_await cfg.start();
        CHECK(first.cache.used());
        f.src->push(changed(4, {{"/app/Region", "south"}}, {"/app/Port"}));
        co_await until([&] { return f.src->drained(); });
        co_await cfg.stop();
        f.src->push(interrupted());
        const start_report second = co_await cfg.start();
        CHECK(second.origin == origin::etcd);
        CHECK(second.cache.current == cache_verdict::not_read);
        CHECK_FALSE(second.cache.used());
        CHECK_FALSE(cfg.status().cache.found.used());
        CHECK(second.missing == std::vector<std::string>{"port"});
        co_await cfg.stop();
    });
}

TEST_CASE("up to where nothing has changed is in the copy of stop(), and where the next start goes on from", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        const auto proven = [](revision_t known, std::uint64_t cluster_id = 7) {
            mirror_step s = connected();
            s.what = mirror_step::kind::verified;
            s.known = known;
            s.cluster_id = cluster_id;
            return s;
        };
        {
            disk_fixture f(dir);
            config_manager cfg(ex, app_schema(), f.src, f.kept());
            f.goes_live();
            co_await cfg.start();
            co_await until([&] { return cfg.status().cache.writes == 1; });
            for (const revision_t known : {40, 50, 45}) f.src->push(proven(known));
            f.src->push(proven(60, 8));   // of another store
            co_await until([&] { return f.src->drained(); });
            co_await settle();
            CHECK(cfg.status().cache.writes == 1);   // that alone is no hurry
            CHECK(cfg.current().revision() == 3);
            co_await cfg.stop();
            CHECK(cfg.status().cache.writes == 2);
            CHECK(cfg.status().cache.revision == 50);
        }
        disk_fixture f(dir);
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.src->push(proven(50));
        mirror_step up = connected();
        up.known = 50;
        f.src->push(std::move(up));
        const start_report r = co_await cfg.start();
        CHECK(r.ok());
        REQUIRE(f.src->known());
        CHECK(f.src->known()->revision == 50);
        CHECK(f.src->known()->kvs.size() == 2);
        co_await cfg.stop();
        CHECK(cfg.status().cache.writes == 0);
    });
}

TEST_CASE("a relative path is that of the directory in which the manager was made", "[manager][cache]") {
    const scratch_dir dir, elsewhere;
    struct returns {
        fs::path to = fs::current_path();
        ~returns() { fs::current_path(to); }
    };
    const returns at_end;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        disk_fixture f(dir);
        manager_options how = f.kept();
        how.cache.path = "copy";
        fs::current_path(dir.path());
        config_manager cfg(ex, app_schema(), f.src, how);
        fs::current_path(elsewhere.path());
        f.goes_live();
        co_await cfg.start();
        co_await cfg.stop();
        CHECK(cfg.status().cache.writes == 1);
        CHECK(fs::exists(f.path));
        CHECK_FALSE(fs::exists(elsewhere.path() / "copy"));
    });
}

TEST_CASE("no file without a path, none in local mode, and no path without a name", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        disk_fixture f(dir);
        config_manager local(ex, app_schema(), std::shared_ptr<source>(), f.kept());
        co_await local.start();
        co_await local.stop();
        CHECK_FALSE(fs::exists(f.path));
        CHECK(local.status().cache.found.current == cache_verdict::not_read);
        manager_options how = f.kept();
        how.cache.path = dir.path() / "";
        CHECK_THROWS_AS(config_manager(ex, app_schema(), f.src, how), std::invalid_argument);
    });
}
