// Several threads run the context, read, subscribe and cancel, while the manager's strand goes on: for the thread
// sanitizer as much as for the checks.

#include "mock/config/manager_fixture.hpp"
#include "support/io_threads.hpp"

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

namespace {

constexpr int keys = 8;

std::vector<test::pair> all_at(int n) {
    std::vector<test::pair> all;
    for (int k = 0; k < keys; ++k) all.push_back({"/app/k" + std::to_string(k), std::to_string(n)});
    return all;
}

/// The one number that all keys have; nothing when they disagree.
std::optional<int> agreed(const snapshot& s) {
    std::optional<int> first;
    for (int k = 0; k < keys; ++k) {
        const auto n = s.get<int>("k" + std::to_string(k));
        if (!n || (first && *first != *n)) return std::nullopt;
        first = *n;
    }
    return first;
}

}  // namespace

TEST_CASE("readers on many threads never see half a revision", "[manager][threads]") {
    fixture f;
    io_threads pool(3);
    config_manager cfg(pool.get_executor(), open_schema(), f.src, f.options());
    f.src->push(loaded(1, all_at(1)));
    f.src->push(connected());
    cfg.start(asio::use_future).get();

    constexpr int steps = 400;
    std::atomic<bool> done{false};
    std::atomic<int> torn{0}, backwards{0}, reads{0}, told{0};
    const subscription sub = cfg.subscribe([&](const snapshot& before, const snapshot& after) {
        const auto b = agreed(before), a = agreed(after);
        if (!a || !b) ++torn;
        else if (*a != *b + 1) ++backwards;
        ++told;
    });
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i)
        readers.emplace_back([&] {
            int last = 0;
            std::uint64_t serial = 0;
            while (!done) {
                const snapshot now = cfg.current();
                const auto n = agreed(now);
                if (!n) ++torn;
                else if (*n < last || now.serial() < serial) ++backwards;
                last = n.value_or(last);
                serial = now.serial();
                (void)cfg.status();
                ++reads;
            }
        });
    std::atomic<int> followers{0};
    for (int i = 0; i < 2; ++i) {
        ++followers;
        auto follow = [&]() -> asio::awaitable<void> {
            snapshot now = co_await cfg.get_all_configs();
            while (agreed(now) != steps) {
                now = co_await cfg.changed_since(now.revision());
                if (!agreed(now)) ++torn;
            }
        };
        asio::co_spawn(pool.get_executor(), std::move(follow), [&](std::exception_ptr e) {
            if (e) ++torn;
            --followers;
        });
    }
    for (int n = 2; n <= steps; ++n) {
        f.src->push(changed(n, all_at(n)));
        if (n % 16 == 0) std::this_thread::yield();
    }
    CHECK(becomes_true([&] { return f.src->drained() && followers == 0; }));
    done = true;
    for (std::thread& t : readers) t.join();
    CHECK(torn == 0);
    CHECK(backwards == 0);
    CHECK(told == steps - 1);
    CHECK(reads > 0);
    CHECK(agreed(cfg.current()) == steps);
    cfg.stop(asio::use_future).get();
}

TEST_CASE("no status tells of a proof or a store before the content is there", "[manager][threads]") {
    fixture f;
    io_threads pool(1);
    config_manager cfg(pool.get_executor(), open_schema(), f.src, f.options());
    constexpr int steps = 5'000;
    const auto at = [](int n) { return std::chrono::steady_clock::time_point(std::chrono::milliseconds(n)); };
    f.src->push(loaded(1, all_at(1), 1));
    f.src->push(connected());
    cfg.start(asio::use_future).get();
    std::atomic<bool> done{false};
    std::atomic<int> early{0};
    std::thread reader([&] {
        while (!done) {
            const dynconf::status s = cfg.status();
            if (s.as_of > at(static_cast<int>(s.revision)) || s.cluster_id != static_cast<std::uint64_t>(s.revision)) ++early;
            if (s.as_of > at(static_cast<int>(cfg.current().revision()))) ++early;
        }
    });
    for (int n = 2; n <= steps; ++n) {
        mirror_step s = changed(n, {{"/app/k0", std::to_string(n)}});
        s.as_of = at(n);
        s.cluster_id = static_cast<std::uint64_t>(n);
        f.src->push(std::move(s));
    }
    CHECK(becomes_true([&] { return f.src->drained(); }));
    done = true;
    reader.join();
    CHECK(early == 0);
    CHECK(cfg.status().as_of == at(steps));
    cfg.stop(asio::use_future).get();
}

