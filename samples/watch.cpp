// Follows a prefix and prints each change, whole revisions in order, whatever happens to etcd: `watch PREFIX`.

#include <dynconf/dynconf.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <iostream>
#include <string>

namespace asio = boost::asio;

namespace {

dynconf::client_options from_environment() {
    dynconf::client_options options;
    if (const auto endpoints = dynconf::settings::from_environment().endpoints) options.endpoints = *endpoints;
    return options;
}

asio::awaitable<void> follow(std::string prefix) {
    const auto executor = co_await asio::this_coro::executor;
    dynconf::client etcd(executor, from_environment());
    dynconf::watch_options options;
    options.prev_kv = true;
    dynconf::watcher news(etcd, dynconf::key_range::prefix(prefix), options);
    asio::cancellation_signal enough;
    asio::signal_set stop(executor, SIGINT, SIGTERM);
    stop.async_wait([&enough](const boost::system::error_code&, int) { enough.emit(asio::cancellation_type::terminal); });
    std::cout << "watching " << prefix << std::endl;
    for (;;) {
        auto next = news.next(asio::bind_cancellation_slot(enough.slot(), asio::as_tuple(asio::use_awaitable)));
        auto [failed, batch] = co_await std::move(next);
        if (failed == asio::error::operation_aborted) break;
        if (failed) throw dynconf::exception(dynconf::error{failed, "watch"});   // compacted, or no permission
        for (const dynconf::event& e : batch.events) {
            std::cout << e.kv.mod_revision << (e.type == dynconf::event::kind::put ? " put " : " delete ") << e.kv.key;
            if (e.type == dynconf::event::kind::put) std::cout << " = " << e.kv.value;
            if (e.prev_kv) std::cout << ", before: " << e.prev_kv->value;
            std::cout << std::endl;
        }
    }
    std::cout << "stopped" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: watch PREFIX\n";
        return 2;
    }
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, follow(argv[1]), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "watch: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
