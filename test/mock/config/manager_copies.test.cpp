// Which copy on disk a manager uses, and what nobody may see of it.

#include "mock/config/disk_fixture.hpp"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
namespace fs = std::filesystem;

TEST_CASE("a copy that cannot be used is said, and the environment serves", "[manager][cache]") {
    struct row { const char* what; void (*spoil)(const fs::path&, manager_options&); cache_verdict expected; };
    const row table[] = {
        {"nothing there", [](const fs::path& p, manager_options&) { fs::remove(p); }, cache_verdict::missing},
        {"cut off", [](const fs::path& p, manager_options&) { fs::resize_file(p, fs::file_size(p) - 1); }, cache_verdict::damaged},
        {"a month old", [](const fs::path& p, manager_options&) { age(p); }, cache_verdict::too_old},
        {"a month old, any age will do", [](const fs::path& p, manager_options& o) {
             age(p);
             o.cache.max_age = std::chrono::seconds(0);
         }, cache_verdict::usable},
        {"open to all", [](const fs::path& p, manager_options&) {
             fs::permissions(p, fs::perms::others_read, fs::perm_options::add);
         }, cache_verdict::not_private},
    };
    for (const row& t : table) {
        INFO(t.what);
        const scratch_dir dir;
        test::run([&]() -> asio::awaitable<void> {
            const asio::any_io_executor ex = co_await asio::this_coro::executor;
            co_await one_run(dir);
            disk_fixture f(dir);
            f.environment["HOST"] = "env-host";
            fs::remove(f.path.string() + ".previous");
            manager_options how = f.kept();
            t.spoil(f.path, how);
            config_manager cfg(ex, app_schema(), f.src, how);
            f.src->push(interrupted());
            const start_report r = co_await cfg.start();
            CHECK(r.cache.current == t.expected);
            CHECK(cfg.status().cache.found.current == t.expected);
            const bool used = t.expected == cache_verdict::usable;
            CHECK(r.state == (used ? config_state::stale : config_state::local));
            CHECK(cfg.current().get<std::string>("host").value() == (used ? "db1" : "env-host"));
            CHECK(f.logged("cache_refused") == (!used && t.expected != cache_verdict::missing));
            CHECK(f.src->known().has_value() == used);
            // live data replaces the bad file
            f.goes_live(12);
            co_await until([&] { return cfg.status().cache.revision == 12; });
            co_await cfg.stop();
        });
    }
}

TEST_CASE("the copy of another root is not used", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        co_await one_run(dir);
        disk_fixture f(dir);
        config_manager cfg(ex, std::make_shared<const prefix_schema>("/app2"), f.src, f.kept());
        f.src->push(interrupted());
        const start_report r = co_await cfg.start();
        CHECK(r.cache.current == cache_verdict::other_ranges);
        CHECK(r.state == config_state::local);
        CHECK(cfg.current().empty());
        co_await cfg.stop();
    });
}

TEST_CASE("when the newer copy is damaged the one before it serves, and the newer is mended", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        co_await one_run(dir);
        const fs::path path = dir.path() / "copy";
        fs::copy_file(path, path.string() + ".previous", fs::copy_options::overwrite_existing);
        fs::resize_file(path, 20);
        disk_fixture f(dir);
        config_manager cfg(ex, app_schema(), f.src, f.kept());
        f.src->push(connected());   // nothing has changed
        const start_report r = co_await cfg.start();
        CHECK(r.ok());
        CHECK(r.cache.current == cache_verdict::damaged);
        CHECK(r.cache.previous == cache_verdict::usable);
        CHECK(r.cache.cause.code == errc::cache_refused);
        co_await cfg.stop();
        CHECK(cfg.status().cache.writes == 1);
        CHECK(fs::file_size(path) == fs::file_size(path.string() + ".previous"));
    });
}

TEST_CASE("neither log nor errors hold what is in the copy", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        std::vector<mirror_step> more;
        more.push_back(changed(8, {{"/app/Host", "canary-7f3a"}}));
        co_await one_run(dir, std::move(more));
        const fs::path path = dir.path() / "copy";
        CHECK((fs::status(path).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
        std::string all;
        for (const char* how : {"whole", "damaged", "unwritable"}) {
            disk_fixture f(dir);
            if (how[0] == 'd') {
                std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
                file.seekp(60);
                file.put('\0');
            }
            if (how[0] == 'u') fs::create_directory(path.string() + ".new");
            config_manager cfg(ex, app_schema(), f.src, f.kept());
            f.src->push(interrupted());
            const start_report r = co_await cfg.start();
            f.src->push(loaded(9, {{"/app/Host", "canary-7f3a"}, {"/app/Port", "82"}}));
            co_await until([&] { return f.src->drained(); });
            co_await cfg.stop();
            const cache_status s = cfg.status().cache;
            all += r.cache.cause.message() + s.last_error.message() + f.log_text();
            CHECK((s.failures > 0) == (how[0] == 'u'));
        }
        CHECK(all.find("cache_") != std::string::npos);
        CHECK(all.find("canary") == std::string::npos);
    });
}

TEST_CASE("a sealed copy serves a restart; without its key there is none, and a new one replaces it", "[manager][cache]") {
    const scratch_dir dir;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        const key_ring ring("a", sealing_key::generate());
        const key_ring other("a", sealing_key::generate());
        const std::optional<key_ring> none;
        struct row { std::optional<key_ring> with; bool etcd; cache_verdict expected; };
        const row life[] = {
            {none, true, cache_verdict::missing},
            {ring, false, cache_verdict::not_sealed},    // in the clear: not for one that seals
            {ring, true, cache_verdict::not_sealed},     // and replaced
            {ring, false, cache_verdict::usable},
            {none, false, cache_verdict::not_opened},
            {other, false, cache_verdict::not_opened},
            {ring.writing("b", sealing_key::generate()), false, cache_verdict::usable},
            {other, true, cache_verdict::not_opened},
            {other, false, cache_verdict::usable},
        };
        for (const row& r : life) {
            INFO(to_string(r.expected));
            disk_fixture f(dir);
            manager_options options = f.kept();
            options.cache.seal = r.with;
            config_manager cfg(ex, app_schema(), f.src, options);
            if (r.etcd) f.goes_live();
            else f.src->push(interrupted());
            const start_report report = co_await cfg.start();
            const bool used = !r.etcd && r.expected == cache_verdict::usable;
            CHECK(to_string(report.cache.current) == to_string(r.expected));
            CHECK(to_string(cfg.status().cache.found.current) == to_string(r.expected));
            if (!r.etcd) CHECK((report.origin == origin::disk) == used);
            if (used) CHECK(cfg.current().get<std::string>("host").value() == "db1");
            co_await until([&] { return f.src->drained(); });
            co_await cfg.stop();
            CHECK(cfg.status().cache.failures == 0);
        }
    });
}
