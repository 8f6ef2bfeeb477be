#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

namespace dynconf::test {

namespace asio = boost::asio;

/// Runs a coroutine on an io_context of its own. What it throws is thrown here; one that is not done within `limit`
/// fails the test.
template <class Body>
void run(Body body, std::chrono::steady_clock::duration limit = std::chrono::seconds(20)) {
    asio::io_context io;
    bool done = false;
    std::exception_ptr thrown;
    asio::co_spawn(io, std::move(body), [&](std::exception_ptr e) {
        done = true;
        thrown = std::move(e);
        io.stop();   // what it left behind is destroyed with the context
    });
    io.run_for(limit);
    if (thrown) std::rethrow_exception(thrown);
    if (!done) throw std::runtime_error("the test did not end within its limit");
}

}  // namespace dynconf::test
