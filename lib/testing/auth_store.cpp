#include "testing/auth_store.hpp"

#include "testing/refusal.hpp"

#include <algorithm>

namespace dynconf::testing {
namespace {

constexpr std::string_view no_end("\0", 1);
const std::string root = "root";

// The first key behind a range, as etcd's commands and permissions name it; none when it has no end.
std::optional<std::string> end_of(std::string_view key, std::string_view range_end) {
    if (range_end == no_end) return std::nullopt;
    return range_end.empty() ? std::string(key) + '\0' : std::string(range_end);
}

}  // namespace

auth_store::user& auth_store::find_user(const std::string& name) {
    const auto it = users_.find(name);
    if (it == users_.end()) throw refusal(server_errc::user_not_found);
    return it->second;
}

auth_store::role& auth_store::find_role(const std::string& name) {
    const auto it = roles_.find(name);
    if (it == roles_.end()) throw refusal(server_errc::role_not_found);
    return it->second;
}

void auth_store::enable() {
    if (enabled_) return;
    const auto it = users_.find(root);
    if (it == users_.end()) throw refusal(server_errc::root_user_missing);
    if (!it->second.roles.contains(root)) throw refusal(server_errc::root_role_missing);
    enabled_ = true;
}

bool auth_store::disable() {
    if (!enabled_) return false;
    enabled_ = false;
    ++revision_;
    for (auto& [name, u] : users_) u.epoch = ++epochs_;
    return true;
}

void auth_store::add_user(const std::string& name, const std::string& password, bool no_password) {
    if (name.empty()) throw refusal(server_errc::user_empty);
    if (users_.contains(name)) throw refusal(server_errc::user_exists);
    user& u = users_[name];
    if (!no_password) u.password = password;
    u.epoch = ++epochs_;
    ++revision_;
}

void auth_store::delete_user(const std::string& name) {
    if (enabled_ && name == root) throw refusal(server_errc::invalid_auth_management);
    find_user(name);
    users_.erase(name);
    ++revision_;
}

void auth_store::change_password(const std::string& name, const std::string& password) {
    user& u = find_user(name);
    u.password = password;
    u.epoch = ++epochs_;
    ++revision_;
}

void auth_store::grant_role(const std::string& name, const std::string& role_name) {
    user& u = find_user(name);
    if (role_name != root) find_role(role_name);
    if (u.roles.insert(role_name).second) ++revision_;
}

void auth_store::revoke_role(const std::string& name, const std::string& role_name) {
    if (enabled_ && name == root && role_name == root) throw refusal(server_errc::invalid_auth_management);
    if (find_user(name).roles.erase(role_name) == 0) throw refusal(server_errc::role_not_granted);
    ++revision_;
}

std::vector<std::string> auth_store::users() const {
    std::vector<std::string> names;
    for (const auto& [name, u] : users_) names.push_back(name);
    return names;
}

std::vector<std::string> auth_store::roles_of(const std::string& name) const {
    const user& u = find_user(name);
    return {u.roles.begin(), u.roles.end()};
}

void auth_store::add_role(const std::string& name) {
    if (name.empty()) throw refusal(server_errc::role_empty);
    if (!roles_.try_emplace(name).second) throw refusal(server_errc::role_exists);
    ++revision_;
}

void auth_store::delete_role(const std::string& name) {
    if (enabled_ && name == root) throw refusal(server_errc::invalid_auth_management);
    find_role(name);
    roles_.erase(name);
    for (auto& [user_name, u] : users_)
        if (u.roles.erase(name) != 0) u.epoch = ++epochs_;
    ++revision_;
}

void auth_store::grant_permission(const std::string& name, const std::optional<permission>& p) {
    if (!p) throw refusal(server_errc::permission_not_given);
    const auto end = end_of(p->key, p->range_end);
    if (p->key.empty() || (end && *end <= p->key)) throw refusal(server_errc::invalid_auth_management);
    find_role(name)[{p->key, p->range_end}] = p->type;
    ++revision_;
}

void auth_store::revoke_permission(const std::string& name, const std::string& key, const std::string& range_end) {
    if (find_role(name).erase({key, range_end}) == 0) throw refusal(server_errc::permission_not_granted);
    ++revision_;
}

std::vector<std::string> auth_store::roles() const {
    std::vector<std::string> names;
    for (const auto& [name, r] : roles_) names.push_back(name);
    return names;
}

std::vector<permission> auth_store::permissions_of(const std::string& name) const {
    std::vector<permission> all;
    const role& r = const_cast<auth_store*>(this)->find_role(name);
    if (name == root) return {{permission_type::readwrite, {}, std::string(no_end)}};
    for (const auto& [range, type] : r) all.push_back({type, range.first, range.second});
    return all;
}

void auth_store::check_password(const std::string& name, const std::string& password) const {
    if (!enabled_) throw refusal(server_errc::auth_not_enabled);
    const auto it = users_.find(name);
    if (it == users_.end()) throw refusal(server_errc::auth_failed);
    if (!it->second.password)
        throw refusal(grpc_errc::unknown, "auth: authentication failed, password was given for no password user");
    if (*it->second.password != password) throw refusal(server_errc::auth_failed);
}

std::uint64_t auth_store::login_epoch(const std::string& name) const {
    const auto it = users_.find(name);
    return it == users_.end() ? 0 : it->second.epoch;
}

// Several permissions that lie side by side cover a range together.
bool auth_store::allows(const user& u, std::string_view key, std::string_view range_end, permission_type wanted) const {
    std::vector<std::pair<std::string, std::optional<std::string>>> granted;
    for (const std::string& name : u.roles) {
        const auto r = roles_.find(name);
        if (r == roles_.end()) continue;
        for (const auto& [range, type] : r->second)
            if (type == wanted || type == permission_type::readwrite)
                granted.emplace_back(range.first, end_of(range.first, range.second));
    }
    std::sort(granted.begin(), granted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

    std::string reached(key);
    const auto end = end_of(key, range_end);
    for (const auto& [first, last] : granted) {
        if (first > reached) break;
        if (!last) return true;
        reached = std::max(reached, *last);
    }
    return end && reached >= *end;
}

void auth_store::check(const std::optional<identity>& who, std::string_view key, std::string_view range_end,
    permission_type wanted) const {
    if (!enabled_) return;
    if (!who) throw refusal(server_errc::user_empty);
    if (who->revision < revision_) throw refusal(server_errc::auth_old_revision);
    const auto it = users_.find(who->user);
    if (it == users_.end()) throw refusal(server_errc::permission_denied);
    if (!it->second.roles.contains(root) && !allows(it->second, key, range_end, wanted))
        throw refusal(server_errc::permission_denied);
}

void auth_store::check_range(const std::optional<identity>& who, std::string_view key, std::string_view range_end) const {
    check(who, key, range_end, permission_type::read);
}

void auth_store::check_write(const std::optional<identity>& who, std::string_view key, std::string_view range_end) const {
    check(who, key, range_end, permission_type::write);
}

void auth_store::check_admin(const std::optional<identity>& who) const {
    if (!enabled_) return;
    if (!who) throw refusal(server_errc::user_empty);
    if (!has_role(who->user, root)) throw refusal(server_errc::permission_denied);
}

bool auth_store::has_role(const std::string& name, const std::string& role_name) const {
    const auto it = users_.find(name);
    return it != users_.end() && it->second.roles.contains(role_name);
}

}  // namespace dynconf::testing
