#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dynconf::transport {

namespace asio = boost::asio;

/// `auto [ec, n] = co_await op(as_result)`: inside the core failures are values, since `co_await` is not allowed in a
/// catch block.
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// Cancellation does not end a core coroutine by an exception (see etcd/spawn.hpp): it asks after every wait.
inline asio::awaitable<bool> was_cancelled() {
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace dynconf::transport
