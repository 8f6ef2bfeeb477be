#pragma once

#include <dynconf/cluster_types.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include "wire/messages.hpp"

#include <nlohmann/json.hpp>

namespace test {

// A decoded message as the server would have written it: zero fields left out, 64-bit integers as text.
nlohmann::json as_json(const dynconf::range_response&);
nlohmann::json as_json(const dynconf::put_response&);
nlohmann::json as_json(const dynconf::delete_response&);
nlohmann::json as_json(const dynconf::txn_response&);
nlohmann::json as_json(const dynconf::status_response&);
nlohmann::json as_json(const dynconf::wire::watch_response&);
nlohmann::json as_json(const dynconf::wire::authenticate_response&);
nlohmann::json as_json(const dynconf::wire::auth_status_response&);
nlohmann::json as_json(const dynconf::wire::role_names_response&);
nlohmann::json as_json(const dynconf::wire::user_list_response&);
nlohmann::json as_json(const dynconf::wire::role_get_response&);
nlohmann::json as_json(const dynconf::member_list_response&);
nlohmann::json as_json(const dynconf::member_add_response&);
nlohmann::json as_json(const dynconf::hash_kv_response&);
nlohmann::json as_json(const dynconf::wire::alarm_response&);
nlohmann::json as_json(const dynconf::wire::lease_grant_response&);
nlohmann::json as_json(const dynconf::wire::lease_keep_alive_response&);
nlohmann::json as_json(const dynconf::wire::lease_time_to_live_response&);
nlohmann::json as_json(const dynconf::wire::lease_leases_response&);
nlohmann::json as_json(const dynconf::wire::header_only_response&);

/// A server's answer without what only some versions say and no message of ours holds, and without empty headers.
nlohmann::json known_fields(nlohmann::json);

}  // namespace test
