// A job that one process at a time does: `lock NAME`. It adds one to /count as long as it holds the lock, each time by a
// write that etcd refuses when somebody else holds it by now; when the lock is lost the work is cancelled.

#include <dynconf/dynconf.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

dynconf::client_options from_environment() {
    dynconf::client_options options;
    if (const auto endpoints = dynconf::settings::from_environment().endpoints) options.endpoints = *endpoints;
    return options;
}

asio::awaitable<void> count(dynconf::kv store, dynconf::held_lock mine, const bool& stopping) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!stopping) {
        const dynconf::range_response now = co_await store.range(dynconf::key_range::key("/count"));
        const int next = now.kvs.empty() ? 1 : std::stoi(now.kvs[0].value) + 1;
        co_await store.guarded_by(mine).put("/count", std::to_string(next));   // throws when somebody else has the lock
        timer.expires_after(100ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> work(std::string name) {
    const auto executor = co_await asio::this_coro::executor;
    dynconf::client etcd(executor, from_environment());
    dynconf::claim_options options;
    options.ttl = 5s;
    dynconf::mutex jobs(etcd, name, options);

    dynconf::held_lock mine = co_await jobs.try_lock();
    if (!mine) {
        const auto holder = co_await jobs.holder();
        std::cout << "waiting for " << (holder ? holder->key : "nobody") << std::endl;
        mine = co_await jobs.lock();
    }
    std::cout << "mine  key=" << mine.key() << " token=" << mine.token() << std::endl;

    bool stopping = false;
    asio::signal_set stop(executor, SIGINT, SIGTERM);
    stop.async_wait([&stopping](const boost::system::error_code&, int) { stopping = true; });
    co_await mine.protect(count(dynconf::kv(etcd), mine, stopping));   // throws when the lock is lost
    co_await mine.unlock();
    std::cout << "unlocked" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: lock NAME\n";
        return 2;
    }
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, work(argv[1]), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "lock: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