TEST_CASE("subscriptions come and go on other threads", "[manager][threads]") {
    fixture f;
    io_threads pool(2);
    config_manager cfg(pool.get_executor(), open_schema(), f.src, f.options());
    f.src->push(loaded(1, all_at(1)));
    f.src->push(connected());
    cfg.start(asio::use_future).get();
    std::atomic<bool> done{false};
    std::thread writes([&] {
        for (int n = 2; !done; ++n) {
            f.src->push(changed(n, all_at(n)));
            while (f.src->left() > 10 && !done) std::this_thread::yield();
        }
    });
    std::atomic<int> calls{0};
    for (int round = 0; round < 300; ++round) {
        auto alive = std::make_shared<std::atomic<int>>(0);
        subscription a = cfg.subscribe([alive, &calls](const snapshot&, const snapshot&) { ++*alive, ++calls; });
        subscription b = cfg.subscribe("k0", [alive](const value&, const value&) { ++*alive; });
        if (round % 10 == 0) CHECK(becomes_true([&] { return *alive != 0; }));
        a.cancel();
        b.cancel();
        // At most the call under way still holds it.
        CHECK(becomes_true([&] { return alive.use_count() == 1; }));
    }
    done = true;
    writes.join();
    CHECK(calls > 0);
    cfg.stop(asio::use_future).get();
}

TEST_CASE("start, stop and waiters from many threads", "[manager][threads]") {
    fixture f;
    io_threads pool(3);
    config_manager cfg(pool.get_executor(), app_schema(), std::shared_ptr<source>(), f.options());
    std::atomic<int> outstanding{0}, odd{0};
    const auto count = [&](std::initializer_list<error_code> fine) {
        ++outstanding;
        return [&, fine = std::vector<error_code>(fine)](error_code ec, auto&&...) {
            if (std::find(fine.begin(), fine.end(), ec) == fine.end()) ++odd;
            --outstanding;
        };
    };
    std::vector<std::thread> callers;
    for (int t = 0; t < 3; ++t)
        callers.emplace_back([&] {
            for (int i = 0; i < 100; ++i) {
                cfg.start(count({error_code(), errc::already_running, errc::not_running}));
                cfg.get_all_configs(count({error_code(), errc::not_running}));
                cfg.changed_since(0, count({error_code(), errc::not_running}));
                cfg.stop(count({error_code()}));
            }
        });
    for (std::thread& t : callers) t.join();
    cfg.stop(asio::use_future).get();
    CHECK(becomes_true([&] { return outstanding == 0; }));
    CHECK(odd == 0);
    CHECK(cfg.status().state == config_state::stopped);
}

TEST_CASE("after stop completes no callback begins, whichever thread asked", "[manager][threads]") {
    fixture f;
    io_threads pool(3);
    for (int round = 0; round < 100; ++round) {
        config_manager cfg(pool.get_executor(), open_schema(), f.src, f.options());
        std::atomic<bool> stopped{false};
        std::atomic<int> late{0};
        const subscription a = cfg.subscribe([&](const snapshot&, const snapshot&) { late += stopped; });
        const subscription b = cfg.subscribe_status([&](const dynconf::status&) { late += stopped; });
        f.src->push(loaded(1, all_at(1)));
        f.src->push(connected());
        cfg.start(asio::use_future).get();
        for (int n = 2; n < 30; ++n) f.src->push(changed(n, all_at(n)));
        cfg.stop(asio::use_future).get();
        stopped = true;
        f.src->push(interrupted());
        CHECK(agreed(cfg.current()));
        CHECK(cfg.status().state == config_state::stopped);
        CHECK(late == 0);
        while (f.src->left() != 0) {   // the next round begins with an empty script
            config_manager eats(pool.get_executor(), open_schema(), f.src, f.options());
            eats.start(asio::use_future).get();
            eats.stop(asio::use_future).get();
        }
    }
}

TEST_CASE("managers are destroyed on one thread while they work on others", "[manager][threads]") {
    fixture f;
    io_threads pool(3);
    std::atomic<int> outstanding{0};
    std::vector<std::shared_ptr<scripted_source>> sources;
    for (int round = 0; round < 100; ++round) {
        const auto src = std::make_shared<scripted_source>();
        sources.push_back(src);
        config_manager cfg(pool.get_executor(), open_schema(), src, f.options());
        src->push(loaded(1, all_at(1)));
        src->push(connected());
        ++outstanding;
        cfg.start([&](error_code, const start_report&) { --outstanding; });
        ++outstanding;
        cfg.changed_since(1, [&](error_code, const snapshot&) { --outstanding; });
        if (round % 2) (void)becomes_true([&] { return cfg.status().state == config_state::live; });
        for (int n = 2; n < 10; ++n) src->push(changed(n, all_at(n)));
        if (round % 3 == 0) {
            ++outstanding;
            cfg.stop([&](error_code) { --outstanding; });
        }
    }
    CHECK(becomes_true([&] { return outstanding == 0; }));
    CHECK(becomes_true([&] {
        return std::all_of(sources.begin(), sources.end(), [](const auto& s) { return s->opened() == s->closed(); });
    }));
}
