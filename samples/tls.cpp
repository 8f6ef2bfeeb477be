// An etcd that asks for a certificate and a password, over TLS: `tls CA CERTIFICATE KEY`, with EtcdSettings__HostName,
// EtcdSettings__UserName and EtcdSettings__Password. Shows what is said where something is missing, then follows /tls/ while
// the files are replaced. KEY_PASSWORD opens an encrypted key.

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

asio::awaitable<void> try_out(std::string what, dynconf::client_options options) {
    options.max_rounds = 1;
    dynconf::client etcd(co_await asio::this_coro::executor, options);
    dynconf::kv store(etcd);
    try {
        (void)co_await store.get("/tls/greeting");
        std::cout << what << ": works" << std::endl;
    } catch (const dynconf::exception& e) {
        std::cout << what << ": " << e.what() << std::endl;
    }
}

asio::awaitable<void> follow(dynconf::client_options options) {
    const auto executor = co_await asio::this_coro::executor;
    options.log = [](const dynconf::log_record& r) {
        if (r.event.starts_with("tls_")) std::cout << r.event << ": " << r.text << std::endl;
    };
    dynconf::client etcd(executor, options);
    dynconf::mirror content(etcd, dynconf::key_range::prefix("/tls/"));
    asio::cancellation_signal enough;
    asio::signal_set stop(executor, SIGINT, SIGTERM);
    stop.async_wait([&enough](const boost::system::error_code&, int) { enough.emit(asio::cancellation_type::terminal); });
    for (;;) {
        auto next = content.next(asio::bind_cancellation_slot(enough.slot(), asio::as_tuple(asio::use_awaitable)));
        auto [failed, step] = co_await std::move(next);
        if (failed) break;
        if (step.what == dynconf::mirror_step::kind::connected) std::cout << "following at " << step.endpoint << std::endl;
        for (const dynconf::event& e : step.events) std::cout << e.kv.key << " = " << e.kv.value << std::endl;
    }
    std::cout << "stopped" << std::endl;
}

asio::awaitable<void> show(std::string ca, std::string certificate, std::string key) {
    const auto settings = dynconf::settings::from_environment();
    dynconf::client_options options;
    if (settings.endpoints) options.endpoints = *settings.endpoints;
    co_await try_out("the system's authorities", options);
    options.tls.ca_file = ca;
    co_await try_out("no certificate", options);
    options.tls.cert_file = certificate;
    options.tls.key_file = key;
    co_await try_out("no password of the key", options);
    options.tls.key_password_env = "KEY_PASSWORD";
    co_await try_out("no user", options);
    if (settings.username && settings.password) {
        dynconf::credentials login;
        login.username = *settings.username;
        login.password = *settings.password;
        options.auth = login;
    }
    dynconf::client_options misled = options;
    misled.tls.server_name = "another.example";
    co_await try_out("another host", misled);
    co_await try_out("all of it", options);
    co_await follow(options);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::cerr << "usage: tls CA CERTIFICATE KEY\n";
        return 2;
    }
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, show(argv[1], argv[2], argv[3]), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "tls: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
