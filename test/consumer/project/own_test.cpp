// A test of somebody else's: an etcd inside the process, from the library that is installed beside dynconf.

#include <dynconf/dynconf.hpp>
#include <dynconf/testing/fake_etcd.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <memory>
#include <string>

namespace asio = boost::asio;

int main() {
    dynconf::testing::fake_etcd etcd;
    etcd.put("/app/greeting", "hello");
    asio::io_context io;
    std::string greeting;
    auto service = [&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        dynconf::client_options options;
        options.endpoints = etcd.urls();
        const dynconf::client c(executor, options);
        const auto schema = std::make_shared<dynconf::prefix_schema>("/app");
        dynconf::config_manager config(executor, schema, dynconf::etcd_source(c));
        co_await config.start();
        greeting = config.current().get<std::string>("greeting").value();
        co_await config.stop();
    };
    asio::co_spawn(io, std::move(service), [](const std::exception_ptr& thrown) {
        if (thrown) std::rethrow_exception(thrown);
    });
    io.run();
    std::cout << greeting << '\n';
    return greeting == "hello" ? 0 : 1;
}
