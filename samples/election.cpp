// Of several processes one leads: `election NAME WHO`. Each also says who leads now, as any other program can find out.

#include <dynconf/dynconf.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <optional>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

dynconf::client_options from_environment() {
    dynconf::client_options options;
    if (const auto endpoints = dynconf::settings::from_environment().endpoints) options.endpoints = *endpoints;
    return options;
}

asio::awaitable<void> observe(dynconf::leader_observer observer) {
    for (;;) {
        const std::optional<dynconf::key_value> leader = co_await observer.next();
        std::cout << "leader: " << (leader ? leader->value : "nobody") << std::endl;
    }
}

/// Until it is cancelled: then the last handle is gone, and the next one leads.
asio::awaitable<void> lead(dynconf::election election, std::string who) {
    for (;;) {
        const dynconf::leadership mine = co_await election.campaign(who);
        std::cout << "leading, token=" << mine.token() << std::endl;
        const dynconf::claim_loss loss = co_await mine.lost();
        std::cout << "leading no more: " << loss.cause.message() << std::endl;
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: election NAME WHO\n";
        return 2;
    }
    asio::io_context io;
    dynconf::client etcd(io.get_executor(), from_environment());
    dynconf::claim_options options;
    options.ttl = 5s;

    int exit_code = 0;
    asio::cancellation_signal stop_leading, stop_observing;
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code&, int) {
        stop_leading.emit(asio::cancellation_type::terminal);
        stop_observing.emit(asio::cancellation_type::terminal);
    });
    const auto ended = [&exit_code](std::exception_ptr failed) {
        const dynconf::error why = dynconf::to_error(failed);
        if (why.code == asio::error::operation_aborted) return;
        std::cerr << "election: " << why.message() << '\n';
        exit_code = 1;
    };
    asio::co_spawn(io, lead(dynconf::election(etcd, argv[1], options), argv[2]), asio::bind_cancellation_slot(stop_leading.slot(), ended));
    asio::co_spawn(io, observe(dynconf::leader_observer(etcd, argv[1])), asio::bind_cancellation_slot(stop_observing.slot(), ended));
    io.run();
    std::cout << "stopped" << std::endl;
    return exit_code;
}
