// Many keys at a time: `bulk N` puts N keys, reads them at one revision and deletes them, in atomic parts, and says how far
// it is. Set EtcdSettings__HostName.

#include <dynconf/dynconf.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace {

dynconf::client_options from_environment() {
    dynconf::client_options options;
    if (const auto endpoints = dynconf::settings::from_environment().endpoints) options.endpoints = *endpoints;
    return options;
}

asio::awaitable<void> load(int n) {
    const auto executor = co_await asio::this_coro::executor;
    dynconf::client etcd(executor, from_environment());
    dynconf::bulk_options in_parts;
    in_parts.split = true;
    dynconf::bulk many(etcd, in_parts);

    std::vector<std::pair<std::string, std::string>> pairs;
    std::vector<std::string> keys;
    for (int i = 0; i < n; ++i) {
        keys.push_back("/bulk/" + std::to_string(i));
        pairs.emplace_back(keys.back(), "value " + std::to_string(i));
    }
    const dynconf::bulk_progress progress = [](std::size_t done, std::size_t of) { std::cout << done << " of " << of << std::endl; };
    const dynconf::bulk_response put = co_await many.put(pairs, {}, progress);
    std::cout << "put in " << put.parts.size() << " transactions, " << (put.complete() ? "all" : "not all") << std::endl;

    const dynconf::bulk_read_response read = co_await many.read(keys);
    std::size_t there = 0;
    for (const auto& item : read.items) there += item.has_value();
    std::cout << there << " there at one revision" << std::endl;

    const dynconf::bulk_response gone = co_await many.delete_keys(keys);
    for (const dynconf::bulk_part& part : gone.parts)
        if (part.state != dynconf::write_state::executed) std::cout << "not deleted: " << part.count << ", " << part.why.message() << std::endl;
    std::cout << (gone.complete() ? "deleted" : "some are left") << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    const int n = argc == 2 ? std::atoi(argv[1]) : 0;
    if (n <= 0) {
        std::cerr << "usage: bulk N\n";
        return 2;
    }
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, load(n), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "bulk: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
