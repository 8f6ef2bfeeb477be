#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace dynconf {

struct watch_options {
    /// The first revision of interest; 0: what comes after the watch is confirmed.
    revision_t start_revision = 0;
    /// Previous values with the events. Costs the server three times the work.
    bool prev_kv = false;
    /// Ask for large messages in pieces. Costs the server dearly; revisions stay whole either way.
    bool fragment = false;
    bool no_put = false;
    bool no_delete = false;
    /// Let the server say from time to time (10 minutes by default) up to where nothing happened.
    bool progress_notify = true;
};

/// Whole revisions, in order: `revision` is the last of them.
struct watch_batch {
    revision_t revision = 0;
    std::vector<event> events;
};

/// The changes of a range from a revision on: each revision whole, once, in order, across reconnects, failover and
/// expired tokens. Lives from its calls: nothing is read while no next() is under way, and nothing is lost by that until
/// etcd compacts. One next() at a time; otherwise safe to use from any thread. Destroying it with a next() under way is
/// safe. No `with_timeout`: next() waits for as long as nothing changes; cancel it to wait no longer.
class watcher {
public:
    DYNCONF_API watcher(const client& c, key_range range, watch_options options = {});

    /// The next changes, however long they take. Fails with errc::history_lost when etcd has compacted what comes next
    /// (list again, or use `mirror`), and with what a retry will not heal: server_errc::permission_denied, auth_failed,
    /// errc::invalid_argument. Everything else is retried with `client_options::backoff`. Takes terminal and total
    /// cancellation; a later call goes on where the cancelled one was.
    template <class Token = default_token>
    auto next(Token&& token = {}) {
        return detail::initiate<watch_batch>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<watch_batch> h) { start_next(i, std::move(h)); });
    }

    struct impl;

private:
    DYNCONF_API static void start_next(std::shared_ptr<impl>, detail::erased_handler<watch_batch>);

    std::shared_ptr<impl> impl_;
};

}  // namespace dynconf
