#pragma once

#include "transport/surroundings.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace dynconf::transport {

/// The steady clock of the library.
struct clock {
    using rep = std::chrono::steady_clock::rep;
    using period = std::chrono::steady_clock::period;
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;
    static constexpr bool is_steady = true;

    static time_point now() noexcept {
        if (const surroundings* const s = surroundings::current()) [[unlikely]] return s->now();
        return std::chrono::steady_clock::now();
    }

    /// When what begins now and takes so long ends; a time that is past the clock's ends with the clock.
    static time_point after(std::chrono::milliseconds d) noexcept {
        const time_point begin = now();
        return d < std::chrono::duration_cast<std::chrono::milliseconds>(time_point::max() - begin) ? begin + d : time_point::max();
    }
};

/// A timer by that clock. A wait does not say whether it came to its end or was cancelled: whoever waits looks again.
class timer {
public:
    explicit timer(const asio::any_io_executor& executor, clock::time_point at = clock::time_point::max()) : sleeper_(executor) {
        expires_at(at);
    }
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    ~timer() { stop(); }

    /// Ends the wait under way.
    void expires_at(clock::time_point at) {
        stop();
        surroundings* const s = surroundings::current();
        sleeper_.expires_at(s ? clock::time_point::max() : at);
        if (s && at != clock::time_point::max()) number_ = s->start_timer(at, sleeper_);
    }
    void cancel() {
        stop();
        sleeper_.cancel();
    }
    /// Completes with an error code that means nothing.
    template <class Token>
    auto async_wait(Token&& token) { return sleeper_.async_wait(std::forward<Token>(token)); }

private:
    void stop() noexcept {
        if (const std::uint64_t number = std::exchange(number_, 0); number != 0)
            if (surroundings* const s = surroundings::current()) s->stop_timer(number);
    }

    asio::steady_timer sleeper_;
    std::uint64_t number_ = 0;
};

}  // namespace dynconf::transport
