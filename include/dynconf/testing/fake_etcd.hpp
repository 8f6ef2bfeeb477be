#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/options.hpp>
#include <dynconf/testing/faults.hpp>
#include <dynconf/testing/token_kind.hpp>
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
struct cluster_backup;

/// What a fake etcd is told once.
struct fake_etcd_options {
    std::size_t members = 1;
    /// Decides what JSON and errors look like: "3.4.23" to "3.7.1".
    std::string version = "3.5.30";
    /// With it authentication is on, and this is the user `root`'s password.
    std::string root_password = {};
    token_kind tokens = token_kind::simple;
    std::chrono::seconds token_ttl{300};
    /// How often watches that ask for it are told their progress.
    std::chrono::milliseconds progress_notify_interval = std::chrono::minutes(10);
    std::uint64_t seed = 1;   ///< Of jitter, tokens and the members' ids.
};

/// What a member says no with, and what it does then.
struct fake_refusal {
    /// Of the request: a whole one ("/v3/kv/put"), all below it when it ends in '/', all there are when empty.
    std::string path;
    grpc_errc status = grpc_errc::unavailable;
    std::string words = "etcdserver: request timed out";
    /// Executed all the same: an outcome that the client cannot know.
    bool executed = false;
    std::size_t skip = 0;        ///< So many matching requests go well first.
    std::size_t count = std::numeric_limits<std::size_t>::max();   ///< It happens so often at most.
};

/// Any answer at all, as of a proxy or a broken server; the request is not executed.
struct fake_answer {
    std::string path;            ///< As of a fake_refusal.
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body = {};       ///< Sent as it is.
    std::size_t skip = 0;        ///< So many matching requests go well first.
    std::size_t count = 1;       ///< It happens so often at most.
};

/// What a fake_etcd held at some moment: keys with their history, leases, users and alarms.
class fake_backup {
    friend class fake_etcd;
    std::shared_ptr<const cluster_backup> held_;
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
    DYNCONF_API fake_backup backup() const;
    /// All that it holds is as it was then, revisions too: the volume of an older day. Streams end, and no token holds.
    DYNCONF_API void restore(const fake_backup& older);
    /// The same as another cluster with other members, as etcd's own tools restore a snapshot.
    DYNCONF_API void restore_as_another(const fake_backup& older);
    /// Everything is gone, users and alarms too, so that authentication is off: another cluster has taken its place under
    /// the same addresses.
    DYNCONF_API void replace();

    // What goes wrong. All of it ends with heal(). What is counted is counted at each of the members that it is about.
    //
    // Members that are stopped, paused or isolated do not vote. Without a majority of the others nobody leads: what has to be
    // current, and what writes, is refused after 7 s or, as watches, at once, and is not executed (a real etcd may execute a
    // write that was under way later: fake_refusal::executed). A leader that does not vote any more is followed by the next
    // member after one to two seconds, for which whoever asks waits.

    static constexpr std::size_t every_member = std::numeric_limits<std::size_t>::max();

    DYNCONF_API void set_link(const link_faults& faults, std::size_t member = every_member);
    DYNCONF_API void cut_connections(bool reset = false, std::size_t member = every_member);
    /// The next `count` requests whose path begins so.
    DYNCONF_API void break_exchanges(std::string path, const exchange_fault& how, std::size_t count = 1, std::size_t member = every_member);
    DYNCONF_API void refuse(const fake_refusal& what, std::size_t member = every_member);
    DYNCONF_API void answer(const fake_answer& what, std::size_t member = every_member);
    /// The next `count` requests of a path (as of a fake_refusal) are never answered, be they executed or not.
    DYNCONF_API void lose_requests(std::string path, std::size_t count = 1, std::size_t member = every_member);
    DYNCONF_API void lose_answers(std::string path, std::size_t count = 1, std::size_t member = every_member);
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
    /// Watches are told no progress.
    DYNCONF_API void freeze_progress(bool frozen, std::size_t member = every_member);
    /// Of the next `messages` that bring a watch its events none is sent, though etcd thinks it is,
    DYNCONF_API void drop_events(std::size_t messages = 1, std::size_t member = every_member);
    /// or each is sent twice.
    DYNCONF_API void double_events(std::size_t messages = 1, std::size_t member = every_member);
    /// All watches end, in mid-air,
    DYNCONF_API void end_streams(std::size_t member = every_member);
    /// or with the line in which the gateway tells an error of a stream.
    DYNCONF_API void fail_streams(grpc_errc status, std::string words, std::size_t member = every_member);
    /// Nobody leads, until one is told to.
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
