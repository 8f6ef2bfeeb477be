#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

enum class permission_type : std::uint8_t { read, write, read_write };

/// What a role may do with which keys. `key_range::prefix` makes the range of a prefix.
struct permission {
    permission_type type;
    key_range keys;

    friend bool operator==(const permission&, const permission&) = default;
};

struct user {
    std::string name;
    std::vector<std::string> roles;
};

struct role {
    std::string name;
    std::vector<permission> permissions;
};

struct auth_status {
    bool enabled = false;
    /// Counts the changes of users, roles and permissions. None: etcd 3.4 does not tell it, later ones tell it to nobody
    /// but root while authentication is on.
    std::optional<std::uint64_t> revision;
};

/// For a user who can never log in with a password.
struct no_password_t { explicit no_password_t() = default; };
inline constexpr no_password_t no_password{};

/// Users, roles, permissions, and the switch that makes them count. A handle; safe to use from any thread.
///
/// While authentication is on, all of it needs a user with the role "root", but for what one may ask about oneself:
/// `user_get`, and `role_get` of one's own roles. Changes are repeated only when etcd surely did not execute them; they
/// take `terminal` cancellation and `as_outcome`, what only asks takes `total` cancellation as well. Names and passwords are
/// UTF-8: anything else is errc::invalid_argument, since etcd would replace it by something that nobody typed. No error
/// and no log record holds a password. Permissions are for etcd's whole keys, also where the client is a view (client::within).
///
/// Further errors of all members: server_errc::permission_denied, user_empty (no credentials), auth_failed.
class auth : public detail::facet<auth> {
public:
    DYNCONF_API explicit auth(const client& c);

    /// From now on every request needs a user. server_errc::root_user_missing unless there is a user "root",
    /// root_role_missing unless it has the role "root". A client without credentials locks itself out.
    template <class Token = default_token>
    auto enable(Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<void> h) { start_enable(from, std::move(h)); });
    }

    /// From now on everybody may do everything. Users and roles stay.
    template <class Token = default_token>
    auto disable(Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<void> h) { start_disable(from, std::move(h)); });
    }

    /// Whether it is on; needs no permission. (etcd 3.4 cannot be asked, so there a login without a name is tried.)
    template <class Token = default_token>
    auto status(Token&& token = {}) {
        return detail::initiate<auth_status>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<auth_status> h) { start_status(from, std::move(h)); });
    }

    /// server_errc::user_exists, user_empty. An empty password is errc::invalid_argument: with it nobody could log in.
    template <class Token = default_token>
    auto user_add(std::string name, secret password, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name), password = std::move(password)](detail::erased_handler<void> h) mutable {
                start_user_add(from, std::move(name), std::move(password), std::move(h));
            });
    }

    /// A user who is recognised by a certificate only, which the JSON gateway cannot do: for programs that use gRPC.
    template <class Token = default_token>
    auto user_add(std::string name, no_password_t, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name)](detail::erased_handler<void> h) mutable {
                start_user_add(from, std::move(name), std::nullopt, std::move(h));
            });
    }

    /// Ends the user's sessions, too. server_errc::user_not_found; invalid_auth_management for "root" while
    /// authentication is on.
    template <class Token = default_token>
    auto user_delete(std::string name, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name)](detail::erased_handler<void> h) mutable {
                start_user_delete(from, std::move(name), std::move(h));
            });
    }

    /// Ends the user's sessions, too: a client that has the old password gets server_errc::auth_failed from then on, this
    /// one as well if the user is its own. server_errc::user_not_found. errc::invalid_argument for an empty password.
    template <class Token = default_token>
    auto user_change_password(std::string name, secret password, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name), password = std::move(password)](detail::erased_handler<void> h) mutable {
                start_user_change_password(from, std::move(name), std::move(password), std::move(h));
            });
    }

    /// Gives a user a role; one that it has already is no error. server_errc::user_not_found, role_not_found.
    template <class Token = default_token>
    auto user_grant_role(std::string name, std::string role, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name), role = std::move(role)](detail::erased_handler<void> h) mutable {
                start_user_grant_role(from, std::move(name), std::move(role), std::move(h));
            });
    }

    /// server_errc::user_not_found, role_not_granted; invalid_auth_management for the role "root" of the user "root" while
    /// authentication is on.
    template <class Token = default_token>
    auto user_revoke_role(std::string name, std::string role, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name), role = std::move(role)](detail::erased_handler<void> h) mutable {
                start_user_revoke_role(from, std::move(name), std::move(role), std::move(h));
            });
    }

    /// The user's roles. server_errc::user_not_found.
    template <class Token = default_token>
    auto user_get(std::string name, Token&& token = {}) {
        return detail::initiate<std::vector<std::string>>(std::forward<Token>(token),
            [from = origin_, name = std::move(name)](detail::erased_handler<std::vector<std::string>> h) mutable {
                start_user_get(from, std::move(name), std::move(h));
            });
    }

    /// The names of all users.
    template <class Token = default_token>
    auto user_list(Token&& token = {}) {
        return detail::initiate<std::vector<std::string>>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<std::vector<std::string>> h) { start_user_list(from, std::move(h)); });
    }

    /// All users with their roles, one request for each. One whose roles cannot be read fails the whole; only a user that
    /// was deleted meanwhile is left out.
    template <class Token = default_token>
    auto users(Token&& token = {}) {
        return detail::initiate<std::vector<user>>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<std::vector<user>> h) { start_users(from, std::move(h)); });
    }

    /// A role that permits nothing yet. server_errc::role_exists, role_empty (3.4 takes an empty name).
    template <class Token = default_token>
    auto role_add(std::string name, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name)](detail::erased_handler<void> h) mutable {
                start_role_add(from, std::move(name), std::move(h));
            });
    }

    /// Takes it from all users that have it, too. server_errc::role_not_found; invalid_auth_management for "root" while
    /// authentication is on.
    template <class Token = default_token>
    auto role_delete(std::string name, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name)](detail::erased_handler<void> h) mutable {
                start_role_delete(from, std::move(name), std::move(h));
            });
    }

    /// Takes the place of what the role had for the very same range. server_errc::role_not_found;
    /// errc::invalid_argument for an interval that ends before it begins.
    template <class Token = default_token>
    auto role_grant_permission(std::string name, permission what, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name), what = std::move(what)](detail::erased_handler<void> h) mutable {
                start_role_grant_permission(from, std::move(name), std::move(what), std::move(h));
            });
    }

    /// Takes away what the role has for this very range; a part of one cannot be taken away.
    /// server_errc::role_not_found, permission_not_granted.
    template <class Token = default_token>
    auto role_revoke_permission(std::string name, key_range keys, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, name = std::move(name), keys = std::move(keys)](detail::erased_handler<void> h) mutable {
                start_role_revoke_permission(from, std::move(name), std::move(keys), std::move(h));
            });
    }

    /// What the role permits; of "root", which permits everything, nothing. server_errc::role_not_found.
    template <class Token = default_token>
    auto role_get(std::string name, Token&& token = {}) {
        return detail::initiate<std::vector<permission>>(std::forward<Token>(token),
            [from = origin_, name = std::move(name)](detail::erased_handler<std::vector<permission>> h) mutable {
                start_role_get(from, std::move(name), std::move(h));
            });
    }

    /// The names of all roles.
    template <class Token = default_token>
    auto role_list(Token&& token = {}) {
        return detail::initiate<std::vector<std::string>>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<std::vector<std::string>> h) { start_role_list(from, std::move(h)); });
    }

    /// All roles with their permissions, as `users`.
    template <class Token = default_token>
    auto roles(Token&& token = {}) {
        return detail::initiate<std::vector<role>>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<std::vector<role>> h) { start_roles(from, std::move(h)); });
    }

