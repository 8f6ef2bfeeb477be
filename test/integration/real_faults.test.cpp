// What goes wrong in an etcd by its own settings and by its operators, under clients at work. For wires and members that
// fail see scripts/soak and the tests of failover, staleness and outages; a full quota is in maintenance.test.cpp, tokens
// that live 1 s in auth.test.cpp.

#include "integration/scene.hpp"

#include "support/child_process.hpp"
#include "support/etcdctl.hpp"
#include "support/parallel.hpp"
#include "support/scratch_dir.hpp"

#include <dynconf/auth.hpp>
#include <dynconf/maintenance.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <list>
#include <map>

using namespace dynconf;
using namespace dynconf::test;

namespace {

using content = std::map<std::string, std::string>;

content content_of(const etcd_admin& admin, const std::string& prefix) {
    content all;
    for (const auto& [key, item] : admin.read(prefix)) all[key] = item.value;
    return all;
}

void apply(content& to, const mirror_step& step) {
    if (step.what == mirror_step::kind::snapshot) to.clear();
    for (const key_value& kv : step.content) to[kv.key] = kv.value;
    for (const event& e : step.events) {
        if (e.type == event::kind::put) to[e.kv.key] = e.kv.value;
        else to.erase(e.kv.key);
    }
}

/// Follows until it has that content, and a proof of it.
asio::awaitable<std::vector<mirror_step::reason>> follow_until(mirror& m, content& now, const content& wanted) {
    std::vector<mirror_step::reason> resyncs;
    for (bool proven = false; !proven || now != wanted;) {
        const mirror_step step = co_await m.next();
        using kind = mirror_step::kind;
        if (step.what == kind::resync) resyncs.push_back(step.why);
        apply(now, step);
        proven = step.what == kind::connected || step.what == kind::verified || (proven && step.what != kind::interrupted);
    }
    co_return resyncs;
}

}  // namespace

TEST_CASE("real faults: a snapshot is restored into a new folder, and told as another store", "[real_faults]") {
    FOR_EACH_ETCD(binary);
    REQUIRE_ETCDCTL(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    const scratch_dir dir;
    const std::filesystem::path backup = dir.path() / "backup.db";
    for (int i = 0; i < 5; ++i) admin.put("a/" + std::to_string(i), "in the backup");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.max_staleness = 2s;
            options.verify_every = 1s;
            client c(ex, options);
            maintenance m(c);
            (void)co_await m.snapshot(backup);
            for (int i = 3; i < 8; ++i) admin.put("a/" + std::to_string(i), "later");
            mirror live(c, key_range::prefix("a/"));
            content now;
            const content before = content_of(admin, "a/");
            (void)co_await follow_until(live, now, before);

            etcd.kill();
            etcd.restore(backup);
            etcd.start();
            const content restored = content_of(admin, "a/");
            REQUIRE(restored.size() == 5);
            const std::vector<mirror_step::reason> why = co_await follow_until(live, now, restored);
            CHECK(why == std::vector{mirror_step::reason::store_replaced});

            // The restored store has come past the revision that is known before anybody asks: only a comparison can tell.
            etcd.kill();
            etcd.restore(backup);
            etcd.start();
            for (int i = 0; i < 20; ++i) admin.put("a/1", "overtaken " + std::to_string(i));
            const content overtaken = content_of(admin, "a/");
            (void)co_await follow_until(live, now, overtaken);
            const revision_t next = admin.put("a/9", "goes on");
            const std::vector<event> news = co_await changes_until(live, next);
            CHECK(shown(news) == strings{"put a/9=goes on @" + std::to_string(next)});
        },
        120s);
}

TEST_CASE("real faults: a token from before a restore holds up calls and mirrors for a moment only", "[real_faults]") {
    FOR_EACH_ETCD(binary);
    REQUIRE_ETCDCTL(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.enable_auth();
    const scratch_dir dir;
    const std::filesystem::path backup = dir.path() / "backup.db";
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.auth = as_user("root", "root");
            options.request_timeout = options.total_timeout = 2s;
            client c(ex, options);
            maintenance m(c);
            (void)co_await m.snapshot(backup);
            for (int i = 0; i < 40; ++i) admin.put("k", "later");   // tokens name a place in the log behind these
            client asks(ex, options), follows(ex, options);
            kv store(asks);
            const auto before_it = co_await store.get("k");
            REQUIRE(before_it);
            mirror live(follows, key_range::key("k"));
            content now;
            const content later{{"k", "later"}}, nothing;
            (void)co_await follow_until(live, now, later);

            etcd.kill();
            etcd.restore(backup);
            etcd.start();
            unsigned refused = 0;
            for (; refused < 20; ++refused) {
                const error why = co_await failure_of([&]() -> asio::awaitable<void> { (void)co_await store.get("k"); });
                if (!why.code) break;
                co_await wait_for(100ms);
            }
            CHECK(refused < 20);
            const std::vector<mirror_step::reason> why = co_await follow_until(live, now, nothing);
            CHECK(why == std::vector{mirror_step::reason::store_replaced});
        },
        120s);
}

