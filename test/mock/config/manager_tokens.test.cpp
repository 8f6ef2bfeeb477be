// Every completion token with every operation: it compiles, completes with what the token expects, where it expects it,
// and never within the call.

#include "mock/config/manager_fixture.hpp"
#include "support/io_threads.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <thread>
#include <tuple>
#include <type_traits>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

namespace {

error_code code_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const exception& e) {
        return e.code();
    } catch (...) {
        return asio::error::fault;
    }
}

}  // namespace

TEST_CASE("the default token gives values and throws dynconf::exception", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.strict());
        static_assert(std::is_same_v<decltype(cfg.start()), asio::awaitable<start_report>>);
        static_assert(std::is_same_v<decltype(cfg.get_all_configs()), asio::awaitable<snapshot>>);
        static_assert(std::is_same_v<decltype(cfg.changed_since(0)), asio::awaitable<snapshot>>);
        static_assert(std::is_same_v<decltype(cfg.stop()), asio::awaitable<void>>);
        std::exception_ptr thrown;
        try {
            f.src->push(interrupted(server_errc::auth_failed, "the words of the server"));
            (void)co_await cfg.start();
        } catch (...) {
            thrown = std::current_exception();
        }
        REQUIRE(thrown);
        CHECK(code_of(thrown) == server_errc::auth_failed);
        CHECK(to_error(thrown).message().find("the words of the server") != std::string::npos);
        thrown = {};
        try {
            (void)co_await cfg.changed_since(0);
        } catch (...) {
            thrown = std::current_exception();
        }
        REQUIRE(thrown);
        CHECK(code_of(thrown) == errc::not_running);

        f.goes_live();
        const start_report r = co_await cfg.start();
        CHECK(r.ok());
        const snapshot now = co_await cfg.get_all_configs();
        const snapshot since = co_await cfg.changed_since(0);
        CHECK(now == since);
        co_await cfg.stop();
    });
}

TEST_CASE("as_tuple, redirect_error and deferred", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        error_code ec;
        const auto redirected = [&] { return asio::redirect_error(asio::use_awaitable, ec); };
        const auto deferred_tuple = asio::as_tuple(asio::deferred);

        (void)co_await cfg.get_all_configs(redirected());
        CHECK(ec == errc::not_running);
        ec = {};
        (void)co_await cfg.changed_since(0, redirected());
        CHECK(ec == errc::not_running);
        {
            auto [e, s] = co_await cfg.get_all_configs(deferred_tuple);
            CHECK(e == errc::not_running);
            auto [e2, s2] = co_await cfg.changed_since(0, deferred_tuple);
            CHECK(e2 == errc::not_running);
        }

        f.goes_live();
        const start_report r = co_await cfg.start(redirected());
        CHECK_FALSE(ec);
        CHECK(r.revision == 3);
        const snapshot got = co_await cfg.get_all_configs(redirected());
        CHECK(got.revision() == 3);
        const snapshot since = co_await cfg.changed_since(0, redirected());
        CHECK(since.revision() == 3);
        co_await cfg.stop(redirected());
        CHECK_FALSE(ec);

        f.goes_live(4);
        {
            auto [e, report] = co_await cfg.start(deferred_tuple);
            CHECK_FALSE(e);
            CHECK(report.revision == 4);
            auto [e2, s] = co_await cfg.get_all_configs(deferred_tuple);
            CHECK(s.revision() == 4);
            auto [e3, s3] = co_await cfg.changed_since(0, deferred_tuple);
            CHECK(s3.revision() == 4);
            auto [e4] = co_await cfg.stop(deferred_tuple);
            CHECK_FALSE(e4);
        }

        // a deferred operation starts when it is called, not when it is made
        auto later = cfg.start(asio::deferred);
        co_await settle();
        CHECK(cfg.status().state == config_state::stopped);
        f.goes_live(5);
        std::optional<error_code> started;
        std::move(later)([&](error_code e, const start_report&) { started = e; });
        CHECK_FALSE(started);
        co_await until([&] { return started.has_value(); });
        CHECK_FALSE(*started);
        auto [e] = co_await cfg.stop(as_values);
        CHECK_FALSE(e);
    });
}

TEST_CASE("futures, from a thread that runs no context", "[manager]") {
    fixture f;
    io_threads io(1);
    {
        config_manager cfg(io.get_executor(), app_schema(), f.src, f.options());
        CHECK_THROWS_AS(cfg.get_all_configs(asio::use_future).get(), boost::system::system_error);
        f.goes_live();
        const start_report r = cfg.start(asio::use_future).get();
        CHECK(r.ok());
        CHECK(cfg.get_all_configs(asio::use_future).get().revision() == 3);
        auto news = cfg.changed_since(3, asio::use_future);
        CHECK(news.wait_for(0s) == std::future_status::timeout);
        f.src->push(changed(4, {{"/app/Port", "1"}}));
        CHECK(news.get().revision() == 4);
        auto abandoned = cfg.changed_since(4, asio::use_future);
        cfg.stop(asio::use_future).get();
        try {
            (void)abandoned.get();
            FAIL("it should have failed");
        } catch (const boost::system::system_error& e) {
            CHECK(e.code() == errc::not_running);
        }
    }
}

