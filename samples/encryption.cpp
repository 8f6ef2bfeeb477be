// Values that etcd cannot read, and a change of their key while writers run: `encryption N` seals N counters, adds to them
// without a pause, brings all under a new key meanwhile, drops the old key, and counts that no write was lost. Set
// EtcdSettings__HostName.

#include <dynconf/dynconf.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

const dynconf::key_range everything = dynconf::key_range::prefix("/vault/");

std::string counter(int i) { return "/vault/" + std::to_string(10'000 + i); }

dynconf::client_options from_environment() {
    dynconf::client_options options;
    if (const auto endpoints = dynconf::settings::from_environment().endpoints) options.endpoints = *endpoints;
    return options;
}

struct work {
    bool stop = false;
    bool ended = false;
    std::int64_t added = 0;
};

/// A service that goes on all the time: reads a counter, adds one, writes it, as if it were alone and nothing were sealed.
asio::awaitable<void> add(dynconf::client sealed, int counters, std::shared_ptr<work> w) {
    for (int i = 0; !w->stop; i = (i + 7) % counters) {
        const auto one_more = [](const std::optional<dynconf::key_value>& was) -> std::optional<std::string> {
            return std::to_string(was ? std::stoll(was->value) + 1 : 1);
        };
        co_await dynconf::update(sealed, counter(i), one_more);
        ++w->added;
    }
}

asio::awaitable<void> show(int n) {
    const auto executor = co_await asio::this_coro::executor;
    dynconf::client etcd(executor, from_environment());
    // In earnest keys come from a file, a vault (dynconf::key_provider) or a passphrase.
    const dynconf::key_ring before("2026-01", dynconf::sealing_key::generate());
    const dynconf::sealing_key next = dynconf::sealing_key::generate();

    dynconf::kv safe(etcd.sealed(before));
    for (int i = 0; i < n; ++i) co_await safe.put(counter(i), "0");
    dynconf::kv store(etcd);
    const std::optional<dynconf::key_value> stored = co_await store.get(counter(0));
    std::cout << "sealed " << n << " values; etcd has " << stored->value.size() << " bytes for one, under "
              << dynconf::sealed_with(stored->value).value_or("nothing") << std::endl;

    // A sealed value belongs to its key: somebody who copies it elsewhere gains nothing.
    co_await store.put("/moved", stored->value);
    const auto moved = before.open("/moved", stored->value);
    std::cout << "moved to another key: " << moved.error().code.message() << std::endl;
    co_await store.delete_range(dynconf::key_range::key("/moved"));

    // Every process reads with the new key before any of them writes with it. This writer is still at the first step.
    const auto w = std::make_shared<work>();
    asio::co_spawn(executor, add(etcd.sealed(before.reading("2026-02", next)), n, w), [w](std::exception_ptr failed) {
        if (failed) std::cout << "writer: " << dynconf::to_error(failed).message() << std::endl;
        w->ended = true;
    });

    const dynconf::key_ring after = before.writing("2026-02", next);
    dynconf::rotation turning(etcd, after);
    dynconf::rotation_options how;
    how.dry_run = true;
    const dynconf::rotation_report plan = co_await turning.run(everything, how);
    std::cout << "dry run: " << plan.to_rewrite << " of " << plan.keys << " to rewrite" << std::endl;

    how.dry_run = false;
    how.per_second = 500;
    std::int64_t told = 0;
    const dynconf::rotation_progress progress = [&told](const dynconf::rotation_report& r) {
        if (r.rewritten == told) return;
        told = r.rewritten;
        std::cout << "rewritten " << told << ", pass " << r.passes << std::endl;
    };
    const std::int64_t added = w->added;
    const dynconf::rotation_report busy = co_await turning.run(everything, how, progress);
    std::cout << "rotated while " << (w->added > added ? "a writer was busy" : "nobody wrote") << ", unresolved " << busy.unresolved
              << std::endl;

    // Now nobody writes with the old key any more; what he has left is found, and nothing else touched.
    w->stop = true;
    while (!w->ended) {
        asio::steady_timer timer(executor, 10ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    how.per_second = 0;
    const dynconf::rotation_report last = co_await turning.run(everything, how);
    std::cout << (last.complete() ? "complete" : "not complete") << std::endl;

    const dynconf::key_ring only("2026-02", next);
    const dynconf::range_response all = co_await dynconf::kv(etcd.sealed(only)).range(everything);
    std::int64_t sum = 0;
    int readable = 0;
    for (const dynconf::key_value& kv : all.kvs) {
        if (kv.unreadable) continue;
        ++readable;
        sum += std::stoll(kv.value);
    }
    std::cout << "without 2026-01: " << readable << " of " << all.kvs.size() << " open; of " << w->added << " writes "
              << w->added - sum << " are lost" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    const int n = argc == 2 ? std::atoi(argv[1]) : 0;
    if (n <= 0) {
        std::cerr << "usage: encryption N\n";
        return 2;
    }
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, show(n), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "encryption: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
