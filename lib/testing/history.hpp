#pragma once

#include "testing/gateway_words.hpp"

#include <dynconf/error.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>
#include <dynconf/write_outcome.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The record of a run, as values: what clients asked for and were told, and what those who follow the keys have seen.
// check.hpp judges it, history_file.hpp keeps it. Every moment is one of the same clock, simulated or not.

namespace dynconf::testing {

/// Keys and values at a revision. A key_value without revisions says that they were not recorded.
struct known_state {
    revision_t revision = 1;   ///< As of a new etcd, which is empty.
    std::vector<key_value> kvs;
};

/// One call of KV.
struct operation {
    unsigned client = 0;
    op what;
    time_point called{};
    time_point returned{};               ///< Of no importance when the outcome is unknown.
    write_state state = write_state::unknown;   ///< A read that failed is `not_executed`.
    /// When it was executed: what fits `what`, with its header's revision. A txn_response without responses for a branch
    /// that has operations: they were not recorded.
    std::optional<op_response> answer = {};
    /// Token of the claim that guarded it, where the comparison is left out of `what`: its key is not part of this history.
    revision_t guard = 0;
};

/// One call about a lease.
struct lease_operation {
    enum class kind : std::uint8_t { grant, keep_alive, revoke };

    unsigned client = 0;
    kind what = kind::grant;
    lease_id id = 0;                     ///< Of a grant whose outcome is unknown, the one that was asked for.
    time_point called{};
    time_point returned{};
    write_state state = write_state::unknown;
    std::int64_t ttl = 0;                ///< Seconds, as answered; 0 for a keep-alive: the lease was gone.
};

/// A compaction that was asked for; it may be executed whatever came back.
struct compaction {
    time_point called{};
    revision_t revision = 0;
};

/// Why an observer looks no more.
enum class ending : std::uint8_t {
    left,           ///< It went by itself, or nobody has recorded why.
    history_lost,   ///< It was told that what comes next had been compacted.
    refused,        ///< It was told that it may not look, or never can.
    failed,         ///< Of something that ought not to end it.
};

/// What it is when a call to look on fails with that.
ending ending_of(const error_code& why);

/// One thing that an observer saw.
struct sight {
    enum class kind : std::uint8_t {
        started,    ///< It begins, or begins again, with the changes from `revision` on (0: from now); the first of a mirror
                    ///< that goes on from known content has that as `content`.
        batch,      ///< `events` of one or more whole revisions; the last is `revision`.
        bookmark,   ///< Nothing up to `revision` is still to come.
        snapshot,   ///< All of its ranges as of `revision`, in `content`.
        resync,     ///< `events` lead from what it had to the content at `revision`, because of `why`.
        live,       ///< From now on it claims to be current.
        stale,      ///< From now on it does not.
        ended,      ///< It looks no more: what comes later does not concern it.
    };

    kind what = kind::batch;
    time_point at{};
    revision_t revision = 0;
    std::vector<event> events = {};
    std::vector<key_value> content = {};
    mirror_step::reason why = mirror_step::reason::none;   ///< Of a resync.
    ending end = ending::left;                              ///< Of `ended`.
};

/// One that follows keys: a watch, a mirror, a manager.
struct observer {
    enum class kind : std::uint8_t {
        watch,       ///< Batches and bookmarks.
        mirror,      ///< One snapshot, or known content, then batches and resyncs.
        snapshots,   ///< Whole contents, which may skip revisions.
    };

    std::string name;
    kind what = kind::watch;
    std::vector<key_range> ranges;
    bool prev_kv = false;
    bool no_put = false;
    bool no_delete = false;
    std::vector<sight> seen = {};        ///< In the order in which it was seen.
};

/// Whether an observer has asked for such an event.
bool wants(const observer& o, const event& e);

/// A lock or a leadership that a client held, as far as it knew.
struct holding {
    unsigned client = 0;
    std::string name;                    ///< Of the lock.
    std::string key;                     ///< Its own, of `claim::key`.
    revision_t token = 0;                ///< `claim::token`
    time_point from{};
    std::optional<time_point> until;     ///< When it gave it up, or was told of the loss; none: never.
};

/// A moment at which nothing had changed for so long that everybody had had time to see it all.
struct lull {
    time_point at{};
    revision_t revision = 0;             ///< etcd's.
};

/// A run on one store: where that is wiped or restored, another history begins. All that clients wrote to the keys of
/// `operations` and of the observers is here; see `foreign_writers`.
struct history {
    known_state start;
    std::vector<operation> operations;
    std::vector<lease_operation> leases;
    std::vector<compaction> compactions;
    std::vector<observer> observers;
    std::vector<holding> holdings;
    std::vector<lull> lulls;             ///< In order. What comes later covers up what was wrong there.
    /// Others use the store too, and leave alone the keys that this history is about.
    bool foreign_writers = false;
    /// Everything, read when all was over and everybody had time to see it: observers have to have it.
    std::optional<known_state> end;
    time_point ended{};                      ///< Of no importance without `end`.
};

}  // namespace dynconf::testing
