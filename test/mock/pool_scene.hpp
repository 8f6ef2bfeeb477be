#pragma once

#include "transport/session_pool.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace dynconf::test {

/// A place in the pool, and a session on it, as a call takes them one after the other.
inline boost::asio::awaitable<result<transport::session_pool::lease>> acquire(std::shared_ptr<transport::session_pool> pool,
                                                                              std::chrono::steady_clock::time_point due) {
    auto taken = co_await pool->place(due);
    if (!taken) co_return taken.error();
    auto connected = co_await pool->connect(*taken, due);
    if (!connected) co_return connected.error();
    co_return std::move(*taken);
}

}  // namespace dynconf::test
