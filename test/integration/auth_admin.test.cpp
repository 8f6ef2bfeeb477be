// Users, roles and permissions, with etcdctl as the witness.

#include "integration/scene.hpp"
#include "support/etcdctl.hpp"

#include <dynconf/auth.hpp>

using namespace dynconf;
using namespace dynconf::test;

namespace {

constexpr const char* root_password = "root's own secret";
constexpr const char* svc_password = "svc \"secret\" \\ p\xc3\xa4ss";

std::string root() { return std::string("root:") + root_password; }
std::string svc() { return std::string("svc:") + svc_password; }

asio::awaitable<void> fails(asio::awaitable<void> operation, error_code with) {
    const error why = co_await failure(std::move(operation));
    INFO(why.message());
    CHECK(why.code == with);
    CHECK_FALSE(why.in_doubt);
    CHECK_FALSE(has(why.message(), "secret"));
}

client_options as(const etcd_process& etcd, std::string name, std::string password, std::string& logged) {
    client_options options = hasty(etcd);
    options.auth = as_user(std::move(name), std::move(password));
    options.log = [&logged](const log_record& r) { logged += std::string(r.text) + '\n'; };
    return options;
}

permission allowed(permission_type type, key_range keys) { return {type, std::move(keys)}; }

}  // namespace

TEST_CASE("auth: a life cycle, with etcdctl as the witness", "[auth_admin]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    std::string logged;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client as_root(ex, as(etcd, "root", root_password, logged));
            auth admin(as_root);
            auth_status status = co_await admin.status();
            CHECK_FALSE(status.enabled);

            co_await fails(admin.enable(), server_errc::root_user_missing);
            co_await admin.user_add("root", root_password);
            co_await fails(admin.enable(), server_errc::root_role_missing);
            co_await admin.role_add("root");
            co_await admin.user_grant_role("root", "root");

            co_await admin.user_add("svc", svc_password);
            co_await fails(admin.user_add("svc", svc_password), server_errc::user_exists);
            co_await fails(admin.user_add("", svc_password), server_errc::user_empty);
            co_await admin.user_add("cert", no_password);
            co_await admin.role_add("app");
            co_await fails(admin.role_add("app"), server_errc::role_exists);
            const permission on_prefix = allowed(permission_type::read_write, key_range::prefix("app/"));
            const permission on_key = allowed(permission_type::read, key_range::key("other"));
            const permission on_interval = allowed(permission_type::write, key_range::interval("x", "z"));
            co_await admin.role_grant_permission("app", on_prefix);
            co_await admin.role_grant_permission("app", on_key);
            co_await admin.role_grant_permission("app", on_interval);
            co_await fails(admin.role_grant_permission("nobody", on_key), server_errc::role_not_found);
            co_await admin.user_grant_role("svc", "app");
            co_await admin.user_grant_role("svc", "app");
            co_await fails(admin.user_grant_role("svc", "nothing"), server_errc::role_not_found);
            co_await fails(admin.user_grant_role("nobody", "app"), server_errc::user_not_found);

            const std::vector<permission> granted = co_await admin.role_get("app");
            CHECK(granted.size() == 3);
            for (const permission& p : {on_prefix, on_key, on_interval}) CHECK(std::count(granted.begin(), granted.end(), p) == 1);
            const std::string shown = etcdctl_says(binary, etcd, {"role", "get", "app"});
            INFO(shown);
            CHECK(has(shown, "[app/, app0) (prefix app/)"));
            CHECK(has(shown, "[x, z)"));

            co_await admin.enable();
            CHECK(has(etcdctl_says(binary, etcd, {"get", "app/k"}), "user name is empty"));
            CHECK(has(etcdctl_says(binary, etcd, {"user", "list"}, root()), "cert\nroot\nsvc"));
            CHECK(has(etcdctl_says(binary, etcd, {"put", "app/k", "v"}, svc()), "OK"));
            status = co_await admin.status();
            CHECK(status.enabled);
            CHECK(status.revision.has_value() == (binary.version.rfind("3.4.", 0) != 0));

            const std::vector<user> users = co_await admin.users();
            REQUIRE(users.size() == 3);
            CHECK(users[0].name == "cert");
            CHECK(users[0].roles.empty());
            CHECK(users[2].name == "svc");
            CHECK(users[2].roles == std::vector<std::string>{"app"});
            const std::vector<role> roles = co_await admin.roles();
            REQUIRE(roles.size() == 2);
            CHECK(roles[0].name == "app");
            CHECK(roles[0].permissions == granted);
            CHECK(roles[1].permissions.empty());
            const std::vector<std::string> user_names = co_await admin.user_list();
            CHECK(user_names == std::vector<std::string>{"cert", "root", "svc"});
            const std::vector<std::string> role_names = co_await admin.role_list();
            CHECK(role_names == std::vector<std::string>{"app", "root"});

            // What the user itself may do.
            client as_svc(ex, as(etcd, "svc", svc_password, logged));
            kv store(as_svc);
            auth own(as_svc);
            (void)co_await store.put("app/k", "w");
            const std::vector<std::string> my_roles = co_await own.user_get("svc");
            CHECK(my_roles == std::vector<std::string>{"app"});
            co_await fails(own.user_add("more", svc_password), server_errc::permission_denied);
            co_await fails(own.disable(), server_errc::permission_denied);
            const auto refused = co_await outcome(own.users());
            REQUIRE_FALSE(refused);
            CHECK(refused.error().code == server_errc::permission_denied);
            const auth_status seen_by_svc = co_await own.status();
            CHECK(seen_by_svc.enabled);
            const auto denied = co_await outcome(store.put("other", "v"));
            REQUIRE_FALSE(denied);
            CHECK(denied.error().code == server_errc::permission_denied);

            co_await admin.role_grant_permission("app", allowed(permission_type::read_write, key_range::key("other")));
            (void)co_await store.put("other", "v");
            co_await admin.role_revoke_permission("app", key_range::key("other"));
            const auto again = co_await outcome(store.put("other", "v"));
            REQUIRE_FALSE(again);
            CHECK(again.error().code == server_errc::permission_denied);
            co_await fails(admin.role_revoke_permission("app", key_range::key("other")), server_errc::permission_not_granted);

            // The password changes under the client that has it.
            co_await admin.user_change_password("svc", "another secret");
            const auto locked_out = co_await outcome(store.put("app/k", "x"));
            REQUIRE_FALSE(locked_out);
            CHECK(locked_out.error().code == server_errc::auth_failed);
            client with_new(ex, as(etcd, "svc", "another secret", logged));
            kv new_store(with_new);
            (void)co_await new_store.put("app/k", "y");
            co_await fails(admin.user_change_password("nobody", svc_password), server_errc::user_not_found);

            co_await admin.user_revoke_role("svc", "app");
            co_await fails(admin.user_revoke_role("svc", "app"), server_errc::role_not_granted);
            const auto without_role = co_await outcome(new_store.put("app/k", "z"));
            REQUIRE_FALSE(without_role);
            CHECK(without_role.error().code == server_errc::permission_denied);
            co_await admin.role_delete("app");
            co_await fails(admin.role_delete("app"), server_errc::role_not_found);
            co_await admin.user_delete("svc");
            co_await fails(admin.user_delete("svc"), server_errc::user_not_found);
            const auto deleted = co_await outcome(new_store.put("app/k", "z"));
            REQUIRE_FALSE(deleted);
            CHECK(deleted.error().code == server_errc::auth_failed);
            co_await fails(admin.user_delete("root"), server_errc::invalid_auth_management);

            co_await admin.disable();
            status = co_await admin.status();
            CHECK_FALSE(status.enabled);
            CHECK(has(etcdctl_says(binary, etcd, {"put", "app/k", "v"}), "OK"));
        },
        60s);
    CHECK_FALSE(has(logged, "secret"));
}

