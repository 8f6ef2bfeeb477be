#include "mock/watch_scene.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <stdexcept>

using namespace dynconf;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

/// Revision 5 at once, revision 9 when `go` says so.
gateway_answer in_two(const gateway_request& r, const std::atomic<bool>& go) {
    const std::vector<std::string> lines = history().lines(start_revision(r));
    gateway_answer a = stream({lines[0], lines[1]}, then::hold);
    auto& rest = a.steps.emplace_back();
    rest.bytes = chunk(lines[2]);
    rest.until = [&go] { return go.load(); };
    return a;
}

}  // namespace

TEST_CASE("watch: each() brings all, one batch at a time, on the caller's executor, until it is cancelled", "[watch][each]") {
    std::atomic<bool> go{false};
    fake_gateway gateway;
    gateway.on(watch_path, [&](const auto& r) { return in_two(r, go); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto mine = asio::make_strand(executor);
        watcher w(c, ours(), from(3));
        std::string seen;
        bool elsewhere = false, ended = false;
        asio::cancellation_signal enough;
        const auto apply = [&](watch_batch news) {
            elsewhere |= !mine.running_in_this_thread();
            seen += (seen.empty() ? "" : " ") + shown(news.events);
            go = true;
        };
        const auto stopped = [&](const error_code& why) {
            CHECK(why == asio::error::operation_aborted);
            elsewhere |= !mine.running_in_this_thread();
            ended = true;
        };
        w.each(apply, asio::bind_cancellation_slot(enough.slot(), asio::bind_executor(mine, stopped)));
        CHECK(seen.empty());
        co_await until([&] { return seen == history::all; });
        CHECK_FALSE(ended);
        enough.emit(asio::cancellation_type::total);
        co_await until([&] { return ended; });
        CHECK_FALSE(elsewhere);
    });
    CHECK(gateway.count(watch_path) == 1);
}

TEST_CASE("watch: each() that its own call cancels ends behind that, and what comes next is not lost", "[watch][each]") {
    std::atomic<bool> go{true};
    fake_gateway gateway;
    gateway.on(watch_path, [&](const auto& r) { return in_two(r, go); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours(), from(3));
        asio::cancellation_signal enough;
        std::vector<std::string> calls;
        bool ended = false;
        const auto only_one = [&](watch_batch news) {
            calls.push_back(shown(news.events));
            enough.emit(asio::cancellation_type::terminal);
        };
        w.each(only_one, asio::bind_cancellation_slot(enough.slot(), [&](const error_code&) { ended = true; }));
        co_await until([&] { return ended; });
        REQUIRE(calls.size() == 1);
        std::string seen = calls[0];
        while (seen != history::all) {
            REQUIRE(seen.size() < std::string(history::all).size());
            const std::string more = co_await next_of(w);
            seen += " " + more;
        }
        CHECK(calls.size() == 1);
    });
    CHECK(gateway.count(watch_path) == 1);
}

TEST_CASE("watch: each() ends with what its function throws", "[watch][each]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto& r) { return stream(history().lines(start_revision(r)), then::hold); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours(), from(3));
        const error known{errc::contended, "mine"};
        const auto fails = [&]() -> asio::awaitable<void> { co_await w.each([&](const watch_batch&) { throw exception(known); }); };
        const error told = co_await failure_of(fails);
        CHECK(told.code == known.code);
        CHECK(told.detail == known.detail);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours(), from(3));
        error_code code;
        co_await w.each([](const watch_batch&) { throw std::runtime_error("what"); }, asio::redirect_error(asio::use_awaitable, code));
        CHECK(code == to_error(std::make_exception_ptr(std::runtime_error("what"))).code);
    });
}

TEST_CASE("watch: each() ends with what ends next()", "[watch][each]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto&) { return stream({created(4), news(5, {put_event("/a/x", "1", 5)}), compacted_cancel(15)}, then::hold); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours());
        std::string seen;
        const auto all = [&]() -> asio::awaitable<void> { co_await w.each([&](const watch_batch& news) { seen += shown(news.events); }); };
        const error lost = co_await failure_of(all);
        CHECK(seen == "/a/x=1@5");
        CHECK(lost.code == errc::history_lost);
    });
}
