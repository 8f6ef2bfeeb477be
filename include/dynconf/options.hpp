#pragma once

#include <dynconf/credentials.hpp>
#include <dynconf/log.hpp>
#include <dynconf/tls_options.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace dynconf {

/// How the pause between two tries grows: `first`, then `factor` times the last, up to `most`, each shortened at
/// random by up to `jitter`. It starts over only after `healthy` without a failure. With the defaults a client makes at
/// most 10 connection attempts of its own in the first minute without etcd, and 4 a minute later, whatever the number of
/// endpoints; calls come on top.
struct backoff_options {
    std::chrono::milliseconds first{500};
    std::chrono::milliseconds most{20'000};
    double factor = 2.5;
    double jitter = 0.25;
    std::chrono::milliseconds healthy{10'000};
};

/// The retries that the calls of one client may make together; going to the next endpoint is one, a renewed token is not.
/// When none is left a call ends with its first error.
struct retry_budget_options {
    double most = 20;           ///< There at the start, and never more.
    double per_success = 0.1;   ///< Gained by a call whose first try works.
};

/// Endpoints beyond those in `client_options::endpoints`, which are kept whatever is found. `members` and `srv` may be used
/// together. Once an https endpoint is configured or in the records, no plain one is taken up.
struct discovery_options {
    /// Ask the cluster for its members' client URLs. One is used once it has answered there as a member of the same
    /// cluster, no learner and with a leader, and no longer when the cluster does not list it any more. Done while a watch
    /// is open.
    bool members = false;
    /// Take endpoints from the DNS SRV records of this domain, as etcdctl's `--discovery-srv` does; empty: do not. Then
    /// `client_options::endpoints` may be empty; its default is an endpoint, too. `_etcd-client-ssl._tcp.DOMAIN` has https
    /// endpoints; only where the name servers say that there are none, `_etcd-client._tcp.DOMAIN` has plain ones. They are
    /// used in the order of RFC 2782, by priority and at random by weight.
    ///
    /// Looked up first by the call or watch that needs an endpoint, as part of its time and for `connect_timeout` at most,
    /// and again while all endpoints are down; without a result such a call fails with errc::discovery_failed, and the next
    /// one looks again. A record that appears later is used as a member is; what is known stays when a look-up fails.
    /// Records that name no endpoint of the cluster any more, while it cannot be reached, name the new one.
    /// DNS itself proves nothing: whoever forges an answer can say that there is no https, or send the client to a host of
    /// his own. So plain endpoints are not taken where `auth` or any of `tls_options` is set, and where the system's store
    /// says who is trusted an https endpoint has to be in the domain: its certificate names the target, and anybody may have
    /// a certificate of a public authority for a name of his own. With authorities of your own it may be anywhere.
    std::string srv;
    /// Looks up `_etcd-client-ssl-NAME._tcp` and `_etcd-client-NAME._tcp` instead, as `--discovery-srv-name` does.
    std::string srv_name;
    /// Plain endpoints in the records are taken although `auth` or one of `tls_options` is set: whoever answers to DNS queries
    /// gets the password. `srv_plain` is logged as a warning about it.
    bool allow_plain = false;
    /// https endpoints outside of the domain are taken although the system's store says who is trusted. Not needed with a
    /// `tls_options::server_name`, which every endpoint then has to bear.
    bool allow_foreign_targets = false;
    /// While a watch is open, members and records are asked for again about this often (20 % at random).
    std::chrono::milliseconds refresh{5 * 60'000};
};

struct client_options {
    /// See `endpoint`. The first is used while it works, then the first that does. One that failed is left out, for longer
    /// each time, until a probe of it works; while a watch is open such probes are made. May be empty with `discovery.srv`.
    std::vector<std::string> endpoints{"http://127.0.0.1:2379"};
    discovery_options discovery;
    /// Password login: `credentials`, or where they come from. The token is fetched when first needed and again when the
    /// server refuses it.
    std::optional<credentials_source> auth;
    tls_options tls;

    // Timeouts are positive; milliseconds::max() is for ever.
    std::chrono::milliseconds connect_timeout{3'000};   ///< Name resolution, and again each address.
    std::chrono::milliseconds tls_timeout{5'000};       ///< TLS handshake.
    /// One try of a call, and each 64 KiB of a watch's message. etcd gives up after 7 s without a quorum; less hides its reason.
    std::chrono::milliseconds request_timeout{8'000};
    std::chrono::milliseconds total_timeout{20'000};    ///< A call with all its tries and pauses.
    std::chrono::milliseconds created_timeout{5'000};   ///< Until a watch is confirmed, and again for each further one of a stream.

    /// What a mirror calls current is at most this much older than etcd; at least 1 s. While a watch is open, one small
    /// read is sent each half of it; one for each 64 mirrors, where the store moves on and their keys do not.
    std::chrono::milliseconds max_staleness{30'000};
    /// The watch stream is replaced by a new one about this often (20 % at random), without a gap: that renews its token,
    /// rechecks its permission and returns to a better endpoint. Zero: never.
    std::chrono::milliseconds rotate_after{30 * 60'000};
    /// A mirror is compared with a list of etcd's keys about this often (20 % at random); zero: never.
    std::chrono::milliseconds verify_every{10 * 60'000};
    /// The pause after an error that a retry does not heal by itself: wrong password, permission denied, gateway off. Positive.
    std::chrono::milliseconds slow_retry{60'000};
    /// What one watcher may leave unread, in bytes of keys and values. Past it nothing more is held for it: the rest is
    /// asked for again, by revision, once it has caught up.
    std::size_t watch_buffer_bytes = std::size_t{8} << 20;

    retry_budget_options retry_budget;
    unsigned max_rounds = 3;            ///< How often a call that may be repeated goes through the endpoints.
    std::size_t max_connections = 16;   ///< For each endpoint, watches not counted; further calls wait.
    std::chrono::milliseconds idle_timeout{120'000};    ///< An unused connection older than this is not used again.
    std::size_t max_response_bytes = std::size_t{512} << 20;   ///< One answer, and again as decoded; past it errc::response_too_large.
    std::size_t max_message_bytes = std::size_t{256} << 20;    ///< One message of a watch, likewise; past it smaller ones are asked for.
    /// Page size of long ranges. Small pages are slow: each makes the server walk the rest of the range.
    std::int64_t page_size = 10'000;
    /// Refuse to be served by a member that has lost its leader: 503 instead of a hang, an end instead of silence.
    bool require_leader = true;
    backoff_options backoff;
    log_sink log;
};

}  // namespace dynconf