TEST_CASE("real faults: roles that change every 100 ms cost no call and no event", "[real_faults]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.add_user("svc", "secret");
    admin.add_role("app");
    admin.grant("app", "app/", "READWRITE");
    admin.grant_role("svc", "app");
    admin.enable_auth();
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options as_root = hasty(etcd), as_svc = hasty(etcd);
            as_root.auth = as_user("root", "root");
            as_svc.auth = as_user("svc", "secret");
            client admins(ex, as_root), c(ex, as_svc);
            bool over = false, ended = false;
            unsigned changes = 0;
            asio::co_spawn(ex, [&]() -> asio::awaitable<void> {
                auth roles(admins);
                const permission other{permission_type::read, key_range::prefix("elsewhere/")};
                while (!over) {
                    if (changes++ % 2 == 0) co_await roles.role_grant_permission("app", other);
                    else co_await roles.role_revoke_permission("app", other.keys);
                    co_await wait_for(100ms);
                }
            }, [&](std::exception_ptr e) {
                ended = true;
                if (e) FAIL_CHECK("the roles: " << to_error(e).message());
            });

            kv store(c);
            watch_options from;
            from.start_revision = admin.revision() + 1;
            watcher news(c, key_range::prefix("app/"), from);
            const auto until = std::chrono::steady_clock::now() + lasting(5s);
            unsigned writes = 0;
            revision_t last = 0;
            std::vector<std::string> errors;
            while (std::chrono::steady_clock::now() < until) {
                const auto put = co_await outcome(store.put("app/k", std::to_string(writes)));
                const auto read = co_await outcome(store.get("app/k"));
                if (!put) errors.push_back("put: " + put.error().message());
                else last = put->header.revision, ++writes;
                if (!read) errors.push_back("get: " + read.error().message());
            }
            const std::vector<event> seen = co_await events_until(news, last);
            over = true;
            while (!ended) co_await wait_for(10ms);
            CHECK(errors == strings{});
            CHECK(seen.size() == writes);
            CHECK(changes > 5);
        },
        120s);
}

TEST_CASE("real faults: where a server has streams for few, the others are told in time and served when there is room", "[real_faults]") {
    FOR_EACH_ETCD(binary);
    if (!has(run_program({binary.path, "--help"}, {}, environment_without("ETCD_")).out, "--max-concurrent-streams"))
        SKIP_CASE("no such limit in " + binary.version);
    etcd_options few;
    few.flags = {"--max-concurrent-streams=4"};
    etcd_process etcd(binary, few);
    const etcd_admin admin(etcd);
    admin.put("a/1", "x");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.request_timeout = 1s;
            options.total_timeout = 2s;
            options.created_timeout = 1s;
            options.max_staleness = 2s;
            unsigned looking = 0;
            std::list<asio::cancellation_signal> farewells;
            const auto look = [&](const client& c) {
                ++looking;
                asio::co_spawn(ex, [](mirror m) -> asio::awaitable<void> {
                    for (;;) {
                        auto [ec, step] = co_await m.next(as_values);
                        if (ec) co_return;
                    }
                }(mirror(c, key_range::prefix("a/"))), asio::bind_cancellation_slot(farewells.emplace_back().slot(), [&](std::exception_ptr) { --looking; }));
            };
            // All watches of a client share one stream: any number of them leaves room.
            client c(ex, options);
            for (int i = 0; i < 20; ++i) look(c);
            mirror mine(c, key_range::prefix("a/"));
            content now;
            const content first{{"a/1", "x"}};
            (void)co_await follow_until(mine, now, first);
            kv store(c);
            const auto roomy = co_await outcome(store.get("a/1"));
            CHECK(roomy.has_value());

            // As many streams as there may be, and then some.
            std::vector<client> greedy;
            for (int i = 0; i < 6; ++i) look(greedy.emplace_back(ex, options));
            error why;
            for (int tries = 0; tries < 50 && !why.code; ++tries) {
                const auto put = co_await outcome(store.put("a/1", "full"));
                if (!put) why = put.error();
                co_await wait_for(100ms);
            }
            INFO(why.message());
            CHECK((why.code == errc::deadline_exceeded || why.code == grpc_errc::deadline_exceeded));   // whoever is first
            CHECK(why.in_doubt);

            for (asio::cancellation_signal& each : farewells) each.emit(asio::cancellation_type::terminal);
            while (looking > 0) co_await wait_for(1ms);
            greedy.clear();
            for (bool well = false; !well;) {
                const auto put = co_await outcome(store.put("a/1", "room"));
                well = put.has_value();
            }
            const content last{{"a/1", "room"}};
            (void)co_await follow_until(mine, now, last);
        },
        120s);
}
