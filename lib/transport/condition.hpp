#pragma once

#include "transport/await.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <list>

namespace dynconf::transport {

/// A condition variable for coroutines of one strand. Waking says only "look again": the waiter tests its condition,
/// and whether it was cancelled.
class condition {
public:
    explicit condition(asio::any_io_executor executor) : executor_(std::move(executor)) {}

    /// Until notified, cancelled, or `limit`.
    asio::awaitable<void> wait(std::chrono::steady_clock::time_point limit = std::chrono::steady_clock::time_point::max()) {
        asio::steady_timer timer(executor_, limit);
        const place here(waiting_, timer);
        co_await timer.async_wait(as_result);
    }

    bool has_waiters() const noexcept { return !waiting_.empty(); }

    void notify_one() noexcept {
        for (asio::steady_timer*& timer : waiting_)
            if (timer) return wake(timer);
    }

    void notify_all() noexcept {
        for (asio::steady_timer*& timer : waiting_)
            if (timer) wake(timer);
    }

private:
    using list = std::list<asio::steady_timer*>;   // null: notified, not yet running

    struct place {
        place(list& in, asio::steady_timer& timer) : waiting(in), self(in.insert(in.end(), &timer)) {}
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        ~place() { waiting.erase(self); }

        list& waiting;
        list::iterator self;
    };

    static void wake(asio::steady_timer*& timer) noexcept {
        timer->cancel();
        timer = nullptr;
    }

    asio::any_io_executor executor_;
    list waiting_;
};

}  // namespace dynconf::transport
