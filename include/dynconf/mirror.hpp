#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

/// The content of some ranges at a revision, as it was known before: in an earlier process, or before a fork. Of the same view.
/// With an item that is unreadable all is read again.
struct known_content {
    revision_t revision = 0;
    std::uint64_t cluster_id = 0;
    std::vector<key_value> kvs;
};

/// What happened next to the content of some ranges.
struct mirror_step {
    enum class kind : std::uint8_t {
        snapshot,      ///< The whole `content` at `revision`; always the first step that carries data.
        update,        ///< `events` of one or more whole revisions, in order; the last is `revision`.
        resync,        ///< History was lost or the store was replaced: `events` lead from the last content to that at `revision`.
        connected,     ///< The stream of `endpoint` serves the watch, and the content is current as of `as_of`.
        verified,      ///< Still so, as of a later `as_of`.
        interrupted,   ///< Out of touch because of `cause`; the next try comes after `pause`.
    };
    /// Why a resync was needed.
    enum class reason : std::uint8_t {
        none,
        compacted,        ///< etcd has compacted what was missed.
        store_replaced,   ///< Another cluster, or a store that went back: restored from a backup or wiped.
        repaired,         ///< The content differed from etcd's although the watch had said nothing.
        /// A value was unreadable for errc::key_unavailable, or in the known_content; it was read again, in the first case
        /// after client_options::slow_retry.
        key_missing,
    };

    kind what = kind::interrupted;
    reason why = reason::none;
    revision_t revision = 0;
    /// The content is etcd's at this revision too, although nothing happened to it after `revision`: where to go on from
    /// (`known_content::revision`) even when etcd has compacted all before. Less than `revision`: the source does not say.
    revision_t known = 0;
    std::uint64_t cluster_id = 0;
    std::vector<key_value> content;
    std::vector<event> events;
    std::string endpoint;
    error cause;
    std::chrono::milliseconds pause{0};
    /// Nothing that etcd executed before this moment is missing from the content. The clock's epoch: not proven yet.
    std::chrono::steady_clock::time_point as_of{};
    /// `as_of` and client_options::max_staleness: without a later proof the content is not current any more by then.
    /// The clock's epoch: no bound is promised, as of a source other than etcd, or before the first proof after known_content.
    std::chrono::steady_clock::time_point good_until{};
};

/// The content of some key ranges, followed without loss: listed at one revision, watched from the next one on, listed
/// again and compared when etcd has compacted what was missed. The content is right, the way to it may be shorter: a key that
/// was created and deleted while no stream brought its events may have never been there. A `watcher` tells each revision.
/// One next() at a time; otherwise safe to use from any thread. Lives from its calls, and has no `with_timeout`, as `watcher`.
class mirror {
public:
    /// Several ranges are followed by one watch on the smallest range that covers them, so that a revision which touches
    /// more than one stays whole; the caller sees only the ranges themselves. The user needs permission for the cover.
    DYNCONF_API mirror(const client& c, std::vector<key_range> ranges);
    /// Goes on from content that is known already: there is no snapshot step, only what changed since is transferred. When
    /// that is not possible (compacted, or another cluster), a resync leads from there to the present.
    DYNCONF_API mirror(const client& c, std::vector<key_range> ranges, const known_content& from);
    mirror(const client& c, key_range range) : mirror(c, std::vector<key_range>(1, std::move(range))) {}

    /// The next step. Fails only when it is cancelled (terminal or total); a later call goes on where that one was.
    template <class Token = default_token>
    auto next(Token&& token = {}) {
        return detail::initiate<mirror_step>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<mirror_step> h) { start_next(i, std::move(h)); });
    }

    struct impl;

private:
    DYNCONF_API static void start_next(std::shared_ptr<impl>, detail::erased_handler<mirror_step>);

    std::shared_ptr<impl> impl_;
};

}  // namespace dynconf