TEST_CASE("callbacks run on their own executor, and never within the call", "[manager]") {
    fixture f;
    io_threads io(1);
    asio::thread_pool other(1);
    std::promise<std::thread::id> told;
    asio::post(other, [&] { told.set_value(std::this_thread::get_id()); });
    const std::thread::id other_thread = told.get_future().get();
    {
        config_manager cfg(io.get_executor(), app_schema(), f.src, f.options());
        const auto there = [&](auto callback) { return asio::bind_executor(other, std::move(callback)); };
        const auto ask = [&](auto initiate) {
            std::promise<std::tuple<error_code, std::thread::id>> done;
            auto result = done.get_future();
            initiate(there([&](error_code ec, auto&&...) { done.set_value({ec, std::this_thread::get_id()}); }));
            const auto [ec, thread] = result.get();
            CHECK(thread == other_thread);
            return ec;
        };
        CHECK(ask([&](auto h) { cfg.get_all_configs(std::move(h)); }) == errc::not_running);
        CHECK(ask([&](auto h) { cfg.changed_since(0, std::move(h)); }) == errc::not_running);
        CHECK_FALSE(ask([&](auto h) { cfg.stop(std::move(h)); }));
        f.goes_live();
        CHECK_FALSE(ask([&](auto h) { cfg.start(std::move(h)); }));
        CHECK(ask([&](auto h) { cfg.start(std::move(h)); }) == errc::already_running);
        CHECK_FALSE(ask([&](auto h) { cfg.get_all_configs(std::move(h)); }));
        CHECK_FALSE(ask([&](auto h) { cfg.changed_since(0, std::move(h)); }));
        CHECK_FALSE(ask([&](auto h) { cfg.stop(std::move(h)); }));

        // on the executor that would run them at once, and on the manager's own strand, within a callback
        for (const bool running : {false, true}) {
            if (running) {
                f.goes_live();
                cfg.start(asio::use_future).get();
            }
            std::promise<void> all;
            int left = 3;
            asio::post(io.get_executor(), [&] {
                const auto on_io = [&](auto callback) {
                    return asio::bind_executor(io.get_executor(), std::move(callback));
                };
                const auto returned = std::make_shared<bool>(false);
                const auto done = [&, returned](error_code, auto&&...) {
                    CHECK(*returned);
                    if (--left == 0) all.set_value();
                };
                cfg.get_all_configs(on_io(done));
                cfg.changed_since(0, on_io(done));
                cfg.stop(on_io(done));
                *returned = true;
            });
            all.get_future().get();
        }
    }
    other.join();
}

TEST_CASE("a cancellation slot reaches every operation", "[manager]") {
    fixture f;
    test::run([&]() -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        config_manager cfg(ex, app_schema(), f.src, f.options());
        asio::cancellation_signal start_signal, get_signal, stop_signal;
        std::optional<error_code> started, got, stopped;

        cfg.start(asio::bind_cancellation_slot(
            start_signal.slot(), [&](error_code ec, const start_report&) { started = ec; }));
        cfg.get_all_configs(
            asio::bind_cancellation_slot(get_signal.slot(), [&](error_code ec, const snapshot&) { got = ec; }));
        co_await until([&] { return f.src->drained(); });
        get_signal.emit(asio::cancellation_type::total);
        co_await until([&] { return got.has_value(); });
        CHECK(*got == asio::error::operation_aborted);
        CHECK_FALSE(started);
        start_signal.emit(asio::cancellation_type::total);   // does not reach it: it has an effect
        co_await settle();
        CHECK_FALSE(started);
        start_signal.emit(asio::cancellation_type::terminal);
        co_await until([&] { return started.has_value(); });
        CHECK(*started == asio::error::operation_aborted);
        CHECK(cfg.status().state == config_state::stopped);
        CHECK(f.src->closed() == 1);

        // cancelled before it began
        started.reset();
        cfg.start(asio::bind_cancellation_slot(
            start_signal.slot(), [&](error_code ec, const start_report&) { started = ec; }));
        start_signal.emit(asio::cancellation_type::terminal);
        co_await until([&] { return started.has_value(); });
        CHECK(*started == asio::error::operation_aborted);
        CHECK(cfg.status().state == config_state::stopped);

        // stop() ends whatever becomes of the one who asked
        f.goes_live();
        co_await cfg.start();
        cfg.stop(asio::bind_cancellation_slot(stop_signal.slot(), [&](error_code ec) { stopped = ec; }));
        stop_signal.emit(asio::cancellation_type::terminal);
        co_await until([&] { return stopped.has_value(); });
        CHECK_FALSE(*stopped);
        CHECK(cfg.status().state == config_state::stopped);

        // after the end a signal finds nothing
        start_signal.emit(asio::cancellation_type::terminal);
        stop_signal.emit(asio::cancellation_type::terminal);
        co_await settle();
    });
}
