#pragma once

// Runs the snippets of the documentation one after the other; a hidden condition, an exception or 30 s fail one.

#include <dynconf/error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

#define SNIPPET_CHECK(...) \
    if (!(__VA_ARGS__)) throw std::runtime_error("does not hold: " #__VA_ARGS__)

namespace snippets {

inline int failures = 0;

template <class Body> void run(const char* where, Body body) {
    boost::asio::io_context io;
    bool done = false;
    std::string why;
    boost::asio::co_spawn(io, body(io.get_executor()), [&](std::exception_ptr failed) {
        done = true;
        if (failed) why = dynconf::to_error(failed).message();
        io.stop();
    });
    io.run_for(std::chrono::seconds(30));
    if (!done) why = "not within 30 s";
    std::cout << (why.empty() ? "ok      " : "FAILED  ") << where << (why.empty() ? "" : "  ") << why << std::endl;
    if (!why.empty()) ++failures;
}

inline int finish() { return failures == 0 ? 0 : 1; }

}  // namespace snippets
