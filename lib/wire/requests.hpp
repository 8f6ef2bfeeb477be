#pragma once

#include <dynconf/error.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include "wire/messages.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Bodies of requests: proto field names, integers as decimal strings, padded standard base64, zero fields left out.

namespace dynconf::wire {

std::string range_request(const key_range&, const range_options&);
std::string put_request(std::string_view key, std::string_view value, const put_options&);
std::string delete_range_request(const key_range&, const delete_options&);
std::string txn_request(const txn&);
/// Several creates, one JSON object each, in one body: nothing may follow on that connection.
std::string watch_request(std::span<const watch_create>);
std::string lease_grant_request(std::int64_t ttl_seconds, lease_id id);
std::string lease_revoke_request(lease_id id);
std::string lease_keep_alive_request(std::span<const lease_id>);
std::string lease_time_to_live_request(lease_id id, bool keys);

std::string compaction_request(revision_t revision, bool physical);
std::string hash_kv_request(revision_t revision);
std::string alarm_list_request();
/// `type`: NOSPACE, CORRUPT.
std::string alarm_disarm_request(std::uint64_t member_id, std::string_view type);
std::string move_leader_request(std::uint64_t target_id);
/// `action`: VALIDATE, ENABLE, CANCEL.
std::string downgrade_request(std::string_view action, std::string_view version);
std::string member_list_request(bool linearizable);
std::string member_add_request(const std::vector<std::string>& peer_urls, bool learner);
std::string member_update_request(std::uint64_t id, const std::vector<std::string>& peer_urls);
/// Removes or promotes one.
std::string member_id_request(std::uint64_t id);

// Users and roles: errc::invalid_argument for what etcd would take for something else.
std::string authenticate_request(std::string_view name, std::string_view password);
/// Without a password the user can never log in with one.
result<std::string> user_add_request(std::string_view name, std::optional<std::string_view> password);
result<std::string> user_change_password_request(std::string_view name, std::string_view password);
result<std::string> user_delete_request(std::string_view name);
result<std::string> user_get_request(std::string_view name);
result<std::string> user_grant_role_request(std::string_view user, std::string_view role);
result<std::string> user_revoke_role_request(std::string_view user, std::string_view role);
result<std::string> role_add_request(std::string_view role);
result<std::string> role_delete_request(std::string_view role);
result<std::string> role_get_request(std::string_view role);
/// `type`: READ, WRITE, READWRITE.
result<std::string> role_grant_permission_request(std::string_view role, std::string_view type, const key_range& keys);
result<std::string> role_revoke_permission_request(std::string_view role, const key_range& keys);

}  // namespace dynconf::wire
