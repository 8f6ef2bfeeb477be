#pragma once

#include "support/catch.hpp"
#include "support/scripted_source.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::test {

using namespace std::chrono_literals;

/// Runs a coroutine, and all that it leaves behind, to the end. What it throws is thrown here; waiting for something that
/// nobody will do, or going on past `limit`, fails the test.
template <class Body>
void run_to_the_end(Body body, std::chrono::steady_clock::duration limit = 20s) {
    asio::io_context io;
    bool done = false;
    std::exception_ptr thrown;
    asio::co_spawn(io, std::move(body), [&](std::exception_ptr e) {
        done = true;
        thrown = std::move(e);
    });
    io.run_for(limit);
    if (thrown) std::rethrow_exception(thrown);
    if (!done) throw std::runtime_error("the test did not end within its limit");
    if (!io.stopped()) throw std::runtime_error("the test left work behind that does not end");
}

/// Waits for what nobody announces; throws at the limit.
template <class Condition>
asio::awaitable<void> until(Condition met, std::chrono::steady_clock::duration limit = 5s) {
    const auto due = std::chrono::steady_clock::now() + limit;
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer pause(executor);
    while (!met()) {
        if (std::chrono::steady_clock::now() >= due) throw std::runtime_error("a condition did not come true in time");
        pause.expires_after(1ms);
        co_await pause.async_wait(asio::use_awaitable);
    }
}

/// Lets everything that is ready run: for what must not happen.
inline asio::awaitable<void> settle(int turns = 200) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (int i = 0; i < turns; ++i) co_await asio::post(executor, asio::use_awaitable);
}

inline const auto as_tuple = asio::as_tuple(asio::use_awaitable);

struct app_config {
    int port = 0;
    std::string host;
    std::string region;
};

inline std::shared_ptr<const schema> app_schema() {
    auto s = std::make_shared<declared_schema<app_config>>("/app");
    s->optional("port", &app_config::port, {.etcd = "Port", .env = "PORT"}, 80)
        .required("host", &app_config::host, {.etcd = "Host", .env = "HOST"})
        .optional("region", &app_config::region, {.etcd = "Region"}, "north");
    return s;
}

inline std::shared_ptr<const schema> open_schema() { return std::make_shared<const prefix_schema>("/app"); }

/// A manager on a scripted source, with a log.
struct fixture {
    std::shared_ptr<scripted_source> src = std::make_shared<scripted_source>();
    std::map<std::string, std::string> environment{{"HOST", "env-host"}, {"PORT", "5"}};

    manager_options options() {
        manager_options o;
        o.look_up = [this](const std::string& name) -> std::optional<std::string> {
            const auto at = environment.find(name);
            if (at == environment.end()) return std::nullopt;
            return at->second;
        };
        o.log = [this](const log_record& r) {
            const std::lock_guard lock(mutex_);
            log_.push_back(std::string(r.event) + ": " + r.text);
        };
        return o;
    }
    manager_options strict() {
        manager_options o = options();
        o.strict = true;
        return o;
    }
    /// What most tests begin with: etcd's content and a confirmed watch.
    void goes_live(revision_t revision = 3) {
        src->push(loaded(revision, {{"/app/Host", "db1"}, {"/app/Port", "81"}}));
        src->push(connected());
    }
    bool logged(std::string_view text) const {
        const std::lock_guard lock(mutex_);
        for (const std::string& line : log_)
            if (line.find(text) != std::string::npos) return true;
        return false;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> log_;
};

}  // namespace dynconf::test
