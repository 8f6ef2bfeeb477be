#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <functional>
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

    /// The next changes, however long they take. Fails with errc::history_lost when etcd has compacted what comes next:
    /// that is the end of this watcher, and every later call fails so too (list again and make a new one, or use `mirror`).
    /// Fails with what a retry will not heal: server_errc::permission_denied, auth_failed, errc::invalid_argument; a later
    /// call tries again. Everything else is retried with `client_options::backoff`. Takes terminal and total cancellation; a
    /// later call goes on where the cancelled one was.
    template <class Token = default_token>
    auto next(Token&& token = {}) {
        return detail::initiate<watch_batch>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<watch_batch> h) { start_next(i, std::move(h)); });
    }

    /// next() again and again, for programs without coroutines: `on_batch(watch_batch)`, which has to be copyable, gets the
    /// changes one batch after the other, each once the call before has returned, on the executor of the completion handler
    /// (a coroutine's own; without one the client's strand). Goes on until it is cancelled, which nothing is lost by, or until
    /// next() would fail, and completes with that error. What `on_batch` throws ends it as well, with the code that
    /// `to_error` makes of it; that batch counts as handed over. Counts as a next() under way.
    ///
    ///     changes.each([](watch_batch news) { apply(news.events); }, [](error_code why) { std::cerr << why.message(); });
    template <class Handler, class Token = default_token>
    auto each(Handler on_batch, Token&& token = {}) {
        return detail::initiate<void>(std::forward<Token>(token),
            [i = impl_, on_batch = std::function<void(watch_batch)>(std::move(on_batch))](detail::erased_handler<void> h) mutable {
                start_each(i, std::move(on_batch), std::move(h));
            });
    }

    struct impl;

private:
    DYNCONF_API static void start_next(std::shared_ptr<impl>, detail::erased_handler<watch_batch>);
    DYNCONF_API static void start_each(std::shared_ptr<impl>, std::function<void(watch_batch)>, detail::erased_handler<void>);

    std::shared_ptr<impl> impl_;
};

}  // namespace dynconf
