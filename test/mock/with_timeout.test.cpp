// with_timeout of the facets, beside a member that says nothing.

#include <dynconf/dynconf.hpp>

#include "mock/call_scene.hpp"
#include "support/scratch_dir.hpp"

#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

namespace {

constexpr auto soon = 40ms;

/// One that waits by itself for longer than a test may take.
client_options patient(const std::string& url) {
    client_options o = options_for({url});
    o.connect_timeout = o.tls_timeout = o.request_timeout = o.created_timeout = o.total_timeout = 60s;
    return o;
}

using operation = std::function<asio::awaitable<void>(client&)>;
struct row {
    std::string name;
    operation what;
};

/// A member of a facet with that limit.
template <class Facet, class Call>
row of(std::string name, Call call) {
    return {std::move(name), [call](client& c) -> asio::awaitable<void> {
                Facet bounded = Facet(c).with_timeout(soon);
                co_await call(bounded);
            }};
}

std::vector<row> rows(const std::filesystem::path& folder) {
    const key_range k = key_range::key("k");
    return {
        of<kv>("range", [k](kv& s) { return s.range(k); }),
        of<kv>("get", [](kv& s) { return s.get("k"); }),
        of<kv>("count", [k](kv& s) { return s.count(k); }),
        of<kv>("exists", [](kv& s) { return s.exists("k"); }),
        of<kv>("range_pages", [](kv& s) { return s.range_pages(key_range::prefix("k")); }),
        of<kv>("put", [](kv& s) { return s.put("k", "v"); }),
        of<kv>("delete_range", [k](kv& s) { return s.delete_range(k); }),
        of<kv>("commit", [](kv& s) { return s.commit(txn().then(op::put("k", "v"))); }),

        of<conditional>("create_if_absent", [](conditional& s) { return s.create_if_absent("k", "v"); }),
        of<conditional>("update_if_exists", [](conditional& s) { return s.update_if_exists("k", "v"); }),
        of<conditional>("compare_and_swap, value", [](conditional& s) { return s.compare_and_swap("k", "v", "w"); }),
        of<conditional>("compare_and_swap, revision", [](conditional& s) { return s.compare_and_swap("k", revision_t{3}, "w"); }),
        of<conditional>("compare_and_delete", [](conditional& s) { return s.compare_and_delete("k", 3); }),
        of<conditional>("move_key", [](conditional& s) { return s.move_key("k", "l"); }),

        of<search>("find", [k](search& s) { return s.find(k, key_pattern::substring("k")); }),
        of<search>("history", [](search& s) { return s.history("k"); }),

        of<auth>("enable", [](auth& s) { return s.enable(); }),
        of<auth>("disable", [](auth& s) { return s.disable(); }),
        of<auth>("auth status", [](auth& s) { return s.status(); }),
        of<auth>("user_add", [](auth& s) { return s.user_add("u", secret("p")); }),
        of<auth>("user_add, no password", [](auth& s) { return s.user_add("u", no_password); }),
        of<auth>("user_delete", [](auth& s) { return s.user_delete("u"); }),
        of<auth>("user_change_password", [](auth& s) { return s.user_change_password("u", secret("p")); }),
        of<auth>("user_grant_role", [](auth& s) { return s.user_grant_role("u", "r"); }),
        of<auth>("user_revoke_role", [](auth& s) { return s.user_revoke_role("u", "r"); }),
        of<auth>("user_get", [](auth& s) { return s.user_get("u"); }),
        of<auth>("user_list", [](auth& s) { return s.user_list(); }),
        of<auth>("users", [](auth& s) { return s.users(); }),
        of<auth>("role_add", [](auth& s) { return s.role_add("r"); }),
        of<auth>("role_delete", [](auth& s) { return s.role_delete("r"); }),
        of<auth>("role_grant_permission", [k](auth& s) { return s.role_grant_permission("r", {permission_type::read, k}); }),
        of<auth>("role_revoke_permission", [k](auth& s) { return s.role_revoke_permission("r", k); }),
        of<auth>("role_get", [](auth& s) { return s.role_get("r"); }),
        of<auth>("role_list", [](auth& s) { return s.role_list(); }),
        of<auth>("roles", [](auth& s) { return s.roles(); }),

        of<cluster>("member_list", [](cluster& s) { return s.member_list(); }),
        of<cluster>("member_add", [](cluster& s) { return s.member_add({"http://h:1"}); }),
        of<cluster>("member_add_as_learner", [](cluster& s) { return s.member_add_as_learner({"http://h:1"}); }),
        of<cluster>("member_remove", [](cluster& s) { return s.member_remove(1); }),
        of<cluster>("member_promote", [](cluster& s) { return s.member_promote(1); }),
        of<cluster>("member_update", [](cluster& s) { return s.member_update(1, {"http://h:1"}); }),

        of<maintenance>("status", [](maintenance& s) { return s.status(); }),
        of<maintenance>("key_count", [k](maintenance& s) { return s.key_count(k); }),
        of<maintenance>("alarm_list", [](maintenance& s) { return s.alarm_list(); }),
        of<maintenance>("alarm_disarm", [](maintenance& s) { return s.alarm_disarm({}); }),
        of<maintenance>("compact", [](maintenance& s) { return s.compact(3); }),
        of<maintenance>("compact, physical", [](maintenance& s) { return s.compact(3, {.physical = true}); }),
        of<maintenance>("downgrade_validate", [](maintenance& s) { return s.downgrade_validate("3.4.0"); }),
        of<maintenance>("downgrade_enable", [](maintenance& s) { return s.downgrade_enable("3.4.0"); }),
        of<maintenance>("downgrade_cancel", [](maintenance& s) { return s.downgrade_cancel(); }),
        of<maintenance>("snapshot", [folder](maintenance& s) { return s.snapshot(folder / "db"); }),
    };
}

/// Takes every request, and answers none; but a login once its caller is gone, which it outlives.
void be_silent(fake_gateway& gateway, const std::atomic<bool>& over) {
    for (const char* path : {"kv/range", "kv/put", "kv/deleterange", "kv/txn", "kv/compaction", "auth/enable", "auth/disable", "auth/status",
                             "auth/user/add", "auth/user/delete", "auth/user/changepw", "auth/user/grant", "auth/user/revoke",
                             "auth/user/get", "auth/user/list", "auth/role/add", "auth/role/delete", "auth/role/grant", "auth/role/revoke",
                             "auth/role/get", "auth/role/list", "cluster/member/list", "cluster/member/add", "cluster/member/remove",
                             "cluster/member/promote", "cluster/member/update", "maintenance/status", "maintenance/alarm", "maintenance/hash",
                             "maintenance/hashkv", "maintenance/defragment", "maintenance/transfer-leadership", "maintenance/downgrade",
                             "maintenance/snapshot"})
        gateway.on(std::string("/v3/") + path, [](const auto&) { return silence(); });
    gateway.on(auth_path, [&over](const auto&) { return token_answer("t").once([&over] { return over.load(); }); });
    gateway.on("/health", [](const auto&) { return silence(); });
}

/// What an operation ends by: each with a client of its own, which the silence of the others has told nothing.
error ended_by(const client_options& options, std::atomic<bool>& over, const operation& what) {
    error e;
    over = false;
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        e = co_await failure_of([&] { return what(c); });
        over = true;
    });
    return e;
}

}  // namespace

