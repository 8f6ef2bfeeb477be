#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/options.hpp>

#include "policy/backoff.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <memory>

namespace dynconf::transport {

namespace asio = boost::asio;

class connector;

/// What the library takes from outside: time, chance and connections. A simulation puts its own in their place, for all
/// that happens on its thread; in production there is none, which costs the look at one pointer.
class surroundings {
public:
    using time_point = std::chrono::steady_clock::time_point;

    virtual ~surroundings() = default;

    virtual time_point now() const noexcept = 0;
    /// `sleeper`, which waits for ever, is cancelled at `when`, unless the timer of that number is stopped before.
    virtual std::uint64_t start_timer(time_point when, asio::steady_timer& sleeper) = 0;
    virtual void stop_timer(std::uint64_t number) noexcept = 0;
    virtual std::uint64_t random_bits() noexcept = 0;
    virtual std::shared_ptr<connector> make_connector(const asio::any_io_executor& executor, const client_options& options) = 0;

    /// Those of this thread; null in production.
    DYNCONF_API static surroundings* current() noexcept;

    /// Puts `those` in place for this thread as long as it lives.
    class in_place {
    public:
        DYNCONF_API explicit in_place(surroundings& those) noexcept;
        DYNCONF_API ~in_place();
        in_place(const in_place&) = delete;
        in_place& operator=(const in_place&) = delete;

    private:
        surroundings* before_;
    };
};

/// 64 bits that nobody can foresee: from the operating system, so that two processes that share a seed, or a fork, do not
/// share a name.
std::uint64_t random_bits();
/// For pauses and the like: policy::system_random(), or the simulation's.
policy::random_source chance();

}  // namespace dynconf::transport
