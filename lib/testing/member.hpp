#pragma once

#include "testing/cluster.hpp"
#include "testing/faults.hpp"
#include "testing/json_out.hpp"
#include "testing/server_profile.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace dynconf::testing {

/// What one member is told at its start: etcd's own flags.
struct gateway_options {
    std::string server_version = "3.5.30";
    /// Of grpc-gateway, when it is not the one that this version comes with.
    std::optional<server_profile::gateway> library;
    token_kind tokens = token_kind::simple;
    std::chrono::seconds auth_token_ttl{300};
    std::chrono::milliseconds progress_notify_interval = std::chrono::minutes(10);
    std::size_t max_request_bytes = 1'572'864;
    std::size_t max_txn_ops = 128;
    /// A request that waits for a leader in vain is answered after this.
    std::chrono::milliseconds request_timeout = std::chrono::seconds(7);
};

/// One member of a cluster: what is its own, shared by its gateway and the streams that it serves.
class member {
public:
    member(std::shared_ptr<testing::cluster> c, std::uint64_t its_id, gateway_options o)
        : cluster(std::move(c)), id(its_id), options(std::move(o)),
          profile(options.library ? server_profile(options.server_version, *options.library) : server_profile(options.server_version)) {}

    const std::shared_ptr<testing::cluster> cluster;
    std::uint64_t id;
    const gateway_options options;
    const server_profile profile;
    testing::faults faults;

    bool isolated = false;             ///< Cut off from the others: it sees no leader.
    bool progress_frozen = false;      ///< Its watches tell no progress.
    std::optional<revision_t> held;    ///< It lags: this is the last revision that it has applied.

    etcd_store& store() const noexcept { return cluster->store(); }
    bool has_leader() const noexcept { return !isolated && cluster->leader() != 0; }
    /// The last revision that it has applied. It cannot be further behind than the history that the store still has.
    revision_t applied() const noexcept {
        return held ? std::max({*held, store().compact_revision(), revision_t{1}}) : store().revision();
    }
    bool lags() const noexcept { return applied() < store().revision(); }

    /// Without a revision when it is 0.
    void header(json_out& out, revision_t revision) const {
        out.open("header");
        out.id("cluster_id", cluster->id());
        out.id("member_id", id);
        out.number("revision", revision);
        out.id("raft_term", cluster->term());
        out.close();
    }
};

/// The line with which the gateway tells that a stream failed.
std::string stream_error(const server_profile& profile, const refusal& why);

void print(json_out& out, const key_value& kv, bool keys_only = false);

}  // namespace dynconf::testing