TEST_CASE("with_timeout: every call ends by it, also while it waits for a login", "[timeout]") {
    const scratch_dir folder;
    std::atomic<bool> over{false};
    fake_gateway gateway;
    be_silent(gateway, over);
    for (const bool logs_in : {false, true}) {
        const client_options options = logs_in ? with_user(patient(gateway.url())) : patient(gateway.url());
        for (const row& r : rows(folder.path())) {
            INFO(r.name << (logs_in ? ", with a login" : ""));
            const error e = ended_by(options, over, r.what);
            INFO(e.message());
            CHECK(e.code == errc::deadline_exceeded);
        }
    }
}

TEST_CASE("with_timeout: what asks each endpoint tells that each was late", "[timeout]") {
    std::atomic<bool> over{false};
    fake_gateway gateway;
    be_silent(gateway, over);
    for (const bool logs_in : {false, true}) {
        const client_options options = logs_in ? with_user(patient(gateway.url())) : patient(gateway.url());
        over = false;
        with_client(options, [&](client& c) -> asio::awaitable<void> {
            maintenance admin = maintenance(c).with_timeout(soon);
            const cluster_status status = co_await admin.status_of_each();
            REQUIRE(status.endpoints.size() == 1);
            CHECK(status.endpoints[0].status.error().code == errc::deadline_exceeded);
            const auto health = co_await admin.health_of_each();
            REQUIRE(health.size() == 1);
            CHECK(health[0].cause.code == errc::deadline_exceeded);
            const auto hashes = co_await admin.hash_kv_of_each();
            REQUIRE(hashes.size() == 1);
            CHECK(hashes[0].hash.error().code == errc::deadline_exceeded);
            const auto databases = co_await admin.hash_of_each();
            REQUIRE(databases.size() == 1);
            CHECK(databases[0].hash.error().code == errc::deadline_exceeded);
            const std::string url = gateway.url();
            const auto defragment = [&]() -> asio::awaitable<void> { co_await admin.defragment(url); };
            error late = co_await failure_of(defragment);
            CHECK(late.code == errc::deadline_exceeded);
            over = true;
        });
    }
}

TEST_CASE("with_timeout: bulk work tells of each part that it was late", "[timeout]") {
    std::atomic<bool> over{false};
    fake_gateway gateway;
    be_silent(gateway, over);
    for (const bool logs_in : {false, true}) {
        const client_options options = logs_in ? with_user(patient(gateway.url())) : patient(gateway.url());
        over = false;
        with_client(options, [&](client& c) -> asio::awaitable<void> {
            bulk many = bulk(c).with_timeout(soon);
            const std::vector<std::pair<std::string, std::string>> pairs{{"k", "v"}};
            const std::vector<std::string> keys{"k"};
            const std::vector<op> ops{op::put("k", "v")};
            const auto read = [&]() -> asio::awaitable<void> { co_await many.read(keys); };
            const error late = co_await failure_of(read);
            CHECK(late.code == errc::deadline_exceeded);
            const bulk_response put = co_await many.put(pairs);
            CHECK(put.parts.at(0).why.code == errc::deadline_exceeded);
            const bulk_response erased = co_await many.delete_keys(keys);
            CHECK(erased.parts.at(0).why.code == errc::deadline_exceeded);
            const bulk_response mixed = co_await many.execute(ops);
            CHECK(mixed.parts.at(0).why.code == errc::deadline_exceeded);
            over = true;
        });
    }
}

TEST_CASE("with_timeout: it bounds a snapshot from its first step", "[timeout]") {
    const scratch_dir folder;
    std::atomic<bool> over{false};
    fake_gateway gateway;
    const auto take = [&](client& c) -> asio::awaitable<void> {
        maintenance admin = maintenance(c).with_timeout(soon);
        co_await admin.snapshot(folder.path() / "db");
    };
    const std::string to_plain = "https" + gateway.url().substr(std::string("http").size());
    const error in_a_handshake = ended_by(patient(to_plain), over, take);   // which is never answered
    CHECK(in_a_handshake.code == errc::deadline_exceeded);
}
