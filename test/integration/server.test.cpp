// What is left on the server, as it tells itself: a watch that nobody reads costs it memory for as long as it lives.

#include "integration/scene.hpp"
#include "support/io_threads.hpp"
#include "support/relay.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>

using namespace dynconf;
using namespace dynconf::test;

namespace {

/// Watches at the member, and the streams that carry them.
struct load {
    double watches = 0, streams = 0;
    friend bool operator==(const load&, const load&) = default;
};

load of(const etcd_process& etcd) {
    return {etcd.metric("etcd_debugging_mvcc_watcher_total"), etcd.metric("etcd_debugging_mvcc_watch_stream_total")};
}

bool nothing_left(const etcd_process& etcd) {
    const bool gone = becomes_true([&] { return of(etcd) == load{}; });
    const load left = of(etcd);
    if (!gone) WARN("left: " << left.watches << " watches on " << left.streams << " streams");
    return gone;
}

/// Steps of a mirror until told otherwise, on threads of its own.
asio::awaitable<void> follow(mirror content) {
    for (;;) (void)co_await content.next();
}
asio::awaitable<void> follow(watcher news) {
    for (;;) (void)co_await news.next();
}

settings at(std::string endpoint) {
    settings s;
    s.endpoints = strings(1, std::move(endpoint));
    return s;
}

manager_options quick() {
    manager_options o;
    o.client.backoff.first = 20ms;
    o.client.backoff.most = 200ms;
    return o;
}

}  // namespace

TEST_CASE("server: a watch that is cancelled or destroyed is gone there", "[server]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin(etcd).put("/app/k", "v");
    const auto has_watches = [&](double n) { return becomes_true([&] { return of(etcd).watches >= n; }); };
    SECTION("a cancelled next(), the client destroyed") {
        asio::cancellation_signal mirror_stop, watcher_stop;   // until the threads have ended: the coroutines hold their slots
        io_threads io(1);
        {
            client c(io.get_executor(), hasty(etcd));
            asio::co_spawn(io.get_executor(), follow(mirror(c, key_range::prefix("/app/"))),
                asio::bind_cancellation_slot(mirror_stop.slot(), [](std::exception_ptr) {}));
            asio::co_spawn(io.get_executor(), follow(watcher(c, key_range::prefix("/other/"))),
                asio::bind_cancellation_slot(watcher_stop.slot(), [](std::exception_ptr) {}));
        }
        REQUIRE(has_watches(1));
        asio::post(io.get_executor(), asio::use_future([&] {
            mirror_stop.emit(asio::cancellation_type::terminal);
            watcher_stop.emit(asio::cancellation_type::terminal);
        })).get();
        CHECK(nothing_left(etcd));
    }
    SECTION("stop() of managers") {
        io_threads io(2);
        std::deque<config_manager> all;
        for (int i = 0; i < 5; ++i) {
            all.emplace_back(
                io.get_executor(), std::make_shared<const prefix_schema>("/app"), at(etcd.endpoint()), quick());
            CHECK(all.back().start(asio::use_future).get().ok());
        }
        REQUIRE(has_watches(1));
        for (config_manager& cfg : all) cfg.stop(asio::use_future).get();
        CHECK(nothing_left(etcd));
    }
    SECTION("managers destroyed while they follow") {
        io_threads io(2);
        {
            std::deque<config_manager> all;
            for (int i = 0; i < 5; ++i) {
                all.emplace_back(
                    io.get_executor(), std::make_shared<const prefix_schema>("/app"), at(etcd.endpoint()), quick());
                all.back().start(asio::use_future).get();
            }
            REQUIRE(has_watches(1));
        }
        CHECK(nothing_left(etcd));
    }
    SECTION("the io_context destroyed with everything under way") {
        {
            asio::io_context io;
            client c(io.get_executor(), hasty(etcd));
            asio::co_spawn(io, follow(mirror(c, key_range::prefix("/app/"))), asio::detached);
            CHECK(becomes_true([&] {
                io.run_for(10ms);
                return of(etcd).watches >= 1;
            }));
        }
        CHECK(nothing_left(etcd));
    }
}

TEST_CASE("server: of a wire that breaks again and again one watch is left, and none after stop()", "[server]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.put("/app/k", "0");
    relay wire(etcd.port());
    io_threads io(1);
    config_manager cfg(
        io.get_executor(), std::make_shared<const prefix_schema>("/app"), at(wire.endpoint()), quick());
    REQUIRE(cfg.start(asio::use_future).get().ok());
    const auto follows = [&](const std::string& value) {
        return becomes_true([&] {
            return cfg.status().state == config_state::live && cfg.current().get_or("k", "") == value;
        });
    };
    for (int round = 1; round <= 5; ++round) {
        if (round % 2) wire.cut(relay::reach::open);
        else wire.cut_after(relay::way::answer, static_cast<std::size_t>(50 * round)), wire.cut(relay::reach::open);
        CHECK(becomes_true([&] { return cfg.status().interruptions >= static_cast<unsigned>(round); }));
        wire.mend();
        const std::string value = std::to_string(round);
        admin.put("/app/k", value);
        CHECK(follows(value));
        CHECK(becomes_true([&] { return of(etcd) == load{1, 1}; }));
    }
    cfg.stop(asio::use_future).get();
    CHECK(nothing_left(etcd));
}
