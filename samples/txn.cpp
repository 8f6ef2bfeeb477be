// Transactions: a transfer between two accounts that is refused when there is too little, and work on several keys as if
// alone. Set EtcdSettings__HostName.

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

asio::awaitable<bool> transfer(dynconf::client etcd, std::string from, std::string to, int amount) {
    bool enough = false;
    const dynconf::stm_body body = [&](dynconf::stm_view& view) -> asio::awaitable<void> {
        const std::optional<std::string> has = co_await view.get(from);
        const std::optional<std::string> gets = co_await view.get(to);
        enough = has && std::stoi(*has) >= amount;
        if (!enough) co_return;
        view.put(from, std::to_string(std::stoi(*has) - amount));
        view.put(to, std::to_string(std::stoi(gets.value_or("0")) + amount));
    };
    co_await dynconf::stm(etcd, body);
    co_return enough;
}

asio::awaitable<void> show() {
    const auto executor = co_await asio::this_coro::executor;
    dynconf::client etcd(executor, from_environment());
    dynconf::kv store(etcd);

    const dynconf::txn open = dynconf::txn()
        .if_(dynconf::version_of("/txn/alice") == 0)
        .then(dynconf::op::put("/txn/alice", "100"))
        .then(dynconf::op::put("/txn/bob", "0"))
        .else_(dynconf::op::range(dynconf::key_range::key("/txn/alice")));
    const dynconf::txn_response opened = co_await store.commit(open);
    std::cout << (opened.succeeded ? "opened" : "open already") << std::endl;
    const dynconf::txn_response again = co_await store.commit(open);
    std::cout << (again.succeeded ? "opened" : "open already") << std::endl;

    for (const int amount : {70, 70}) {
        const bool done = co_await transfer(etcd, "/txn/alice", "/txn/bob", amount);
        std::cout << amount << (done ? " transferred" : " refused: too little") << std::endl;
    }

    dynconf::conditional writes(etcd);
    const dynconf::conditional_response swapped = co_await writes.compare_and_swap("/txn/bob", std::string("0"), "1");
    std::cout << "bob has " << swapped.current->value << ", not 0" << std::endl;
    const dynconf::move_response moved = co_await writes.move_key("/txn/bob", "/txn/robert");
    std::cout << (moved ? "bob is robert now" : "bob stays") << std::endl;
    co_await store.delete_range(dynconf::key_range::prefix("/txn/"));
}

}  // namespace

int main() {
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, show(), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "txn: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
