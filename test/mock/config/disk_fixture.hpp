#pragma once

#include "mock/config/manager_fixture.hpp"
#include "support/scratch_dir.hpp"

#include "config/cache_files.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

namespace dynconf::test {

/// A fixture whose manager keeps a copy; a restart is another fixture on the same directory.
struct disk_fixture : fixture {
    explicit disk_fixture(const scratch_dir& in) : path(in.path() / "copy") { environment.clear(); }
    manager_options kept() {
        manager_options o = options();
        o.cache.path = path;
        o.cache.write_every = 5ms;
        return o;
    }
    std::filesystem::path path;
};

/// Leaves a copy behind: host db1, port 81 at revision 3, cluster 7, then `more`.
inline asio::awaitable<void> one_run(const scratch_dir& dir, std::vector<mirror_step> more = {}) {
    const asio::any_io_executor ex = co_await asio::this_coro::executor;
    disk_fixture f(dir);
    config_manager cfg(ex, app_schema(), f.src, f.kept());
    f.goes_live();
    for (mirror_step& s : more) f.src->push(std::move(s));
    co_await cfg.start();
    co_await until([&] { return f.src->drained(); });
    co_await cfg.stop();
    CHECK(cfg.status().cache.writes >= 1);
    CHECK(cfg.status().cache.failures == 0);
}

/// As if it had been written a month ago.
inline void age(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    const detail::cache_bytes bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    detail::decoded_cache decoded = detail::decode_cache(bytes);
    REQUIRE(decoded.verdict == cache_verdict::usable);
    decoded.copy.as_of -= std::chrono::hours(24 * 30);
    REQUIRE(detail::cache_files(path).write(detail::encode_cache(decoded.copy), false));
}

}  // namespace dynconf::test
