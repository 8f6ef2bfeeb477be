// Keys and values: what is put, found, counted, looked for and deleted below /kv/. Set EtcdSettings__HostName.

#include <dynconf/dynconf.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <iostream>
#include <optional>
#include <string>

namespace asio = boost::asio;

namespace {

dynconf::client_options from_environment() {
    dynconf::client_options options;
    if (const auto endpoints = dynconf::settings::from_environment().endpoints) options.endpoints = *endpoints;
    return options;
}

asio::awaitable<void> show() {
    const auto executor = co_await asio::this_coro::executor;
    dynconf::client etcd(executor, from_environment());
    dynconf::kv store(etcd);

    for (int i = 1; i <= 3; ++i) co_await store.put("/kv/name" + std::to_string(i), "value " + std::to_string(i));
    dynconf::put_options with_previous;
    with_previous.prev_kv = true;
    const dynconf::put_response put = co_await store.put("/kv/name1", "another value", with_previous);
    std::cout << "put at revision " << put.header.revision << ", before: " << put.prev_kv->value << std::endl;

    const std::optional<dynconf::key_value> one = co_await store.get("/kv/name1");
    std::cout << one->key << " = " << one->value << ", version " << one->version << std::endl;
    const std::optional<dynconf::key_value> none = co_await store.get("/kv/missing");
    std::cout << "/kv/missing " << (none ? "exists" : "does not exist") << std::endl;
    dynconf::range_options then;
    then.revision = put.header.revision - 1;
    const std::optional<dynconf::key_value> old = co_await store.get("/kv/name1", then);
    std::cout << "one revision ago: " << old->value << std::endl;

    const dynconf::range_response all = co_await store.range(dynconf::key_range::prefix("/kv/"));
    for (const dynconf::key_value& kv : all.kvs) std::cout << "  " << kv.key << " = " << kv.value << std::endl;
    dynconf::search look(etcd);
    const dynconf::search_response found = co_await look.find(dynconf::key_range::prefix("/kv/"), dynconf::key_pattern::glob("*[23]"));
    std::cout << found.kvs.size() << " of " << all.count << " match" << std::endl;

    const dynconf::delete_response gone = co_await store.delete_range(dynconf::key_range::prefix("/kv/"));
    std::cout << gone.deleted << " deleted" << std::endl;
}

}  // namespace

int main() {
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, show(), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "kv: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
