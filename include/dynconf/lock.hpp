#pragma once

#include <dynconf/claim.hpp>
#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

/// A lock that is held: see `claim` for the guard of writes, the fencing token and the loss.
class held_lock : public claim {
public:
    held_lock() = default;

    /// Gives the lock to the next one. Fails with the cause when the lock had been lost before, told by lost() or not: what was
    /// done under it was not protected to the end. Calling it again is no error. When etcd cannot be reached the lock ends by
    /// its TTL; it is not kept alive any more in any case. Takes terminal cancellation.
    template <class Token = default_token>
    auto unlock(Token&& token = {}) {
        return detail::initiate<void>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<void> h) { start_leave(i, std::move(h)); });
    }

private:
    friend class mutex;
    explicit held_lock(std::shared_ptr<etcd::contender> i) noexcept : claim(std::move(i)) {}
};

/// A lock of a cluster's clients, fair: who came first gets it first, and each waits for the one before it only. It is that of
/// `etcdctl lock` and of Go's concurrency.Mutex, and excludes their holders too. The keys are below "`name`/", so no
/// name may be another one's, followed by a slash and more.
///
/// Each lock() has a lease and a place of its own: two of one process exclude each other. A handle; safe to use from any thread.
/// `with_timeout` bounds each call to etcd, also those of the lock that is held, and no wait: that is claim_options::wait_timeout.
///
///     mutex jobs(etcd, "/locks/jobs");
///     held_lock mine = co_await jobs.lock();
///     co_await mine.protect(work(mine));   // cancelled when the lock is lost
///     co_await mine.unlock();
class mutex : public detail::facet<mutex> {
public:
    DYNCONF_API mutex(const client& c, std::string name, claim_options options = {});

    /// Waits for the lock, `wait_timeout` at most: errc::not_acquired, or errc::deadline_exceeded where etcd has not answered.
    /// Meanwhile calls are repeated for as long as the lease lives; fails with the cause when that is lost, and with what a
    /// retry does not heal. Takes terminal and total cancellation. A call that fails or is cancelled completes when its place
    /// in the queue is gone from etcd, after 2 s at the latest; where that was not possible the place ends by its TTL.
    template <class Token = default_token>
    auto lock(Token&& token = {}) {
        return detail::initiate<held_lock>(std::forward<Token>(token),
            [f = origin_, name = name_, o = options_](detail::erased_handler<held_lock> h) mutable {
                start_lock(f, std::move(name), o, std::move(h));
            });
    }

    /// Takes the lock if it is free, without ever entering the queue: one transaction decides, however slow the network is. An
    /// empty handle when others have it or wait for it; etcd is left as it was. Fails and is cancelled as lock() is, but knows
    /// no `wait_timeout`: each of its two calls takes as long as one may.
    template <class Token = default_token>
    auto try_lock(Token&& token = {}) {
        return detail::initiate<held_lock>(std::forward<Token>(token),
            [f = origin_, name = name_, o = options_](detail::erased_handler<held_lock> h) mutable {
                start_try_lock(f, std::move(name), o, std::move(h));
            });
    }

    /// lock(), then `body`, cancelled when the lock is lost (see `claim::protect`), then unlock(). When the body throws or is
    /// cancelled the lock is given up in the background. The mutex need not outlive the call.
    DYNCONF_API boost::asio::awaitable<void> run(std::function<boost::asio::awaitable<void>(const held_lock&)> body);

    /// Who holds the lock and who waits, in this order: keys, whose `lease` is each one's own. Empty: the lock is free. Takes
    /// terminal and total cancellation, as the next ones do.
    template <class Token = default_token>
    auto queue(Token&& token = {}) {
        return detail::initiate<std::vector<key_value>>(std::forward<Token>(token),
            [f = origin_, name = name_](detail::erased_handler<std::vector<key_value>> h) mutable {
                start_queue(f, std::move(name), std::move(h));
            });
    }
    template <class Token = default_token>
    auto holder(Token&& token = {}) {
        return detail::initiate<std::optional<key_value>>(std::forward<Token>(token),
            [f = origin_, name = name_](detail::erased_handler<std::optional<key_value>> h) mutable {
                start_holder(f, std::move(name), std::move(h));
            });
    }
    template <class Token = default_token>
    auto is_locked(Token&& token = {}) {
        return detail::initiate<bool>(std::forward<Token>(token), [f = origin_, name = name_](detail::erased_handler<bool> h) mutable {
            start_is_locked(f, std::move(name), std::move(h));
        });
    }

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_lock(origin, std::string, claim_options, detail::erased_handler<held_lock>);
    DYNCONF_API static void start_try_lock(origin, std::string, claim_options, detail::erased_handler<held_lock>);
    DYNCONF_API static void start_queue(origin, std::string, detail::erased_handler<std::vector<key_value>>);
    DYNCONF_API static void start_holder(origin, std::string, detail::erased_handler<std::optional<key_value>>);
    DYNCONF_API static void start_is_locked(origin, std::string, detail::erased_handler<bool>);

    std::string name_;
    claim_options options_;
};

}  // namespace dynconf
