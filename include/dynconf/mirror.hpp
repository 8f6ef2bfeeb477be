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

/// What happened next to the content of some ranges.
struct mirror_step {
    enum class kind : std::uint8_t {
        snapshot,      ///< The whole `content` at `revision`; always the first step that carries data.
        update,        ///< `events` of one or more whole revisions, in order; the last is `revision`.
        resync,        ///< History was lost or the store was replaced: `events` lead from the last content to that at `revision`.
        connected,     ///< The stream of `endpoint` serves the watch.
        interrupted,   ///< Out of touch because of `cause`; the next try comes after `pause`.
    };

    kind what = kind::interrupted;
    revision_t revision = 0;
    std::uint64_t cluster_id = 0;
    std::vector<key_value> content;
    std::vector<event> events;
    std::string endpoint;
    error cause;
    std::chrono::milliseconds pause{0};
};

/// The content of some key ranges, followed without loss: listed at one revision, watched from the next one on, listed
/// again and compared when etcd has compacted what was missed. One next() at a time; otherwise safe to use from any
/// thread. Lives from its calls, as `watcher` does.
class mirror {
public:
    /// Several ranges are followed by one watch on the smallest range that covers them, so that a revision which touches
    /// more than one stays whole; the caller sees only the ranges themselves. The user needs permission for the cover.
    DYNCONF_API mirror(const client& c, std::vector<key_range> ranges);
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
