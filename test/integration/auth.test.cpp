#include "integration/scene.hpp"

#include "support/scratch_dir.hpp"
#include "support/test_ca.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <memory>

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;
using steady = std::chrono::steady_clock;

namespace {

/// Auth on, with a user "svc"/"secret" who may do everything below "app/".
etcd_admin with_svc(const etcd_process& etcd) {
    etcd_admin admin(etcd);
    admin.add_user("svc", "secret");
    admin.add_role("app");
    admin.grant("app", "app/", "READWRITE");
    admin.grant_role("svc", "app");
    admin.enable_auth();
    return admin;
}

client_options as(const etcd_process& etcd, std::string user, std::string password) {
    client_options options = hasty(etcd);
    options.auth = as_user(std::move(user), std::move(password));
    return options;
}

/// Writes, reads and watches, at work and then idle for longer than a token lives, again and again. Every error is
/// thrown.
asio::awaitable<void> use_for(const etcd_process& etcd, steady::duration how_long, unsigned& rounds) {
    auto ex = co_await asio::this_coro::executor;
    client c(ex, as(etcd, "svc", "secret"));
    kv store(c);
    mirror content(c, key_range::prefix("app/"));
    const mirror_step loaded = co_await content.next();
    if (loaded.what != kind::snapshot) throw std::runtime_error("no snapshot: " + loaded.cause.message());
    const auto due = steady::now() + how_long;
    for (revision_t since = 0; steady::now() < due; ++rounds) {
        revision_t last = 0;
        for (int i = 0; i < 5; ++i) {
            const std::string value = std::to_string(rounds) + "." + std::to_string(i);
            const put_response written = co_await store.put("app/k", value);
            last = written.header.revision;
            const range_response read = co_await store.range(key_range::key("app/k"));
            if (read.kvs.at(0).value != value) throw std::runtime_error("read something else");
        }
        const std::vector<event> mirrored = co_await changes_until(content, last);
        if (mirrored.size() != 5)
            throw std::runtime_error("the mirror saw " + std::to_string(mirrored.size()) + " changes of 5");
        if (since != 0) {  // a watch that begins with a token which has expired
            watch_options options;
            options.start_revision = since + 1;
            watcher news(c, key_range::prefix("app/"), options);
            const std::vector<event> watched = co_await events_until(news, last);
            if (watched.size() != 5)
                throw std::runtime_error("the watcher saw " + std::to_string(watched.size()) + " changes of 5");
        }
        since = last;
        co_await wait_for(2500ms);
    }
}

}  // namespace

TEST_CASE("auth: tokens that live 1 s are renewed for 30 s without a word to the caller", "[auth_lifetime]") {
    REQUIRE_ETCD();
    etcd_options short_lived;
    short_lived.flags = {"--auth-token-ttl=1"};
    std::vector<std::unique_ptr<etcd_process>> all;  // all versions at once: most of this is waiting
    for (const etcd_binary& binary : etcd_binaries()) {
        all.push_back(std::make_unique<etcd_process>(binary, short_lived));
        (void)with_svc(*all.back());
    }
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            std::size_t ended = 0;
            std::vector<std::string> errors;
            std::vector<unsigned> rounds(all.size(), 0);
            for (std::size_t i = 0; i < all.size(); ++i)
                asio::co_spawn(ex, use_for(*all[i], lasting(30s), rounds[i]), [&, i](std::exception_ptr e) {
                    ++ended;
                    if (e) errors.push_back(all[i]->version() + ": " + to_error(e).message());
                });
            while (ended < all.size()) co_await wait_for(10ms);
            CHECK(errors == strings{});
            for (const unsigned n : rounds) CHECK(n >= 5);
        },
        lasting(30s) + 90s);
}

TEST_CASE("auth: a wrong password is told at once, by every operation", "[auth]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin = with_svc(etcd);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, as(etcd, "svc", "not the secret"));
            kv store(c);
            const auto read = co_await outcome(store.range(key_range::key("app/k")));
            REQUIRE(!read);
            CHECK(read.error().code == server_errc::auth_failed);
            CHECK(read.error().message().find("not the secret") == std::string::npos);
            const auto write = co_await outcome(store.put("app/k", "v"));
            REQUIRE(!write);
            CHECK(write.error().code == server_errc::auth_failed);
            watcher news(c, key_range::prefix("app/"));
            const auto watched = co_await outcome(news.next());
            REQUIRE(!watched);
            CHECK(watched.error().code == server_errc::auth_failed);
            mirror content(c, key_range::prefix("app/"));
            const mirror_step down = co_await content.next();
            CHECK(down.what == kind::interrupted);
            CHECK(down.cause.code == server_errc::auth_failed);

            client nobody(ex, hasty(etcd));
            kv store_of_nobody(nobody);
            const auto anonymous = co_await outcome(store_of_nobody.range(key_range::key("app/k")));
            REQUIRE(!anonymous);
            CHECK(anonymous.error().code == server_errc::user_empty);

            // The password becomes the right one: the mirror finds in by itself.
            admin.change_password("svc", "not the secret");
            const mirror_step loaded = co_await next_of(content, kind::snapshot);
            CHECK(loaded.content.empty());
        },
        60s);
}

