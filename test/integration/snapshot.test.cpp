// Snapshots of etcd's database, with etcdctl as the witness.

#include "integration/scene.hpp"
#include "support/etcdctl.hpp"
#include "support/relay.hpp"
#include "support/scratch_dir.hpp"

#include <dynconf/auth.hpp>
#include <dynconf/maintenance.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace dynconf;
using namespace dynconf::test;

namespace {

/// About 8 MB that no compression makes less.
void fill(const etcd_process& etcd) {
    etcd_admin(etcd).flood(400, [](std::size_t i) {
        return std::pair("big/" + std::to_string(i), std::string(20'000, static_cast<char>('a' + i % 26)));
    });
}

/// What was made there, whole or not; the folder has a lock of its own.
std::size_t files_in(const std::filesystem::path& folder) {
    const auto is_ours = [](const std::filesystem::directory_entry& e) { return e.path().filename().native().find("db") != std::string::npos; };
    return static_cast<std::size_t>(std::count_if(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator(), is_ours));
}

std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// As a disk that is full after so many bytes. Not for processes that run already.
class file_size_limit {
public:
    explicit file_size_limit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit less = before_;
        less.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &less);
    }
    file_size_limit(const file_size_limit&) = delete;
    file_size_limit& operator=(const file_size_limit&) = delete;
    ~file_size_limit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

private:
    rlimit before_{};
};

}  // namespace

TEST_CASE("snapshot: a snapshot is whole, private, and etcdctl restores it", "[snapshot]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    fill(etcd);
    const scratch_dir dir;
    const std::filesystem::path file = dir.path() / "etcd.db";
    std::ofstream(file) << "what was there before";
    snapshot_response made;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            maintenance m(c);
            made = co_await m.snapshot(file);
        },
        60s);
    CHECK(made.endpoint == etcd.endpoint());
    CHECK(made.bytes == std::filesystem::file_size(file));
    CHECK(made.bytes > 8'000'000);
    CHECK(made.bytes % 512 == 32);   // pages, and the checksum
    CHECK(files_in(dir.path()) == 1);
    CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms(0777)) == std::filesystem::perms(0600));
    const std::string status = etcdctl_says(binary, etcd, {"snapshot", "status", file.string(), "-w", "json"});
    INFO(status);
    CHECK(has(status, "\"totalKey\":"));
    CHECK(has(status, "\"revision\":401"));
    const std::filesystem::path restored = dir.path() / "restored";
    const std::string words = etcdctl_says(binary, etcd, {"snapshot", "restore", file.string(), "--data-dir=" + restored.string()});
    INFO(words);
    CHECK(std::filesystem::exists(restored / "member" / "snap" / "db"));
}

TEST_CASE("snapshot: a snapshot that is cut leaves nothing, and what was there before", "[snapshot]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    fill(etcd);
    const scratch_dir dir;
    const std::filesystem::path file = dir.path() / "etcd.db";
    for (const std::size_t bytes : {std::size_t{20}, std::size_t{700}, std::size_t{3'000'000}, std::size_t{10'000'000}}) {
        CAPTURE(bytes);
        relay wire(etcd.port());
        wire.cut_after(relay::way::answer, bytes);
        std::ofstream(file) << "what was there before";
        test::run(
            [&]() -> asio::awaitable<void> {
                auto ex = co_await asio::this_coro::executor;
                client c(ex, hasty({wire.endpoint()}));
                maintenance m(c);
                const auto made = co_await outcome(m.snapshot(file));
                REQUIRE_FALSE(made);
                INFO(made.error().message());
                CHECK(made.error().code == errc::connection_closed);
                CHECK(made.error().detail.find(wire.endpoint()) != std::string::npos);
            },
            60s);
        CHECK(content_of(file) == "what was there before");
        CHECK(files_in(dir.path()) == 1);
    }
}

TEST_CASE("snapshot: where one member's snapshot is cut, another's is taken", "[snapshot]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    fill(etcd);
    const scratch_dir dir;
    relay wire(etcd.port());
    wire.cut_after(relay::way::answer, 2'000'000);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty({wire.endpoint(), etcd.endpoint()}));
            maintenance m(c);
            const snapshot_response made = co_await m.snapshot(dir.path() / "etcd.db");
            CHECK(made.endpoint == etcd.endpoint());
            CHECK(made.bytes == std::filesystem::file_size(dir.path() / "etcd.db"));
        },
        60s);
    CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("snapshot: a snapshot onto a full disk, or into no folder, is told as that", "[snapshot]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    fill(etcd);
    const scratch_dir dir;
    const file_size_limit full(3'000'000);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            maintenance m(c);
            const auto made = co_await outcome(m.snapshot(dir.path() / "etcd.db"));
            REQUIRE_FALSE(made);
            INFO(made.error().message());
            CHECK(made.error().code == boost::system::errc::file_too_large);
            CHECK(made.error().detail.find("etcd.db") != std::string::npos);
            const auto nowhere = co_await outcome(m.snapshot(dir.path() / "none" / "etcd.db"));
            REQUIRE_FALSE(nowhere);
            CHECK(nowhere.error().code == boost::system::errc::no_such_file_or_directory);
            const status_response up = co_await m.status();   // the endpoint is not at fault
            CHECK(up.version == binary.version);
        },
        60s);
    CHECK(files_in(dir.path()) == 0);
}

TEST_CASE("snapshot: a snapshot needs the permission, and gets a new token when it has to", "[snapshot]") {
    FOR_EACH_ETCD(binary);
    etcd_options options;
    options.flags = {"--auth-token-ttl=1"};
    etcd_process etcd(binary, options);
    etcd_admin admin(etcd);
    admin.add_user("svc", "secret");
    admin.enable_auth();
    const scratch_dir dir;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options as_svc = hasty(etcd);
            as_svc.auth = as_user("svc", "secret");
            client c(ex, as_svc);
            maintenance m(c);
            const auto denied = co_await outcome(m.snapshot(dir.path() / "etcd.db"));
            REQUIRE_FALSE(denied);
            INFO(denied.error().message());
            CHECK(denied.error().code == server_errc::permission_denied);
            CHECK(files_in(dir.path()) == 0);

            client_options as_root = hasty(etcd);
            as_root.auth = as_user("root", "root");
            client r(ex, as_root);
            maintenance of_root(r);
            auth users(r);
            (void)co_await users.user_list();
            co_await users.user_change_password("root", "root");   // the token dies
            (void)co_await of_root.snapshot(dir.path() / "etcd.db");
            CHECK(files_in(dir.path()) == 1);
        },
        60s);
}
