#pragma once

// What the tests against a real etcd have in common.

#include "support/catch.hpp"
#include "support/etcd_admin.hpp"
#include "support/etcd_process.hpp"
#include "support/figures.hpp"
#include "support/log_file.hpp"
#include "support/run.hpp"
#include "support/skip.hpp"

#include <dynconf/client.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/watch.hpp>

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::test {

/// Made for members that die and come back all the time.
inline client_options hasty(std::vector<std::string> endpoints) {
    client_options options;
    options.endpoints = std::move(endpoints);
    options.backoff.first = 20ms;
    options.backoff.most = 200ms;
    options.slow_retry = 200ms;
    options.log = log_file();
    return options;
}
inline client_options hasty(const etcd_process& etcd) { return hasty(std::vector<std::string>(1, etcd.endpoint())); }

inline credentials as_user(std::string name, std::string password) { return {std::move(name), std::move(password)}; }

/// What an operation answers or throws, as a value.
template <class T>
asio::awaitable<result<T>> outcome(asio::awaitable<T> operation) {
    try {
        T value = co_await std::move(operation);
        co_return value;
    } catch (const exception& e) {
        co_return error{e.code(), e.detail(), e.in_doubt()};
    }
}

/// Of an operation without a value; no code: it went well.
inline asio::awaitable<error> failure(asio::awaitable<void> operation) {
    try {
        co_await std::move(operation);
        co_return error{};
    } catch (const exception& e) {
        co_return error{e.code(), e.detail(), e.in_doubt()};
    }
}

/// The next step of that kind; others are passed over.
inline asio::awaitable<mirror_step> next_of(mirror& content, mirror_step::kind what) {
    for (;;) {
        mirror_step step = co_await content.next();
        if (step.what == what) co_return step;
    }
}

/// Steps up to an update or resync to `revision`: what they changed, in order.
inline asio::awaitable<std::vector<event>> changes_until(mirror& content, revision_t revision) {
    std::vector<event> all;
    for (;;) {
        mirror_step step = co_await content.next();
        all.insert(all.end(), step.events.begin(), step.events.end());
        if (!step.events.empty() && step.revision >= revision) co_return all;
    }
}

/// The events of whole batches up to `revision`.
inline asio::awaitable<std::vector<event>> events_until(watcher& news, revision_t revision) {
    std::vector<event> all;
    for (;;) {
        watch_batch batch = co_await news.next();
        all.insert(all.end(), batch.events.begin(), batch.events.end());
        if (batch.revision >= revision) co_return all;
    }
}

inline asio::awaitable<void> wait_for(std::chrono::milliseconds d) {
    asio::steady_timer timer(co_await asio::this_coro::executor, d);
    co_await timer.async_wait(asio::use_awaitable);
}

/// "put a=1 @5" and "delete a @6", to compare and to read in failures.
inline std::string shown(const event& e) {
    return (e.type == event::kind::put ? "put " + e.kv.key + "=" + e.kv.value : "delete " + e.kv.key) + " @"
        + std::to_string(e.kv.mod_revision);
}
inline std::vector<std::string> shown(const std::vector<event>& events) {
    std::vector<std::string> all;
    for (const event& e : events) all.push_back(shown(e));
    return all;
}

using strings = std::vector<std::string>;

}  // namespace dynconf::test

/// The rest of the test case runs once for each version at hand.
#define FOR_EACH_ETCD(binary)                                                                           \
    REQUIRE_ETCD();                                                                                     \
    const ::dynconf::test::etcd_binary binary = GENERATE(from_range(::dynconf::test::etcd_binaries())); \
    INFO(binary)
