#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/options.hpp>
#include <dynconf/testing/faults.hpp>
#include <dynconf/types.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::testing {

class simulated_world;

/// What a fake etcd is told once.
struct fake_etcd_options {
    std::size_t members = 1;
    /// Decides what JSON and errors look like: "3.4.23" to "3.7.1".
    std::string version = "3.5.30";
    /// With it authentication is on, and this is the user `root`'s password.
    std::string root_password = {};
    std::chrono::seconds token_ttl{300};
    /// How often watches that ask for it are told their progress.
    std::chrono::milliseconds progress_notify_interval = std::chrono::minutes(10);
    std::uint64_t seed = 1;   ///< Of jitter, tokens and the members' ids.
};

/// What a member says no with, and what it does then.
struct fake_refusal {
    std::string path;            ///< Of the request; a prefix when it ends in '/', all when empty.
    grpc_errc status = grpc_errc::unavailable;
    std::string words = "etcdserver: request timed out";
    /// Executed all the same: an outcome that the client cannot know.
    bool executed = false;
    std::size_t skip = 0;        ///< So many matching requests go well first.
    std::size_t count = std::numeric_limits<std::size_t>::max();   ///< It happens so often at most.
};

/// An etcd for tests, inside the process: revisions, history and compaction, transactions, leases, watches, users and roles
/// behind the JSON gateway, as etcd 3.4 to 3.7 show them, of one member or several. All that can go wrong can be made to.
///
///     testing::fake_etcd etcd;
///     client_options options;
///     options.endpoints = etcd.urls();
///     etcd.put("/myapp/prod/Database/Host", "db1");
///
/// On loopback it has a thread of its own and keeps real time; there it may be used from any thread. In a simulated_world
/// it lives in that world's time and thread, and must not outlive it. Clients must be done with it before it goes.
class fake_etcd {
public:
    /// On free ports of 127.0.0.1. Throws boost::system::system_error when there is none.
    DYNCONF_API explicit fake_etcd(fake_etcd_options options = {});
    /// In memory.
    DYNCONF_API explicit fake_etcd(simulated_world& world, fake_etcd_options options = {});
    DYNCONF_API ~fake_etcd();
    fake_etcd(const fake_etcd&) = delete;
    fake_etcd& operator=(const fake_etcd&) = delete;

    /// Of a member, for client_options::endpoints.
    DYNCONF_API std::string url(std::size_t member = 0) const;
    DYNCONF_API std::vector<std::string> urls() const;

    // What is in it, changed past all faults. What etcd would refuse throws dynconf::exception.

    DYNCONF_API revision_t put(std::string key, std::string value, lease_id lease = 0);
    /// How many keys there were.
    DYNCONF_API std::int64_t erase(const key_range& keys);
    DYNCONF_API std::optional<key_value> get(std::string_view key) const;
    DYNCONF_API std::vector<key_value> range(const key_range& keys) const;
    DYNCONF_API revision_t revision() const;
    DYNCONF_API void compact(revision_t revision);
    DYNCONF_API lease_id grant(std::chrono::seconds ttl);
    DYNCONF_API void revoke(lease_id lease);
    DYNCONF_API std::vector<lease_id> leases() const;
    /// A user who may read and write everything.
    DYNCONF_API void add_user(std::string name, std::string password);
    /// Everything is gone, as if another cluster had taken its place under the same address.
    DYNCONF_API void replace();

    // What goes wrong. All of it ends with heal().

    static constexpr std::size_t every_member = std::numeric_limits<std::size_t>::max();

    DYNCONF_API void set_link(const link_faults& faults, std::size_t member = every_member);
    DYNCONF_API void cut_connections(bool reset = false, std::size_t member = every_member);
    /// The next `count` requests whose path begins so.
    DYNCONF_API void break_exchanges(std::string path, const exchange_fault& how, std::size_t count = 1, std::size_t member = every_member);
    DYNCONF_API void refuse(const fake_refusal& what, std::size_t member = every_member);
    /// As SIGKILL, and start() a new process: what was written stays.
    DYNCONF_API void stop(std::size_t member = every_member);
    DYNCONF_API void start(std::size_t member = every_member);
    /// As SIGSTOP and SIGCONT: connections are accepted, and nothing happens on them until then.
    DYNCONF_API void pause(bool paused, std::size_t member = every_member);
    /// Cut off from the other members: it has no leader.
    DYNCONF_API void isolate(std::size_t member);
    DYNCONF_API void reconnect(std::size_t member);
    /// It applies nothing more for a while: what it shows without asking the others is old.
    DYNCONF_API void hold_back(std::size_t member);
    DYNCONF_API void catch_up(std::size_t member);
    DYNCONF_API void freeze_progress(bool frozen, std::size_t member = every_member);
    /// All watches and keep-alive streams end, in mid-air.
    DYNCONF_API void end_streams(std::size_t member = every_member);
    DYNCONF_API void lose_leader();
    DYNCONF_API void elect(std::size_t member);
    DYNCONF_API void heal();

    // What came of it.

    /// Requests that came whole, of this path.
    DYNCONF_API std::size_t requests(std::string_view path) const;
    DYNCONF_API std::size_t open_connections() const;
    DYNCONF_API std::size_t open_streams() const;

    struct impl;

private:
    std::unique_ptr<impl> impl_;
};

}  // namespace dynconf::testing
