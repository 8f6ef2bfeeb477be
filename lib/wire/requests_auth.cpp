#include "wire/json_object.hpp"
#include "wire/quote.hpp"
#include "wire/requests.hpp"

#include <initializer_list>
#include <utility>

namespace dynconf::wire {
namespace {

struct text_member { std::string_view name, value; };

/// Go takes what is not UTF-8 for U+FFFD, without a word: the user would be another, and its password one nobody knows.
result<void> check(std::initializer_list<text_member> members) {
    for (const auto& [name, value] : members)
        if (!is_utf8(value)) return error{errc::invalid_argument, "the " + std::string(name) + " is not UTF-8"};
    return {};
}

/// Room for the members, so that a growing text leaves no password behind.
std::string room_for(std::initializer_list<text_member> members) {
    std::size_t most = 2;
    for (const auto& [name, value] : members) most += name.size() + 6 + 6 * value.size();
    std::string out;
    out.reserve(most);
    return out;
}

result<std::string> texts(std::initializer_list<text_member> members) {
    if (const auto fit = check(members); !fit) return fit.error();
    std::string out = room_for(members);
    json_object body(out);
    for (const auto& [name, value] : members) body.text(name, value);
    body.close();
    return out;
}

result<std::string> with_password(std::string_view name, std::string_view password) {
    if (password.empty()) return error{errc::invalid_argument, "the password is empty"};
    return texts({{"name", name}, {"password", password}});
}

}  // namespace

std::string authenticate_request(std::string_view name, std::string_view password) {
    std::string out = room_for({{"name", name}, {"password", password}});
    json_object body(out);
    body.text("name", name);
    body.text("password", password);
    body.close();
    return out;
}

result<std::string> user_add_request(std::string_view name, std::optional<std::string_view> password) {
    if (password) return with_password(name, *password);
    if (const auto fit = check({{"name", name}}); !fit) return fit.error();
    return object_with([&](json_object& body) {
        body.text("name", name);
        json_object options(body.member("options"));
        options.flag("no_password", true);
        options.close();
    });
}

result<std::string> user_change_password_request(std::string_view name, std::string_view password) {
    return with_password(name, password);
}
result<std::string> user_delete_request(std::string_view name) { return texts({{"name", name}}); }
result<std::string> user_get_request(std::string_view name) { return texts({{"name", name}}); }
result<std::string> user_grant_role_request(std::string_view user, std::string_view role) {
    return texts({{"user", user}, {"role", role}});
}
// "name" here, "user" there: so it is in etcd.
result<std::string> user_revoke_role_request(std::string_view user, std::string_view role) {
    return texts({{"name", user}, {"role", role}});
}
result<std::string> role_add_request(std::string_view role) { return texts({{"name", role}}); }
result<std::string> role_delete_request(std::string_view role) { return texts({{"role", role}}); }
result<std::string> role_get_request(std::string_view role) { return texts({{"role", role}}); }

result<std::string> role_grant_permission_request(std::string_view role, std::string_view type, const key_range& keys) {
    if (const auto fit = check({{"role", role}}); !fit) return fit.error();
    // 3.4 would keep it and permit nothing.
    const bool has_end = !keys.range_end().empty() && keys.range_end() != std::string_view("\0", 1);
    if (has_end && keys.range_end() <= keys.first())
        return error{errc::invalid_argument, "the interval of keys ends before it begins"};
    return object_with([&](json_object& body) {
        body.text("name", role);
        json_object permission(body.member("perm"));
        permission.word("permType", type);
        permission.range(keys);
        permission.close();
    });
}

result<std::string> role_revoke_permission_request(std::string_view role, const key_range& keys) {
    if (const auto fit = check({{"role", role}}); !fit) return fit.error();
    return object_with([&](json_object& body) {
        body.text("role", role);
        body.range(keys);
    });
}

}  // namespace dynconf::wire
