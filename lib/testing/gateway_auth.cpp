#include "testing/gateway_call.hpp"

#include <array>

namespace dynconf::testing {
namespace {

constexpr std::array<std::string_view, 3> permission_names = {"READ", "WRITE", "READWRITE"};

void print_names(json_out& out, std::string_view name, const std::vector<std::string>& names) {
    if (names.empty()) return;
    out.open_list(name);
    for (const std::string& n : names) out.item(n);
    out.close_list();
}

}  // namespace

// A change of users or roles. It goes through the log, and is for root.
template <class F>
void gateway::administer(call& c, F&& change) {
    admit(c);
    enter(c, needs::commit);
    cluster().auth().check_admin(c.who);
    change(cluster().auth());
    member_->header(c.out, member_->applied());
}

void gateway::auth_enable(call& c) {
    administer(c, [](auth_store& a) { a.enable(); });
}

void gateway::auth_disable(call& c) {
    administer(c, [](auth_store& a) { a.disable(); });
}

void gateway::auth_status(call& c) {
    admit(c);
    enter(c, needs::commit);
    if (!member_->profile.is(7)) cluster().auth().check_admin(c.who);
    member_->header(c.out, member_->applied());
    c.out.flag("enabled", cluster().auth().enabled());
    c.out.number("authRevision", cluster().auth().revision());
}

void gateway::authenticate(call& c) {
    const std::string name = c.in.text("name"), password = c.in.text("password");
    admit(c);
    // Whoever asks for a token is not asked for one; a bad one is refused all the same.
    enter(c, needs::commit);
    cluster().auth().check_password(name, password);
    const std::string text = cluster().log_in(name, member_->options.tokens, c.now);
    member_->header(c.out, member_->applied());
    c.out.text("token", text);
}

void gateway::user_add(call& c) {
    const std::string name = c.in.text("name"), password = c.in.text("password");
    bool no_password = false;
    c.in.inner("options", [&](const json_in& o) { no_password = o.flag("no_password"); });
    administer(c, [&](auth_store& a) { a.add_user(name, password, no_password); });
}

void gateway::user_get(call& c) {
    const std::string name = c.in.text("name");
    admit(c);
    enter(c, needs::commit);
    const auth_store& auth = cluster().auth();
    if (!c.who || c.who->user != name) auth.check_admin(c.who);
    const auto roles = auth.roles_of(name);
    member_->header(c.out, member_->applied());
    print_names(c.out, "roles", roles);
}

void gateway::user_list(call& c) {
    administer(c, [](auth_store&) {});
    print_names(c.out, "users", cluster().auth().users());
}

void gateway::user_delete(call& c) {
    const std::string name = c.in.text("name");
    administer(c, [&](auth_store& a) { a.delete_user(name); });
}

void gateway::user_change_password(call& c) {
    const std::string name = c.in.text("name"), password = c.in.text("password");
    administer(c, [&](auth_store& a) { a.change_password(name, password); });
}

void gateway::user_grant(call& c) {
    const std::string user = c.in.text("user"), role = c.in.text("role");
    administer(c, [&](auth_store& a) { a.grant_role(user, role); });
}

void gateway::user_revoke(call& c) {
    const std::string name = c.in.text("name"), role = c.in.text("role");
    administer(c, [&](auth_store& a) { a.revoke_role(name, role); });
}

void gateway::role_add(call& c) {
    const std::string name = c.in.text("name");
    administer(c, [&](auth_store& a) { a.add_role(name); });
}

void gateway::role_get(call& c) {
    const std::string role = c.in.text("role");
    admit(c);
    enter(c, needs::commit);
    const auth_store& auth = cluster().auth();
    if (!c.who || !auth.has_role(c.who->user, role)) auth.check_admin(c.who);
    const auto permissions = auth.permissions_of(role);
    member_->header(c.out, member_->applied());
    if (permissions.empty()) return;
    c.out.open_list("perm");
    for (const permission& p : permissions) {
        c.out.open();
        if (p.type != permission_type::read) c.out.text("permType", permission_names[static_cast<std::size_t>(p.type)]);
        c.out.bytes("key", p.key);
        c.out.bytes("range_end", p.range_end);
        c.out.close();
    }
    c.out.close_list();
}

void gateway::role_list(call& c) {
    administer(c, [](auth_store&) {});
    print_names(c.out, "roles", cluster().auth().roles());
}

void gateway::role_delete(call& c) {
    const std::string role = c.in.text("role");
    administer(c, [&](auth_store& a) { a.delete_role(role); });
}

void gateway::role_grant(call& c) {
    const std::string name = c.in.text("name");
    std::optional<permission> given;
    c.in.inner("perm", [&](const json_in& p) {
        given = permission{static_cast<permission_type>(p.choice("permType", permission_names)), p.bytes("key"), p.bytes("range_end")};
    });
    administer(c, [&](auth_store& a) { a.grant_permission(name, given); });
}

void gateway::role_revoke(call& c) {
    const std::string role = c.in.text("role"), key = c.in.bytes("key"), range_end = c.in.bytes("range_end");
    administer(c, [&](auth_store& a) { a.revoke_permission(role, key, range_end); });
}

}  // namespace dynconf::testing
