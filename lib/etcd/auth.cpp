#include <dynconf/auth.hpp>

#include "etcd/secret_body.hpp"
#include "etcd/start_call.hpp"
#include "wire/requests.hpp"

#include <string_view>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::cancels;
using etcd::client_core;
using policy::safety;

namespace {

using time_limit = std::optional<client_core::clock::time_point>;

etcd::call asks(std::string_view name, std::string_view path) { return {name, path}; }

void start_change(const detail::call_origin& from, std::string_view name, std::string_view path, result<std::string> body,
                  detail::erased_handler<void> h) {
    etcd::start_call(from, {name, path, safety::at_most_once}, std::move(body), cancels::terminal_only, std::move(h));
}

void start_password(const detail::call_origin& from, etcd::call what, result<std::string> made, secret password, detail::erased_handler<void> h) {
    what.safety = safety::at_most_once;
    result<secret> body = made ? result<secret>(etcd::as_secret(std::move(*made))) : result<secret>(made.error());
    auto run = [what, body = std::move(body), password = std::move(password)](client_core& core, const time_limit& due) -> asio::awaitable<result<void>> {
        if (!body) co_return body.error();
        etcd::call bounded = what;
        bounded.due = due;
        bounded.secret = password.reveal();
        auto answer = co_await core.unary<wire::header_only_response>(bounded, body->reveal());
        if (!answer) co_return answer.error();
        co_return result<void>();
    };
    etcd::start<void>(from, cancels::terminal_only, std::move(h), std::move(run));
}

std::string_view name_of(permission_type type) {
    switch (type) {
    case permission_type::read: return "READ";
    case permission_type::write: return "WRITE";
    case permission_type::read_write: return "READWRITE";
    }
    return "READ";
}

/// One that is not understood must not be taken for less than it is.
result<std::vector<permission>> permissions_of(wire::role_get_response message) {
    std::vector<permission> all;
    for (wire::granted_permission& p : message.permissions) {
        permission_type type = permission_type::read;
        if (p.type == "WRITE") type = permission_type::write;
        else if (p.type == "READWRITE") type = permission_type::read_write;
        else if (!p.type.empty() && p.type != "READ") return error{errc::malformed_response, "a permission of an unknown type"};
        all.push_back({type, key_range::raw(std::move(p.key), std::move(p.range_end))});
    }
    return all;
}

constexpr auto take_roles = [](wire::role_names_response m) { return result<std::vector<std::string>>(std::move(m.roles)); };
constexpr auto take_users = [](wire::user_list_response m) { return result<std::vector<std::string>>(std::move(m.users)); };

template <class Message>
asio::awaitable<result<Message>> ask(client_core& core, etcd::call what, const time_limit& due, const result<std::string>& body) {
    if (!body) co_return body.error();
    what.due = due;
    co_return co_await core.unary<Message>(what, *body);
}

/// What an etcd that has no such call says of itself when somebody without a name logs in.
asio::awaitable<result<auth_status>> status_by_login(client_core& core, const time_limit& due) {
    etcd::call what = asks("auth status", "/v3/auth/authenticate");
    what.authenticated = false;
    auto answer = co_await ask<wire::authenticate_response>(core, what, due, wire::authenticate_request({}, {}));
    auth_status status;
    if (answer) {
        status.enabled = true;
        co_return status;
    }
    const error why = answer.error();
    if (why.code == server_errc::auth_not_enabled) co_return status;
    if (why.code != server_errc::auth_failed && why.code != server_errc::user_empty) co_return why;
    status.enabled = true;
    co_return status;
}

asio::awaitable<result<auth_status>> status_of(client_core& core, const time_limit& due) {
    auto answer = co_await ask<wire::auth_status_response>(core, asks("auth status", "/v3/auth/status"), due, std::string("{}"));
    auth_status status;
    if (answer) {
        status.enabled = answer->enabled;
        status.revision = answer->auth_revision;
        co_return status;
    }
    const error why = answer.error();
    if (why.code == errc::not_supported) co_return co_await status_by_login(core, due);
    // That it refuses to say is an answer.
    if (why.code != server_errc::permission_denied && why.code != server_errc::user_empty) co_return why;
    status.enabled = true;
    co_return status;
}

asio::awaitable<result<std::vector<user>>> all_users(client_core& core, const time_limit& due) {
    auto names = co_await ask<wire::user_list_response>(core, asks("user list", "/v3/auth/user/list"), due, std::string("{}"));
    if (!names) co_return names.error();
    std::vector<user> all;
    for (std::string& name : names->users) {
        auto answer = co_await ask<wire::role_names_response>(core, asks("user get", "/v3/auth/user/get"), due, wire::user_get_request(name));
        if (answer) all.push_back({std::move(name), std::move(answer->roles)});
        else if (const error why = answer.error(); why.code != server_errc::user_not_found) co_return why;
    }
    co_return all;
}

asio::awaitable<result<std::vector<role>>> all_roles(client_core& core, const time_limit& due) {
    auto names = co_await ask<wire::role_names_response>(core, asks("role list", "/v3/auth/role/list"), due, std::string("{}"));
    if (!names) co_return names.error();
    std::vector<role> all;
    for (std::string& name : names->roles) {
        auto answer = co_await ask<wire::role_get_response>(core, asks("role get", "/v3/auth/role/get"), due, wire::role_get_request(name));
        if (!answer) {
            const error why = answer.error();
            if (why.code == server_errc::role_not_found) continue;
            co_return why;
        }
        auto permissions = permissions_of(std::move(*answer));
        if (!permissions) co_return permissions.error();
        all.push_back({std::move(name), std::move(*permissions)});
    }
    co_return all;
}

}  // namespace

