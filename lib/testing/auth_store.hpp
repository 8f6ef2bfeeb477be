#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::testing {

enum class permission_type : std::int32_t { read, write, readwrite };

struct permission {
    permission_type type = permission_type::read;
    std::string key, range_end;
};

/// Who a request comes from, as its token says.
struct identity {
    std::string user;
    std::int64_t revision = 0;   ///< Of the auth store when the token was made, or is looked up.
};

/// Users, roles and what they may do, as etcd keeps them; no request reaches it twice. What etcd refuses is thrown as
/// `refusal`. A copy is a snapshot. No thread safety.
class auth_store {
public:
    bool enabled() const noexcept { return enabled_; }
    std::int64_t revision() const noexcept { return revision_; }

    void enable();
    /// True when it was on: all tokens end then.
    bool disable();

    void add_user(const std::string& name, const std::string& password, bool no_password);
    void delete_user(const std::string& name);
    void change_password(const std::string& name, const std::string& password);
    void grant_role(const std::string& user, const std::string& role);
    void revoke_role(const std::string& user, const std::string& role);
    std::vector<std::string> users() const;
    std::vector<std::string> roles_of(const std::string& user) const;

    void add_role(const std::string& role);
    void delete_role(const std::string& role);
    void grant_permission(const std::string& role, const std::optional<permission>& p);
    void revoke_permission(const std::string& role, const std::string& key, const std::string& range_end);
    std::vector<std::string> roles() const;
    std::vector<permission> permissions_of(const std::string& role) const;

    void check_password(const std::string& name, const std::string& password) const;
    /// The tokens of a user live as long as this stays the same; 0: there is no such user.
    std::uint64_t login_epoch(const std::string& user) const;

    // Whether `who` may; nullopt is a request without a token. Nothing is refused while auth is off.
    void check_range(const std::optional<identity>& who, std::string_view key, std::string_view range_end) const;
    void check_write(const std::optional<identity>& who, std::string_view key, std::string_view range_end) const;
    void check_admin(const std::optional<identity>& who) const;
    bool has_role(const std::string& user, const std::string& role) const;

private:
    struct user {
        std::optional<std::string> password;
        std::set<std::string> roles;
        std::uint64_t epoch = 0;
    };
    using role = std::map<std::pair<std::string, std::string>, permission_type>;   // by key and range_end

    user& find_user(const std::string& name);
    const user& find_user(const std::string& name) const { return const_cast<auth_store*>(this)->find_user(name); }
    role& find_role(const std::string& name);
    void check(const std::optional<identity>& who, std::string_view key, std::string_view range_end, permission_type) const;
    bool allows(const user&, std::string_view key, std::string_view range_end, permission_type) const;

    bool enabled_ = false;
    std::int64_t revision_ = 1;
    std::uint64_t epochs_ = 0;
    std::map<std::string, user> users_;
    std::map<std::string, role> roles_;
};

}  // namespace dynconf::testing
