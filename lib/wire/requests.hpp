#pragma once

#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include "wire/messages.hpp"

#include <span>
#include <string>
#include <string_view>

// Bodies of requests: proto field names, integers as decimal strings, padded standard base64, zero fields left out.

namespace dynconf::wire {

std::string range_request(const key_range&, const range_options&);
std::string put_request(std::string_view key, std::string_view value, const put_options&);
std::string delete_range_request(const key_range&, const delete_options&);
std::string txn_request(const txn&);
/// Several creates, one JSON object each, in one body: nothing may follow on that connection.
std::string watch_request(std::span<const watch_create>);
std::string authenticate_request(std::string_view name, std::string_view password);
std::string compaction_request(revision_t revision);
std::string lease_grant_request(std::int64_t ttl_seconds, lease_id id);
std::string lease_revoke_request(lease_id id);
std::string lease_keep_alive_request(std::span<const lease_id>);
std::string lease_time_to_live_request(lease_id id, bool keys);

}  // namespace dynconf::wire
