#pragma once

#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include "etcd/client_core.hpp"
#include "policy/lease_clock.hpp"
#include "transport/condition.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <list>
#include <vector>

namespace dynconf::etcd {

struct keep_alive_flight;

/// A lease that is kept alive as long as this lives, by the lease_keeper. On the core's strand.
class kept_lease {
public:
    using clock = transport::clock;

    kept_lease(std::shared_ptr<client_core> core, lease_id id, policy::lease_clock when);
    ~kept_lease();
    kept_lease(const kept_lease&) = delete;
    kept_lease& operator=(const kept_lease&) = delete;

    lease_id id() const noexcept { return id_; }
    /// Why it is lost by now, also where the keeper has not come to tell it; none as long as it is not.
    const std::optional<error>& loss();
    /// The loss; when cancelled before, operation_aborted.
    asio::awaitable<error> until_lost();
    /// It is kept alive no longer, and lost by errc::not_held.
    void end();
    /// Called once when it is lost.
    void on_lost(std::function<void()> f) { on_lost_ = std::move(f); }
    /// It surely lives until then, and longer if it is kept alive. From any thread, as the next one.
    clock::time_point safe_until() const noexcept { return clock::time_point(clock::duration(safe_until_.load(std::memory_order_acquire))); }
    bool alive() const noexcept { return clock::now() < safe_until(); }

private:
    friend class lease_keeper;

    void lose(error why);

    std::shared_ptr<client_core> core_;
    lease_id id_;
    policy::lease_clock when_;
    std::atomic<clock::rep> safe_until_;
    error last_failure_;
    std::optional<error> loss_;
    std::shared_ptr<keep_alive_flight> flight_;   // the request that is under way for it
    transport::condition told_;
    std::function<void()> on_lost_;
};

/// Keeps the leases of a client alive: those that are due, and those that soon would be, in one request. Part of the core, on
/// its strand; runs while there are leases.
class lease_keeper {
public:
    using clock = transport::clock;

    explicit lease_keeper(client_core& core) : core_(core), moved_(core.executor()) {}
    lease_keeper(const lease_keeper&) = delete;
    lease_keeper& operator=(const lease_keeper&) = delete;

    void add(kept_lease& l);
    void remove(kept_lease& l) noexcept;
    void tell_losses(clock::time_point now);

private:
    asio::awaitable<void> run();
    clock::time_point wake_at() const noexcept;
    void start_flight(clock::time_point now);
    asio::awaitable<void> fly(std::shared_ptr<keep_alive_flight> f, std::chrono::milliseconds limit);

    client_core& core_;
    std::list<kept_lease*> leases_;   // those that are not lost, in the order in which they came: a simulation repeats it
    bool running_ = false;
    std::optional<std::size_t> at_;  // the endpoint to use while it is up, since the one before it was too slow
    transport::condition moved_;
};

}  // namespace dynconf::etcd
