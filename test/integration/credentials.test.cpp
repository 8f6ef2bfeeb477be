// A password that is changed in a running etcd, under a manager that runs.

#include "integration/manager_scene.hpp"

#include "support/scratch_dir.hpp"

#include <atomic>
#include <fstream>
#include <mutex>
#include <string>

using namespace dynconf;
using namespace dynconf::test;

namespace {

etcd_admin with_reader(const etcd_process& etcd) {
    etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    admin.add_user("reader", "first password");
    admin.add_role("readers");
    admin.grant("readers", "/app/", "READ");
    admin.grant_role("reader", "readers");
    admin.enable_auth();
    return admin;
}

bool has_host(const config_manager& cfg, const std::string& host) {
    return is_live(cfg) && cfg.current().get<std::string>("Host").value() == host;
}

/// Where the password of a service stands.
class vault {
public:
    void keep(std::string password) {
        const std::lock_guard lock(mutex_);
        password_ = std::move(password);
    }
    credentials_source source() {
        return credentials_source::provider([this]() -> asio::awaitable<credentials> {
            ++asked;
            auto ex = co_await asio::this_coro::executor;
            co_await asio::post(ex, asio::use_awaitable);
            const std::lock_guard lock(mutex_);
            co_return credentials{"reader", password_};
        });
    }
    std::atomic<int> asked{0};

private:
    std::mutex mutex_;
    std::string password_ = "first password";
};

}  // namespace

TEST_CASE("a password that is changed under a running manager is asked for again", "[credentials]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin = with_reader(etcd);
    vault keeper;
    io_threads io(2);
    manager_options how = quick(true);
    how.client.auth = keeper.source();
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint()), how);
    CHECK(started(cfg).ok());
    CHECK(keeper.asked == 1);

    // The new one is there first: nothing is to be seen of the change but the restart, which ends all tokens and streams.
    keeper.keep("second password");
    admin.change_password("reader", "second password");
    etcd.kill();
    etcd.start();
    admin.put("/app/Host", "db2");
    REQUIRE(becomes_true([&] { return has_host(cfg, "db2"); }));
    CHECK(keeper.asked == 2);

    // The vault is late: until then the cause is told.
    admin.change_password("reader", "third password");
    etcd.kill();
    etcd.start();
    REQUIRE(becomes_true([&] { return cfg.status().cause == server_errc::auth_failed; }));
    CHECK(cfg.status().state == config_state::stale);
    CHECK(cfg.status().cause.message().find("second") == std::string::npos);
    keeper.keep("third password");
    admin.put("/app/Host", "db3");
    REQUIRE(becomes_true([&] { return has_host(cfg, "db3"); }));

    // etcd is late: the provider's password is wrong for a while, and then the right one.
    keeper.keep("fourth password");
    admin.change_password("reader", "nobody's password");
    etcd.kill();
    etcd.start();
    REQUIRE(becomes_true([&] { return cfg.status().cause == server_errc::auth_failed; }));
    admin.change_password("reader", "fourth password");
    admin.put("/app/Host", "db4");
    REQUIRE(becomes_true([&] { return has_host(cfg, "db4"); }));
    CHECK(stopped(cfg) < 1s);
}

TEST_CASE("the settings name a file with the password, which is read again", "[credentials]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin = with_reader(etcd);
    const scratch_dir dir;
    const auto path = dir.path() / "password";
    const auto replace = [&](const std::string& text) {
        std::ofstream(dir.path() / "new") << text << '\n';
        std::filesystem::rename(dir.path() / "new", path);
    };
    replace("first password");
    io_threads io(2);
    settings from = at(etcd.endpoint());
    from.username = "reader";
    from.password_file = path.native();
    config_manager cfg(io.get_executor(), open_schema(), from, quick(true));
    CHECK(started(cfg).ok());
    admin.change_password("reader", "second password");
    replace("second password");
    etcd.kill();
    etcd.start();
    admin.put("/app/Host", "db2");
    CHECK(becomes_true([&] { return has_host(cfg, "db2"); }));
    CHECK(stopped(cfg) < 1s);
}

TEST_CASE("a client without a watch logs in again with the new password, and no call fails", "[credentials]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin = with_reader(etcd);
    vault keeper;
    client_options options = hasty(etcd);
    options.auth = keeper.source();
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, options);
        kv store(c);
        for (const char* word : {"first password", "second password", "third password"}) {
            if (keeper.asked != 0) {
                admin.change_password("reader", word);
                keeper.keep(word);
            }
            const std::optional<key_value> found = co_await store.get("/app/Host");
            CHECK(found.has_value());
        }
        CHECK(keeper.asked == 3);
    });
}
