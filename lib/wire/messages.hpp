#pragma once

#include <dynconf/cluster_types.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

// Messages of etcd's gateway that are not part of the public interface as they are.

namespace dynconf::wire {

struct watch_create {
    key_range range;
    revision_t start_revision = 0;   // 0: from now
    std::int64_t watch_id = 0;       // 0: the server chooses
    bool progress_notify = false;
    bool prev_kv = false;
    bool fragment = false;
    bool no_put = false;
    bool no_delete = false;
};

struct watch_response {
    response_header header;           // revision 0 in the "compacted" cancel
    std::int64_t watch_id = 0;        // -1: progress answer, or a refused create
    bool created = false;
    bool canceled = false;
    revision_t compact_revision = 0;
    std::string cancel_reason;
    bool fragment = false;            // more pieces of this message follow
    std::vector<event> events;
};

struct authenticate_response {
    response_header header;
    std::string token;
};

struct auth_status_response {
    response_header header;
    bool enabled = false;
    std::uint64_t auth_revision = 0;
};

struct role_names_response {   // of a user, or all
    response_header header;
    std::vector<std::string> roles;
};

struct user_list_response {
    response_header header;
    std::vector<std::string> users;
};

struct granted_permission {
    std::string type;        // READ when it is empty
    std::string key;
    std::string range_end;
};

struct role_get_response {
    response_header header;
    std::vector<granted_permission> permissions;
};

struct lease_grant_response {
    response_header header;
    lease_id id = 0;
    std::int64_t ttl = 0;    // seconds, as granted
    std::string error;
};

struct lease_keep_alive_response {
    response_header header;
    lease_id id = 0;
    std::int64_t ttl = 0;    // 0: the lease is gone
};

struct lease_time_to_live_response {
    response_header header;
    lease_id id = 0;
    std::int64_t ttl = 0;          // -1: the lease is gone
    std::int64_t granted_ttl = 0;
    std::vector<std::string> keys;
};

struct lease_entry {
    lease_id id = 0;
};

struct lease_leases_response {
    response_header header;
    std::vector<lease_entry> leases;
};

struct alarm_entry {
    std::uint64_t member_id = 0;
    std::string alarm;       // NOSPACE, CORRUPT
};

struct alarm_response {
    response_header header;
    std::vector<alarm_entry> alarms;
};

/// A piece of a database.
struct snapshot_response {
    std::uint64_t remaining_bytes = 0;
    std::string blob;
};

struct health_response {     // GET /health
    std::string health;      // "true"
    std::string reason;
};

struct header_only_response {   // lease revoke, compaction, changes of users and roles
    response_header header;
};

}  // namespace dynconf::wire
