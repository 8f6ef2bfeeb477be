#pragma once

#include <dynconf/capabilities.hpp>
#include <dynconf/client.hpp>
#include <dynconf/cluster_types.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

struct endpoint_status {
    std::string endpoint;
    result<status_response> status;   ///< Or why it did not answer.
};

/// What each endpoint of a client says of its member.
struct cluster_status {
    std::vector<endpoint_status> endpoints;   ///< In the client's order.

    /// The ID of the member that leads, as those say who are in the newest term that has a leader: a member that was cut
    /// off may still name the last one. 0: none.
    DYNCONF_API std::uint64_t leader() const noexcept;
    /// The endpoint whose member that is; null when there is no leader, or none of the endpoints is its.
    DYNCONF_API const endpoint_status* leader_endpoint() const noexcept;
};

struct endpoint_health {
    std::string endpoint;
    /// Why it is not healthy: server_errc::unhealthy with etcd's reason, or why it did not answer. No code: it is healthy.
    error cause;

    bool healthy() const noexcept { return !cause.code.failed(); }
};

struct endpoint_hash {
    std::string endpoint;
    result<hash_kv_response> hash;   ///< Or why there is none: hash_kv_of_each() has errc::not_supported on etcd 3.4.
};

struct compact_options {
    /// Wait until the space is free for reuse, not only until older revisions can no longer be read.
    bool physical = false;
};

struct snapshot_response {
    std::string endpoint;       ///< Whose data it is.
    std::uint64_t bytes = 0;    ///< Of the file, its checksum included.
};

/// What operators ask of a cluster. A handle; safe to use from any thread.
///
/// What only asks takes terminal and total cancellation, everything else terminal. While authentication is on all but
/// health_of_each() and probe() need a login, and all but status, health and key_count the role "root", depending on the version.
class maintenance : public detail::facet<maintenance> {
public:
    DYNCONF_API explicit maintenance(const client& c);