TEST_CASE("auth: what is not permitted is told as that, and works once it is", "[auth]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin = with_svc(etcd);
    admin.put("other/k", "hidden");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, as(etcd, "svc", "secret"));
            kv store(c);
            (void)co_await store.put("app/k", "allowed");
            const auto read = co_await outcome(store.range(key_range::key("other/k")));
            REQUIRE(!read);
            CHECK(read.error().code == server_errc::permission_denied);
            const auto write = co_await outcome(store.put("other/k", "v"));
            REQUIRE(!write);
            CHECK(write.error().code == server_errc::permission_denied);
            txn both;
            both.then(op::put("app/k", "1")).then(op::put("other/k", "2"));
            const auto committed = co_await outcome(store.commit(both));
            REQUIRE(!committed);
            CHECK(committed.error().code == server_errc::permission_denied);

            watcher news(c, key_range::prefix("other/"));
            const auto watched = co_await outcome(news.next());
            REQUIRE(!watched);
            CHECK(watched.error().code == server_errc::permission_denied);
            mirror content(c, key_range::prefix("other/"));
            const mirror_step down = co_await content.next();
            CHECK(down.what == kind::interrupted);
            CHECK(down.cause.code == server_errc::permission_denied);

            admin.grant("app", "other/", "READ");
            const mirror_step loaded = co_await next_of(content, kind::snapshot);
            CHECK(loaded.content.size() == 1);
            (void)co_await next_of(content, kind::connected);
            const auto still = co_await outcome(store.put("other/k", "v"));
            REQUIRE(!still);
            CHECK(still.error().code == server_errc::permission_denied);
        },
        60s);
}

TEST_CASE("auth: a JWT that is older than the users is replaced, the caller hears nothing", "[auth]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir keys;
    const rsa_pair pair = make_rsa_pair(keys.path());
    etcd_options jwt;
    jwt.flags = {
        "--auth-token=jwt,pub-key=" + pair.public_key + ",priv-key=" + pair.private_key + ",sign-method=RS256,ttl=5m"};
    etcd_process etcd(binary, jwt);
    const etcd_admin admin = with_svc(etcd);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            std::vector<std::string> heard;
            client_options options = as(etcd, "svc", "secret");
            options.log = [&heard](const log_record& r) { heard.emplace_back(r.event); };
            client c(ex, options);
            kv store(c);
            mirror content(c, key_range::prefix("app/"));
            (void)co_await next_of(content, kind::connected);
            for (int i = 0; i < 3; ++i) {
                admin.add_role("role" + std::to_string(i));
                const put_response written = co_await store.put("app/k", "a");
                admin.add_role("more" + std::to_string(i));
                const range_response read = co_await store.range(key_range::key("app/k"));
                CHECK(read.kvs.size() == 1);
                admin.add_role("again" + std::to_string(i));
                txn t;
                t.then(op::put("app/k", "b"));
                const txn_response committed = co_await store.commit(t);
                admin.add_role("last" + std::to_string(i));
                watch_options from;
                from.start_revision = written.header.revision;
                watcher news(c, key_range::key("app/k"), from);
                const std::vector<event> events = co_await events_until(news, committed.header.revision);
                CHECK(events.size() == 2);
                const std::vector<event> mirrored = co_await changes_until(content, committed.header.revision);
                CHECK(mirrored.size() == 2);
            }
            CHECK(std::count(heard.begin(), heard.end(), "token_fetched") == 13);
        },
        60s);
}

TEST_CASE("auth: switched on and off under a running client", "[auth]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.add_user("svc", "secret");
    admin.add_role("app");
    admin.grant("app", "app/", "READWRITE");
    admin.grant_role("svc", "app");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, as(etcd, "svc", "secret"));
            kv store(c);
            mirror content(c, key_range::prefix("app/"));
            const auto use = [&](const char* value) -> asio::awaitable<void> {
                const put_response written = co_await store.put("app/k", value);
                const range_response read = co_await store.range(key_range::key("app/k"));
                REQUIRE(read.kvs.size() == 1);
                CHECK(read.kvs[0].value == value);
                const std::vector<event> seen = co_await changes_until(content, written.header.revision);
                CHECK(seen.size() == 1);
                watch_options from;
                from.start_revision = written.header.revision;
                watcher news(c, key_range::key("app/k"), from);
                const watch_batch batch = co_await news.next();
                CHECK(batch.revision == written.header.revision);
            };
            (void)co_await next_of(content, kind::connected);
            co_await use("off");
            admin.enable_auth();
            co_await use("on");
            admin.disable_auth();
            co_await use("off again");
            admin.call("/v3/auth/enable", "{}");
            co_await use("on again");
        },
        60s);
}

TEST_CASE("auth: a changed password ends the session, the old one heals it", "[auth]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin = with_svc(etcd);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, as(etcd, "svc", "secret"));
            kv store(c);
            (void)co_await store.put("app/k", "v");
            admin.change_password("svc", "another");
            const auto refused = co_await outcome(store.put("app/k", "w"));
            REQUIRE(!refused);
            CHECK(refused.error().code == server_errc::auth_failed);
            admin.change_password("svc", "secret");
            // A refusal is remembered for a moment: authenticating is slow on purpose.
            result<put_response> again = error{};
            while (!again) {
                again = co_await outcome(store.put("app/k", "x"));
                if (!again) CHECK(again.error().code == server_errc::auth_failed);
                if (!again) co_await wait_for(50ms);
            }
            CHECK(admin.read("app/k").at("app/k").value == "x");
        },
        60s);
}