TEST_CASE("auth: a permission on all keys is one", "[auth_admin]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    std::string logged;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client as_root(ex, as(etcd, "root", root_password, logged));
            auth admin(as_root);
            co_await admin.user_add("root", root_password);
            co_await admin.role_add("root");
            co_await admin.user_grant_role("root", "root");
            co_await admin.user_add("svc", svc_password);
            co_await admin.role_add("everything");
            const permission whole = allowed(permission_type::read_write, key_range::prefix(""));
            co_await admin.role_grant_permission("everything", whole);
            co_await admin.user_grant_role("svc", "everything");
            co_await admin.enable();
            client as_svc(ex, as(etcd, "svc", svc_password, logged));
            kv store(as_svc);
            (void)co_await store.put("anything", "v");
            const range_response all = co_await store.range(key_range::all());
            CHECK(all.kvs.size() == 1);
            const std::vector<permission> granted = co_await admin.role_get("everything");
            REQUIRE(granted.size() == 1);
            CHECK(granted[0] == whole);
            co_await admin.role_revoke_permission("everything", key_range::all());
            const auto refused = co_await outcome(store.put("anything", "w"));
            REQUIRE_FALSE(refused);
            CHECK(refused.error().code == server_errc::permission_denied);
        },
        60s);
}

TEST_CASE("auth: what is not UTF-8 does not become somebody else's name", "[auth_admin]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            auth admin(c);
            co_await fails(admin.user_add("n\xff", "secret"), errc::invalid_argument);
            co_await fails(admin.user_add("n", "secret\xff"), errc::invalid_argument);
            co_await fails(admin.user_add("n", ""), errc::invalid_argument);
            const std::vector<user> users = co_await admin.users();
            CHECK(users.empty());
            const auto written = co_await admin.user_add("n", "secret", as_outcome);
            CHECK(written.executed());
            const auto twice = co_await admin.user_add("n", "secret", as_outcome);
            CHECK(twice.not_executed());
        },
        60s);
}