    /// What the member that answers says of itself; also without a leader.
    template <class Token = default_token>
    auto status(Token&& token = {}) {
        return detail::initiate<status_response>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<status_response> h) { start_status(from, std::move(h)); });
    }

    /// The same of every endpoint, asked all at once. One that does not answer within `client_options::request_timeout` is
    /// no error of the operation.
    template <class Token = default_token>
    auto status_of_each(Token&& token = {}) {
        return detail::initiate<cluster_status>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<cluster_status> h) { start_status_of_each(from, std::move(h)); });
    }

    /// Whether each endpoint can serve, as its /health says: that it has a leader and no alarm. Needs no permission and
    /// sends no token.
    template <class Token = default_token>
    auto health_of_each(Token&& token = {}) {
        return detail::initiate<std::vector<endpoint_health>>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<std::vector<endpoint_health>> h) { start_health_of_each(from, std::move(h)); });
    }

    /// What the server behind each endpoint can do; `capability_report::text()` prints it. Changes nothing, needs no permission
    /// and sends no token: it asks for paths with what is no request, and logs in: with the client's credentials, which tells
    /// the kind of the tokens, else without a name (which etcd logs).
    template <class Token = default_token>
    auto probe(Token&& token = {}) {
        return detail::initiate<capability_report>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<capability_report> h) { start_probe(from, std::move(h)); });
    }

    /// A hash over all keys and their history up to `revision`; 0: the newest, which members that are written to do not have
    /// at the same time. Members of a sound cluster agree. May run for as long as the call may take.
    template <class Token = default_token>
    auto hash_kv_of_each(revision_t revision = 0, Token&& token = {}) {
        return detail::initiate<std::vector<endpoint_hash>>(std::forward<Token>(token),
            [from = origin_, revision](detail::erased_handler<std::vector<endpoint_hash>> h) {
                start_hash_kv_of_each(from, revision, std::move(h));
            });
    }

    /// A hash over the member's whole database, leases, users and the like included; etcd 3.4 has no other. It is of no
    /// revision, and so says something only while nobody writes: then members of one version and a sound cluster agree. The
    /// answer has no `compact_revision`. May run for as long as the call may take.
    template <class Token = default_token>
    auto hash_of_each(Token&& token = {}) {
        return detail::initiate<std::vector<endpoint_hash>>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<std::vector<endpoint_hash>> h) { start_hash_of_each(from, std::move(h)); });
    }

    /// How many keys a range has.
    template <class Token = default_token>
    auto key_count(key_range keys, Token&& token = {}) {
        return detail::initiate<std::int64_t>(std::forward<Token>(token),
            [from = origin_, keys = std::move(keys)](detail::erased_handler<std::int64_t> h) mutable {
                start_key_count(from, std::move(keys), std::move(h));
            });
    }

    /// All alarms of all members.
    template <class Token = default_token>
    auto alarm_list(Token&& token = {}) {
        return detail::initiate<std::vector<member_alarm>>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<std::vector<member_alarm>> h) { start_alarm_list(from, std::move(h)); });
    }

    /// Ends an alarm; one that is not there is no error. After `no_space` make room first, by compact and defragment: else
    /// it comes back.
    template <class Token = default_token>
    auto alarm_disarm(member_alarm which, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, which](detail::erased_handler<void> h) { start_alarm_disarm(from, which, std::move(h)); });
    }

    /// Discards all history before `revision`: older reads and watches then fail with server_errc::compacted. Fails with the
    /// same when that was done before, and with server_errc::future_revision. May run for as long as the call may take.
    template <class Token = default_token>
    auto compact(revision_t revision, compact_options options = {}, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, revision, options](detail::erased_handler<void> h) { start_compact(from, revision, options, std::move(h)); });
    }

    /// Gives the free space of one member's file back to its disk. `endpoint` is one of the client's, as text;
    /// errc::invalid_argument else. The member serves nothing meanwhile: one at a time, the leader last. May run for as long
    /// as the call may take.
    template <class Token = default_token>
    auto defragment(std::string endpoint, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, endpoint = std::move(endpoint)](detail::erased_handler<void> h) mutable {
                start_defragment(from, std::move(endpoint), std::move(h));
            });
    }

    /// Makes another member the leader, without the pause of an election; done when it leads. The one that leads now is found
    /// among the endpoints: server_errc::not_leader where it is none of them. server_errc::bad_leader_transferee for a learner
    /// or a stranger.
    template <class Token = default_token>
    auto move_leader(std::uint64_t target_id, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [from = origin_, target_id](detail::erased_handler<void> h) { start_move_leader(from, target_id, std::move(h)); });
    }

    /// Whether the cluster can go back to `version`, the minor one before its own, as "3.4.0". server_errc::
    /// invalid_downgrade_target_version, wrong_downgrade_version_format, downgrade_in_process; errc::not_supported before 3.5,
    /// as the next two.
    template <class Token = default_token>
    auto downgrade_validate(std::string version, Token&& token = {}) {
        return detail::initiate<downgrade_response>(std::forward<Token>(token),
            [from = origin_, version = std::move(version)](detail::erased_handler<downgrade_response> h) mutable {
                start_downgrade_validate(from, std::move(version), std::move(h));
            });
    }
    /// Lets members of that version join: restart them with it one after the other. etcd 3.5 executes this and downgrade_cancel()
    /// and then answers "request timed out" after 7 s all the same; what became of it is asked for.
    template <class Token = default_token>
    auto downgrade_enable(std::string version, Token&& token = {}) {
        return detail::initiate_write<downgrade_response>(std::forward<Token>(token),
            [from = origin_, version = std::move(version)](detail::erased_handler<downgrade_response> h) mutable {
                start_downgrade_enable(from, std::move(version), std::move(h));
            });
    }
    /// server_errc::no_inflight_downgrade.
    template <class Token = default_token>
    auto downgrade_cancel(Token&& token = {}) {
        return detail::initiate_write<downgrade_response>(std::forward<Token>(token),
            [from = origin_](detail::erased_handler<downgrade_response> h) { start_downgrade_cancel(from, std::move(h)); });
    }

    /// Copies one member's database into a file, readable by its owner only, from which `etcdutl snapshot restore` makes a
    /// new cluster. Its checksum is verified. The file is complete and on the disk when it appears as `path`, in place of
    /// what was there; before that it is `path` with ".part-" and six letters behind, and removed when the operation fails.
    ///
    /// errc::malformed_response: the checksum or the form does not fit; errc::connection_closed: the copy ended half way;
    /// else the code of the file system. No limit on the whole without with_timeout(); a member that is silent for
    /// `client_options::request_timeout` is given up, and where the member fails the next endpoint is asked. Takes total
    /// cancellation. The disk is waited for on threads that end with the operation.
    template <class Token = default_token>
    auto snapshot(std::filesystem::path path, Token&& token = {}) {
        return detail::initiate<snapshot_response>(std::forward<Token>(token),
            [from = origin_, path = std::move(path)](detail::erased_handler<snapshot_response> h) mutable {
                start_snapshot(from, std::move(path), std::move(h));
            });
    }

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_status(origin, detail::erased_handler<status_response>);
    DYNCONF_API static void start_status_of_each(origin, detail::erased_handler<cluster_status>);
    DYNCONF_API static void start_health_of_each(origin, detail::erased_handler<std::vector<endpoint_health>>);
    DYNCONF_API static void start_probe(origin, detail::erased_handler<capability_report>);
    DYNCONF_API static void start_hash_kv_of_each(origin, revision_t, detail::erased_handler<std::vector<endpoint_hash>>);
    DYNCONF_API static void start_hash_of_each(origin, detail::erased_handler<std::vector<endpoint_hash>>);
    DYNCONF_API static void start_key_count(origin, key_range, detail::erased_handler<std::int64_t>);
    DYNCONF_API static void start_alarm_list(origin, detail::erased_handler<std::vector<member_alarm>>);
    DYNCONF_API static void start_alarm_disarm(origin, member_alarm, detail::erased_handler<void>);
    DYNCONF_API static void start_compact(origin, revision_t, compact_options, detail::erased_handler<void>);
    DYNCONF_API static void start_defragment(origin, std::string, detail::erased_handler<void>);
    DYNCONF_API static void start_move_leader(origin, std::uint64_t, detail::erased_handler<void>);
    DYNCONF_API static void start_downgrade_validate(origin, std::string, detail::erased_handler<downgrade_response>);
    DYNCONF_API static void start_downgrade_enable(origin, std::string, detail::erased_handler<downgrade_response>);
    DYNCONF_API static void start_downgrade_cancel(origin, detail::erased_handler<downgrade_response>);
    DYNCONF_API static void start_snapshot(origin, std::filesystem::path, detail::erased_handler<snapshot_response>);
};

}  // namespace dynconf
