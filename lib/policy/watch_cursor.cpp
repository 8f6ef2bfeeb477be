#include "policy/watch_cursor.hpp"

#include "policy/asked_for.hpp"
#include "wire/classify.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dynconf::policy {

watch_cursor::step watch_cursor::on(wire::watch_response message) {
    // A refused create says `created` and `canceled` at once: the refusal counts.
    if (message.canceled) {
        if (message.compact_revision != 0) return history_lost{message.compact_revision};
        error why = wire::classify_cancel(message.cancel_reason, 0);
        if (why.code == server_errc::compacted) return history_lost{0};
        return broken{std::move(why)};
    }
    if (message.created) {
        if (next_ == 0) next_ = message.header.revision + 1;
        return confirmed{message.header};
    }
    if (message.events.empty() && !message.fragment && (pending_.empty() || message.watch_id == -1)) {
        // Periodic progress of this very watch: all up to there was delivered. An answer to a progress request
        // (id -1) can overtake undelivered history before etcd 3.4.25 and 3.5.8, and come between two fragments, so it
        // moves nothing.
        if (message.watch_id != -1 && message.header.revision >= next_) next_ = message.header.revision + 1;
        return alive{message.header.revision};
    }
    return on_events(std::move(message));
}

watch_cursor::step watch_cursor::on_events(wire::watch_response message) {
    if (auto why = not_asked_for(message.events, keys_)) return broken{std::move(*why)};
    std::vector<event> events = std::exchange(pending_, {});
    // At or below what was applied: a replay after a reconnect, or a member that restored a snapshot.
    std::copy_if(std::make_move_iterator(message.events.begin()), std::make_move_iterator(message.events.end()),
                 std::back_inserter(events), [this](const event& e) { return e.kv.mod_revision >= next_; });
    if (events.empty()) return nothing{};
    // Events of one revision stand together, in the server's order; revisions may not go back within a watch.
    const bool ordered = std::is_sorted(events.begin(), events.end(), [](const event& a, const event& b) {
        return a.kv.mod_revision < b.kv.mod_revision;
    });
    if (!ordered) return broken{{errc::malformed_response, "a watch delivered revisions out of order"}};
    if (message.fragment) {
        // More pieces follow, and the last revision of this one may go on in the next.
        const revision_t open = events.back().kv.mod_revision;
        const auto first_open = std::find_if(events.begin(), events.end(),
                                             [open](const event& e) { return e.kv.mod_revision == open; });
        pending_.assign(std::make_move_iterator(first_open), std::make_move_iterator(events.end()));
        events.erase(first_open, events.end());
        if (events.empty()) return nothing{};
    }
    const revision_t last = events.back().kv.mod_revision;
    next_ = last + 1;
    return apply{last, std::move(events)};
}

}  // namespace dynconf::policy
