#pragma once

#include <dynconf/types.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace dynconf {

/// A member of a cluster.
struct member {
    std::uint64_t id = 0;
    std::string name;                        ///< Empty: not started yet.
    std::vector<std::string> peer_urls;
    std::vector<std::string> client_urls;    ///< As configured: may be none, 0.0.0.0, or without a gateway.
    bool is_learner = false;
};

struct member_list_response {
    response_header header;                  ///< Without a revision.
    std::vector<member> members;
};

struct member_add_response {
    response_header header;
    member added;
    std::vector<member> members;             ///< All, with the new one.
};

enum class alarm_type : std::uint8_t {
    no_space,   ///< The quota is used up: the cluster takes no more writes.
    corrupt,    ///< This member's data differs from the others'.
};

struct member_alarm {
    std::uint64_t member_id = 0;
    alarm_type type = alarm_type::no_space;

    friend bool operator==(const member_alarm&, const member_alarm&) = default;
};

struct hash_kv_response {
    response_header header;
    std::int64_t hash = 0;
    /// Older history is not in the hash; -1: nothing was ever compacted. Only hashes with the same one can be compared.
    revision_t compact_revision = 0;
};

struct downgrade_response {
    response_header header;
    std::string version;   ///< The cluster's, as before: "3.5.0". Empty where etcd executed it without an answer.
};

}  // namespace dynconf
