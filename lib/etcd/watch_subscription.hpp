#pragma once

#include <dynconf/types.hpp>
#include <dynconf/watch.hpp>

#include "etcd/view.hpp"
#include "policy/looks.hpp"
#include "transport/condition.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace dynconf::etcd {

/// One watch as its owner sees it: a bounded queue that the client's one stream (watch_hub) fills, across any number of
/// streams. From the first next() on until it is destroyed it is served; a slow owner loses nothing, since what does not
/// fit the queue is asked for again. On the core's strand, one next() at a time.
class watch_subscription {
public:
    using clock = transport::clock;

    struct connected { response_header header; std::string endpoint; };
    struct interrupted { error why; std::chrono::milliseconds pause; };   ///< `pause` until the next try.
    struct batch { revision_t revision; std::vector<event> events; };     ///< Whole revisions, the last is `revision`.
    struct history_lost { revision_t compact_revision; };                 ///< Nothing more comes before restart().
    /// A linearizable answer, asked for at `sent`; with the look that went along, of the same revision.
    struct probed { response_header header; clock::time_point sent; std::optional<policy::look> look; };
    using step = std::variant<connected, interrupted, batch, history_lost, probed>;

    watch_subscription(const view& through, const key_range& range, watch_options options);
    ~watch_subscription();
    watch_subscription(const watch_subscription&) = delete;
    watch_subscription& operator=(const watch_subscription&) = delete;

    /// Nothing at `limit`. Cancelled: `interrupted` by operation_aborted; the next call goes on where this one was.
    asio::awaitable<std::optional<step>> next(clock::time_point limit = clock::time_point::max());
    /// Forgets what is queued and goes on from `next`.
    void restart(revision_t next);
    /// The owner has what there was at `revision`: what is still to come of the time up to there is passed over. It may have cancelled
    /// itself out, and a part of it would undo that.
    void checkpoint(revision_t revision);

    /// A look at `ranges`, which are etcd's own and have to live as long as this, for keys that changed after a revision.
    struct look_request { const std::vector<key_range>* ranges; revision_t after; };
    /// What the next probes are to carry, where possible; the last that was said counts.
    void look_along(std::optional<look_request> wanted) noexcept { look_along_ = wanted; }

    // For the hub.

    const key_range& range() const noexcept { return range_; }
    const watch_options& options() const noexcept { return options_; }
    /// Where a new stream has to begin; 0: at the present.
    revision_t resume() const noexcept { return next_; }
    /// It takes nothing more until its owner has read what there is.
    bool full() const noexcept { return full_; }
    /// Whether it is to be served at `now`, or from when on.
    bool wanted(clock::time_point now) const noexcept { return !lost_ && !full_ && now >= retry_at_; }
    clock::time_point retry_at() const noexcept { return lost_ || full_ ? clock::time_point::max() : retry_at_; }

    /// Whether its owner knows, or will read, that it is served by this endpoint.
    bool is_served_by(const std::string& endpoint) const noexcept { return up_ && endpoint_ == endpoint; }

    /// What a probe now may carry. Nothing where the answer would be of no use: its owner has more to read first.
    std::optional<look_request> wanted_look() const noexcept { return up_ && !full_ && queue_.empty() ? look_along_ : std::nullopt; }

    void on_connected(response_header header, std::string endpoint);
    /// The start of a watch from the present, once it is known.
    void on_start(revision_t next) noexcept;
    void on_batch(revision_t revision, std::vector<event> events);
    void on_progress(revision_t next) noexcept { next_ = std::max(next_, next); }
    void on_history_lost(revision_t compact_revision);
    void on_refused(const error& why, std::chrono::milliseconds pause, clock::time_point now);
    void on_interrupted(const error& why, std::chrono::milliseconds pause);
    void on_probed(const response_header& header, clock::time_point sent, std::optional<policy::look> look = std::nullopt);

private:
    asio::awaitable<bool> keys_of_first(clock::time_point limit);
    std::optional<step> take();
    void push(step s);

    std::shared_ptr<client_core> core_;
    policy::key_space keys_;
    std::shared_ptr<sealer> sealer_;
    key_range range_;                   // as etcd knows it; what goes to the owner is as the view does
    watch_options options_;
    transport::condition arrived_;
    std::deque<step> queue_;
    std::optional<policy::wanted_keys> keys_of_first_;   // in queue_; a batch that is to be opened
    std::optional<look_request> look_along_;
    std::optional<probed> probed_;      // of any number the last; comes after what was queued
    std::size_t bytes_ = 0;             // of the events in queue_
    revision_t next_;                   // what comes below was queued
    std::string endpoint_;              // of the last `connected`
    bool registered_ = false;
    bool lost_ = false;                 // its history; restart() is next
    bool full_ = false;                 // it is served again when its queue is empty
    bool up_ = false;                   // the last that was said is `connected`
    clock::time_point retry_at_ = clock::time_point::min();   // the server refused it
};

}  // namespace dynconf::etcd
