#pragma once

#include <dynconf/detail/export.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace dynconf::testing {

class simulation;

/// A world with a time of its own, for tests: while everything in it waits, its clock jumps to when the next wait ends. A
/// day of outages takes a second, and the same seed gives the same run, event by event.
///
/// Clients, managers and all else of dynconf that is made on its executor, on the thread that made the world, live in its
/// time, take their randomness from its seed, and reach only the members of a fake_etcd of this world; names are not
/// looked up, TLS is not spoken, files are read and written at once. Timers of the program itself (asio::steady_timer)
/// know nothing of it: use sleep(). One world at a time for each thread; nothing of it may outlive it or leave its thread.
class simulated_world {
public:
    using executor_type = boost::asio::any_io_executor;
    using clock = std::chrono::steady_clock;   ///< Its time points are of this type, and begin at an arbitrary one.

    DYNCONF_API explicit simulated_world(std::uint64_t seed = 1);
    DYNCONF_API ~simulated_world();
    simulated_world(const simulated_world&) = delete;
    simulated_world& operator=(const simulated_world&) = delete;

    DYNCONF_API executor_type get_executor() const noexcept;
    DYNCONF_API clock::time_point now() const noexcept;

    /// Runs a coroutine until it ends; what else goes on in this world goes on meanwhile, and stands still afterwards.
    /// Throws what it throws; std::runtime_error when it has not ended after `limit` of simulated time, or waits for
    /// what nobody will ever do.
    DYNCONF_API void run(std::function<boost::asio::awaitable<void>()> body, clock::duration limit = std::chrono::hours(24));
    /// Lets time pass.
    DYNCONF_API void run_for(clock::duration time);
    /// For coroutines of this world. Ends early when cancelled.
    DYNCONF_API boost::asio::awaitable<void> sleep(clock::duration time);
    /// From the world's seed, for the test's own choices.
    DYNCONF_API std::uint64_t random_bits() noexcept;

private:
    friend class fake_etcd;
    std::unique_ptr<simulation> simulation_;
};

}  // namespace dynconf::testing
