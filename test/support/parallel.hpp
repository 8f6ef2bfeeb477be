#pragma once

#include "support/run.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <dynconf/error.hpp>

namespace dynconf::test {

inline constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

/// Runs `one(0)` to `one(n - 1)` side by side until all have ended; then the first exception, if there was one.
inline asio::awaitable<void> in_parallel(int n, const std::function<asio::awaitable<void>(int)>& one) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer all_ended(executor, std::chrono::steady_clock::time_point::max());
    int left = n;
    std::exception_ptr thrown;
    for (int i = 0; i < n; ++i) {
        asio::co_spawn(executor, one(i), [&](std::exception_ptr e) {
            if (e && !thrown) thrown = std::move(e);
            if (--left == 0) all_ended.cancel();
        });
    }
    while (left > 0) co_await all_ended.async_wait(as_values);
    if (thrown) std::rethrow_exception(thrown);
}

/// Waits until `condition` holds; how long is bounded by the test's own limit.
inline asio::awaitable<void> until(const std::function<bool()>& condition) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    while (!condition()) {
        timer.expires_after(1ms);
        co_await timer.async_wait(as_values);
    }
}

/// How an operation with the default token fails; no code when it does not.
inline asio::awaitable<error> failure_of(const std::function<asio::awaitable<void>()>& operation) {
    error e;
    try {
        co_await operation();
    } catch (const exception& thrown) {
        e.code = thrown.code();
        e.detail = thrown.detail();
        e.in_doubt = thrown.in_doubt();
    }
    co_return e;
}

}  // namespace dynconf::test