private:
    using origin = detail::call_origin;
    using names = std::vector<std::string>;
    DYNCONF_API static void start_enable(origin, detail::erased_handler<void>);
    DYNCONF_API static void start_disable(origin, detail::erased_handler<void>);
    DYNCONF_API static void start_status(origin, detail::erased_handler<auth_status>);
    DYNCONF_API static void start_user_add(origin, std::string, std::optional<secret>, detail::erased_handler<void>);
    DYNCONF_API static void start_user_delete(origin, std::string, detail::erased_handler<void>);
    DYNCONF_API static void start_user_change_password(origin, std::string, secret, detail::erased_handler<void>);
    DYNCONF_API static void start_user_grant_role(origin, std::string, std::string, detail::erased_handler<void>);
    DYNCONF_API static void start_user_revoke_role(origin, std::string, std::string, detail::erased_handler<void>);
    DYNCONF_API static void start_user_get(origin, std::string, detail::erased_handler<names>);
    DYNCONF_API static void start_user_list(origin, detail::erased_handler<names>);
    DYNCONF_API static void start_users(origin, detail::erased_handler<std::vector<user>>);
    DYNCONF_API static void start_role_add(origin, std::string, detail::erased_handler<void>);
    DYNCONF_API static void start_role_delete(origin, std::string, detail::erased_handler<void>);
    DYNCONF_API static void start_role_grant_permission(origin, std::string, permission, detail::erased_handler<void>);
    DYNCONF_API static void start_role_revoke_permission(origin, std::string, key_range, detail::erased_handler<void>);
    DYNCONF_API static void start_role_get(origin, std::string, detail::erased_handler<std::vector<permission>>);
    DYNCONF_API static void start_role_list(origin, detail::erased_handler<names>);
    DYNCONF_API static void start_roles(origin, detail::erased_handler<std::vector<role>>);
};

}  // namespace dynconf
