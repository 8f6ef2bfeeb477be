#pragma once

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

struct member {
    std::string name;                        // empty: not started yet
    std::vector<std::string> client_urls;    // as configured: may be none, 0.0.0.0, or without a gateway
    bool is_learner = false;
};

struct member_list_response {
    response_header header;
    std::vector<member> members;
};

struct header_only_response {   // lease revoke, compaction
    response_header header;
};

}  // namespace dynconf::wire
