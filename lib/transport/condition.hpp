#pragma once

#include "transport/await.hpp"
#include "transport/clock.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <list>

namespace dynconf::transport {

/// A condition variable for coroutines of one strand. Waking says only "look again": the waiter tests its condition,
/// and whether it was cancelled.
class condition {
public:
    explicit condition(asio::any_io_executor executor) : executor_(std::move(executor)) {}

    /// Until notified, cancelled, or `limit`.
    asio::awaitable<void> wait(clock::time_point limit = clock::time_point::max()) {
        timer sleeper(executor_, limit);
        const place here(waiting_, sleeper);
        co_await sleeper.async_wait(as_result);
    }

    bool has_waiters() const noexcept { return !waiting_.empty(); }

    void notify_one() noexcept {
        for (timer*& sleeper : waiting_)
            if (sleeper) return wake(sleeper);
    }

    void notify_all() noexcept {
        for (timer*& sleeper : waiting_)
            if (sleeper) wake(sleeper);
    }

private:
    using list = std::list<timer*>;   // null: notified, not yet running

    struct place {
        place(list& in, timer& sleeper) : waiting(in), self(in.insert(in.end(), &sleeper)) {}
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        ~place() { waiting.erase(self); }

        list& waiting;
        list::iterator self;
    };

    static void wake(timer*& sleeper) noexcept {
        sleeper->cancel();
        sleeper = nullptr;
    }

    asio::any_io_executor executor_;
    list waiting_;
};

}  // namespace dynconf::transport
