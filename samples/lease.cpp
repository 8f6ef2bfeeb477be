// A service that says where it is for as long as it runs: `lease NAME ADDRESS`. Its key below /services/NAME/ lives by a lease
// which is kept alive; when the process dies the key is gone a few seconds later. Beside it, a key that ends by itself.

#include <dynconf/dynconf.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

dynconf::client_options from_environment() {
    dynconf::client_options options;
    if (const auto endpoints = dynconf::settings::from_environment().endpoints) options.endpoints = *endpoints;
    return options;
}

asio::awaitable<void> serve(std::string name, std::string address) {
    const auto executor = co_await asio::this_coro::executor;
    dynconf::client etcd(executor, from_environment());
    dynconf::leases leases(etcd);

    const dynconf::leased_put_response started = co_await leases.put_with_ttl("/started/" + address, "now", 60s);
    const dynconf::lease_time_to_live_response left = co_await leases.time_to_live(started.lease.id, true);
    std::cout << left.keys.at(0) << " ends within " << left.granted_ttl.count() << " s" << std::endl;

    dynconf::registration here(etcd, {{"/services/" + name + "/" + address, "up"}}, 3s);
    std::cout << "serving" << std::endl;
    asio::signal_set stop(executor, SIGINT, SIGTERM);
    co_await (here.run() || stop.async_wait(asio::use_awaitable));   // the signal cancels run(), which deletes the key
    co_await leases.revoke(started.lease.id);
    std::cout << "stopped" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: lease NAME ADDRESS\n";
        return 2;
    }
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, serve(argv[1], argv[2]), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "lease: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
