// Holds a lock, or leads, and writes under its guard until it is told of the loss; what it does it says on its output, a line
// each. A program of its own, so that the whole process can be stopped.
//
//   holder ENDPOINT lock|election NAME TTL_MS KEY

#include <dynconf/client.hpp>
#include <dynconf/election.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/lock.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace dynconf;
namespace asio = boost::asio;

namespace {

void say(const std::string& line) { std::cout << line << std::endl; }

asio::awaitable<bool> write(kv store, claim mine, std::string key, std::string value) {
    const txn guarded = txn().if_(mine).then(op::put(key, value));
    const txn_response done = co_await store.commit(guarded);
    co_return done.succeeded;
}

asio::awaitable<void> work(kv store, claim mine, std::string key) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer pause(executor);
    for (;;) {
        const bool done = co_await write(store, mine, key, "of the first");
        say(done ? "wrote" : "refused");
        pause.expires_after(std::chrono::milliseconds(10));
        co_await pause.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> hold(kv store, claim mine, std::string key) {
    say("held " + std::to_string(mine.token()));
    std::string cause;
    try {
        co_await mine.protect(work(store, mine, key));
    } catch (const exception& e) {
        cause = e.what();
    }
    say("lost " + cause);
    say(mine.valid() ? "valid" : "not valid");
    const bool done = co_await write(store, mine, key, "too late");
    say(done ? "late: wrote" : "late: refused");
}

asio::awaitable<void> run(client etcd, std::string what, std::string name, std::chrono::milliseconds ttl, std::string key) {
    kv store(etcd);
    claim_options options;
    options.ttl = ttl;
    std::string left = "left";
    if (what == "lock") {
        mutex m(etcd, name, options);
        held_lock mine = co_await m.lock();
        co_await hold(store, mine, key);
        try {
            co_await mine.unlock();
        } catch (const exception&) {
            left = "lost before";
        }
    } else {
        election e(etcd, name, options);
        leadership mine = co_await e.campaign("of the first");
        co_await hold(store, mine, key);
        try {
            co_await mine.resign();
        } catch (const exception&) {
            left = "lost before";
        }
    }
    say(left);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    asio::io_context io;
    client_options options;
    options.endpoints = {argv[1]};
    int status = 1;
    asio::co_spawn(io, run(client(io.get_executor(), options), argv[2], argv[3], std::chrono::milliseconds(std::stoi(argv[4])), argv[5]),
        [&](std::exception_ptr e) {
            try {
                if (e) std::rethrow_exception(e);
                status = 0;
            } catch (const std::exception& why) {
                say(std::string("failed: ") + why.what());
            }
        });
    io.run();
    return status;
}