auth::auth(const client& c) : facet(c) {}

void auth::start_enable(origin from, detail::erased_handler<void> h) {
    start_change(from, "auth enable", "/v3/auth/enable", std::string("{}"), std::move(h));
}

void auth::start_disable(origin from, detail::erased_handler<void> h) {
    start_change(from, "auth disable", "/v3/auth/disable", std::string("{}"), std::move(h));
}

void auth::start_status(origin from, detail::erased_handler<auth_status> h) {
    auto run = [](client_core& core, const time_limit& due) { return status_of(core, due); };
    etcd::start<auth_status>(from, cancels::total, std::move(h), run);
}

void auth::start_user_add(origin from, std::string name, std::optional<secret> password, detail::erased_handler<void> h) {
    if (!password) return start_change(from, "user add", "/v3/auth/user/add", wire::user_add_request(name, std::nullopt), std::move(h));
    auto body = wire::user_add_request(name, password->reveal());
    start_password(from, asks("user add", "/v3/auth/user/add"), std::move(body), std::move(*password), std::move(h));
}

void auth::start_user_delete(origin from, std::string name, detail::erased_handler<void> h) {
    start_change(from, "user delete", "/v3/auth/user/delete", wire::user_delete_request(name), std::move(h));
}

void auth::start_user_change_password(origin from, std::string name, secret password, detail::erased_handler<void> h) {
    auto body = wire::user_change_password_request(name, password.reveal());
    start_password(from, asks("user change password", "/v3/auth/user/changepw"), std::move(body), std::move(password), std::move(h));
}

void auth::start_user_grant_role(origin from, std::string name, std::string role, detail::erased_handler<void> h) {
    start_change(from, "user grant role", "/v3/auth/user/grant", wire::user_grant_role_request(name, role), std::move(h));
}

void auth::start_user_revoke_role(origin from, std::string name, std::string role, detail::erased_handler<void> h) {
    start_change(from, "user revoke role", "/v3/auth/user/revoke", wire::user_revoke_role_request(name, role), std::move(h));
}

void auth::start_user_get(origin from, std::string name, detail::erased_handler<names> h) {
    etcd::start_call<wire::role_names_response>(from, asks("user get", "/v3/auth/user/get"), wire::user_get_request(name),
                                                cancels::total, std::move(h), take_roles);
}

void auth::start_user_list(origin from, detail::erased_handler<names> h) {
    etcd::start_call<wire::user_list_response>(from, asks("user list", "/v3/auth/user/list"), std::string("{}"), cancels::total,
                                               std::move(h), take_users);
}

void auth::start_users(origin from, detail::erased_handler<std::vector<user>> h) {
    auto run = [](client_core& core, const time_limit& due) { return all_users(core, due); };
    etcd::start<std::vector<user>>(from, cancels::total, std::move(h), run);
}

void auth::start_role_add(origin from, std::string name, detail::erased_handler<void> h) {
    start_change(from, "role add", "/v3/auth/role/add", wire::role_add_request(name), std::move(h));
}

void auth::start_role_delete(origin from, std::string name, detail::erased_handler<void> h) {
    start_change(from, "role delete", "/v3/auth/role/delete", wire::role_delete_request(name), std::move(h));
}

void auth::start_role_grant_permission(origin from, std::string name, permission what, detail::erased_handler<void> h) {
    start_change(from, "role grant permission", "/v3/auth/role/grant",
                 wire::role_grant_permission_request(name, name_of(what.type), what.keys), std::move(h));
}

void auth::start_role_revoke_permission(origin from, std::string name, key_range keys, detail::erased_handler<void> h) {
    start_change(from, "role revoke permission", "/v3/auth/role/revoke", wire::role_revoke_permission_request(name, keys), std::move(h));
}

void auth::start_role_get(origin from, std::string name, detail::erased_handler<std::vector<permission>> h) {
    etcd::start_call<wire::role_get_response>(from, asks("role get", "/v3/auth/role/get"), wire::role_get_request(name),
                                              cancels::total, std::move(h), permissions_of);
}

void auth::start_role_list(origin from, detail::erased_handler<names> h) {
    etcd::start_call<wire::role_names_response>(from, asks("role list", "/v3/auth/role/list"), std::string("{}"), cancels::total,
                                                std::move(h), take_roles);
}

void auth::start_roles(origin from, detail::erased_handler<std::vector<role>> h) {
    auto run = [](client_core& core, const time_limit& due) { return all_roles(core, due); };
    etcd::start<std::vector<role>>(from, cancels::total, std::move(h), run);
}

}  // namespace dynconf
