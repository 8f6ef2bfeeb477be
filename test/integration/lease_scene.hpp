#pragma once

// What the tests of leases, locks and elections have in common: what the server itself says is there.

#include "integration/scene.hpp"
#include "support/io_threads.hpp"

#include <dynconf/claim.hpp>
#include <dynconf/types.hpp>

#include <nlohmann/json.hpp>

#include <string>

namespace dynconf::test {

/// Of a lease; -1: it is gone.
inline int seconds_left(const etcd_process& etcd, lease_id id) {
    const std::string body = R"({"ID":")" + std::to_string(id) + R"("})";
    const auto said = nlohmann::json::parse(etcd_admin(etcd).call("/v3/lease/timetolive", body));
    return std::stoi(said.value("TTL", "0"));
}

inline std::size_t leases_at(const etcd_process& etcd) {
    const auto said = nlohmann::json::parse(etcd_admin(etcd).call("/v3/lease/leases", "{}"));
    return said.contains("leases") ? said["leases"].size() : 0;
}

inline std::size_t keys_at(const etcd_process& etcd, std::string_view prefix) { return etcd_admin(etcd).read(prefix).size(); }

inline claim_options with(std::chrono::milliseconds ttl, std::chrono::milliseconds wait = claim_options::forever) {
    claim_options o;
    o.ttl = ttl;
    o.wait_timeout = wait;
    return o;
}

inline void revoke_at(const etcd_process& etcd, lease_id id) {
    etcd_admin(etcd).call("/v3/lease/revoke", R"({"ID":")" + std::to_string(id) + R"("})");
}

/// The rounds of a test that can go on as long as one likes.
inline int rounds(int usually, int whole) { return in_full() ? whole : usually; }

}  // namespace dynconf::test
