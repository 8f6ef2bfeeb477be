#pragma once

#include "support/catch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <stdexcept>
#include <utility>

namespace dynconf::test {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Runs a coroutine on a fresh io_context until it and all it has started have ended. Its exception is the caller's; a
/// coroutine that takes longer than `limit`, or leaves work behind, fails the test.
inline void run(const std::function<asio::awaitable<void>()>& body, std::chrono::steady_clock::duration limit = 20s) {
    asio::io_context io;
    const auto due = std::chrono::steady_clock::now() + limit;
    bool done = false;
    std::exception_ptr thrown;
    asio::co_spawn(io, body, [&](std::exception_ptr e) {
        done = true;
        thrown = std::move(e);
    });
    while (!done && io.run_one_until(due) != 0) {}
    if (thrown) std::rethrow_exception(thrown);
    if (!done) throw std::runtime_error(io.stopped() ? "the coroutine waits for something that nobody will do" : "the coroutine did not end in time");
    io.run_until(due);
    if (!io.stopped()) throw std::runtime_error("the coroutine left work behind");
}

}  // namespace dynconf::test
