#pragma once

#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include "wire/messages.hpp"

#include <utility>
#include <variant>
#include <vector>

namespace dynconf::policy {

/// What the messages of one watch on one stream mean. Whole revisions come out, in order, each once.
class watch_cursor {
public:
    struct nothing {};                                        ///< A replay, or a revision that is still incomplete.
    struct confirmed { response_header header; };             ///< The stream serves this watch.
    struct apply { revision_t revision; std::vector<event> events; };   ///< Whole revisions up to `revision`.
    struct alive { revision_t revision; };                    ///< Progress: the member is there. No proof of freshness.
    struct history_lost { revision_t compact_revision; };     ///< Load again.
    struct broken { error why; };                             ///< The server ended this watch.
    using step = std::variant<nothing, confirmed, apply, alive, history_lost, broken>;

    /// Watches these keys, by etcd's own names, from `next` on; 0: from whatever revision the first confirmation names.
    watch_cursor(revision_t next, key_range keys = key_range::all()) : next_(next), keys_(std::move(keys)) {}

    /// Where another stream would have to go on. Moves only past whole revisions.
    revision_t next_revision() const noexcept { return next_; }

    step on(wire::watch_response message);

private:
    step on_events(wire::watch_response message);

    revision_t next_;
    key_range keys_;
    std::vector<event> pending_;   // the incomplete last revision of a fragmented message
};

}  // namespace dynconf::policy
