#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <thread>
#include <vector>

namespace dynconf::test {

/// An io_context run by threads of its own. Destroying it waits until all that was started in it has ended.
class io_threads {
public:
    explicit io_threads(unsigned count) : work_(boost::asio::make_work_guard(io_)) {
        for (unsigned i = 0; i < count; ++i) all_.emplace_back([this] { io_.run(); });
    }
    io_threads(const io_threads&) = delete;
    io_threads& operator=(const io_threads&) = delete;
    ~io_threads() {
        work_.reset();
        for (std::thread& t : all_) t.join();
    }

    boost::asio::io_context::executor_type get_executor() noexcept { return io_.get_executor(); }

private:
    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::vector<std::thread> all_;
};

/// Waits, on a plain thread, for what nobody announces; false at the limit.
template <class Condition>
bool becomes_true(Condition met, std::chrono::steady_clock::duration limit = std::chrono::seconds(30)) {
    const auto due = std::chrono::steady_clock::now() + limit;
    while (!met()) {
        if (std::chrono::steady_clock::now() >= due) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
    return true;
}

}  // namespace dynconf::test
