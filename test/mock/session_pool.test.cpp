#include "mock/pool_scene.hpp"
#include "support/catch.hpp"
#include "support/fake_gateway.hpp"
#include "support/gateway_words.hpp"
#include "support/parallel.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <optional>

using namespace dynconf;
using namespace dynconf::transport;
using namespace std::chrono_literals;
using test::acquire;
using test::fake_gateway;
using test::until;

namespace {

using time_point = std::chrono::steady_clock::time_point;

time_point soon() { return std::chrono::steady_clock::now() + 5s; }

struct nothing final : response_sink {
    void on_head(unsigned s) override { status = s; }
    bool on_body(std::string_view) override { return true; }
    unsigned status = 0;
};

std::shared_ptr<session_pool> pool_for(asio::any_io_executor executor, const std::string& url, client_options options) {
    auto to = endpoint::parse(url);
    REQUIRE(to);
    return std::make_shared<session_pool>(executor, std::make_shared<socket_connector>(executor, options), *to, options);
}

client_options limited(std::size_t connections) {
    client_options o = test::options_for({});
    o.max_connections = connections;
    return o;
}

/// One whole exchange on the session of `lease`.
asio::awaitable<void> use(session_pool::lease& lease, const std::string& path = "/") {
    const std::string request = "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    nothing sink;
    auto sent = co_await lease->send(request, sink, unlimited);
    REQUIRE(sent);
    for (;;) {
        auto complete = co_await lease->read_some();
        REQUIRE(complete);
        if (*complete) co_return;
    }
}

/// What one caller of acquire() sees.
struct waiter {
    std::optional<result<session_pool::lease>> got;
    asio::cancellation_signal cancel;

    void start(const asio::any_io_executor& executor, const std::shared_ptr<session_pool>& pool, time_point due,
               std::function<void()> told = [] {}) {
        auto body = [this, pool, due, told]() -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            auto lease = co_await acquire(pool, due);
            got.emplace(std::move(lease));
            told();
        };
        asio::co_spawn(executor, std::move(body), asio::bind_cancellation_slot(cancel.slot(), asio::detached));
    }
};

}  // namespace

TEST_CASE("pool: a session that was used is used again, the last one first", "[pool]") {
    fake_gateway gateway;
    gateway.on("/", [](const auto&) { return test::json("{}"); });
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto pool = pool_for(executor, gateway.url(), limited(4));
        for (int i = 0; i < 3; ++i) {
            auto lease = co_await acquire(pool, soon());
            REQUIRE(lease);
            CHECK(pool->idle() == 0);
            co_await use(*lease);
        }
        CHECK(pool->idle() == 1);
        CHECK(gateway.connections() == 1);
        const http_session* second = nullptr;
        {
            auto a = co_await acquire(pool, soon());
            auto b = co_await acquire(pool, soon());
            REQUIRE(a);
            REQUIRE(b);
            co_await use(*a);
            co_await use(*b);
            second = &**a;   // given back last: members of a scope end in reverse order
        }
        CHECK(pool->idle() == 2);
        auto again = co_await acquire(pool, soon());
        REQUIRE(again);
        CHECK(&**again == second);
        CHECK(gateway.connections() == 2);
        pool->close_idle();
        CHECK(pool->idle() == 0);
    });
}

TEST_CASE("pool: the limit holds, and waiters come in order", "[pool]") {
    fake_gateway gateway;
    gateway.on("/", [](const auto&) { return test::json("{}"); });
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto pool = pool_for(executor, gateway.url(), limited(2));
        std::optional<result<session_pool::lease>> one(co_await acquire(pool, soon()));
        std::optional<result<session_pool::lease>> two(co_await acquire(pool, soon()));
        REQUIRE(one->has_value());
        REQUIRE(two->has_value());
        std::vector<int> order;
        waiter waiters[4];
        for (int i = 0; i < 4; ++i) waiters[i].start(executor, pool, soon(), [&order, i] { order.push_back(i); });
        co_await asio::post(executor, asio::use_awaitable);
        CHECK(order.empty());
        one.reset();
        co_await until([&] { return !order.empty(); });
        CHECK(order == std::vector<int>{0});
        for (int next = 1; next < 4; ++next) {
            waiters[next - 1].got.reset();
            co_await until([&] { return order.size() > static_cast<std::size_t>(next); });
        }
        CHECK(order == std::vector<int>{0, 1, 2, 3});
        CHECK(gateway.connections() <= 5);
    });
}

TEST_CASE("pool: a caller that comes late does not overtake one that was woken", "[pool]") {
    fake_gateway gateway;
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto pool = pool_for(executor, gateway.url(), limited(1));
        std::optional<result<session_pool::lease>> held(co_await acquire(pool, soon()));
        std::vector<int> order;
        waiter first, second, late;
        first.start(executor, pool, soon(), [&] { order.push_back(1); });
        second.start(executor, pool, soon(), [&] { order.push_back(2); });
        co_await asio::post(executor, asio::use_awaitable);
        held.reset();                                                        // wakes the first...
        late.start(executor, pool, soon(), [&] { order.push_back(3); });     // ...and this one comes in between
        for (waiter* w : {&first, &second, &late}) {
            co_await until([&] { return w->got.has_value(); });
            w->got.reset();
        }
        CHECK(order == std::vector<int>{1, 2, 3});
    });
}

TEST_CASE("pool: a waiter that gives up passes its wake-up on", "[pool]") {
    fake_gateway gateway;
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto pool = pool_for(executor, gateway.url(), limited(1));
        std::optional<result<session_pool::lease>> held(co_await acquire(pool, soon()));
        waiter first, second;
        first.start(executor, pool, soon());
        second.start(executor, pool, soon());
        co_await asio::post(executor, asio::use_awaitable);
        held.reset();                                               // wakes the first...
        first.cancel.emit(asio::cancellation_type::terminal);       // ...which does not want it any more
        co_await until([&] { return first.got && second.got; });
        REQUIRE_FALSE(first.got->has_value());
        CHECK(first.got->error().code == asio::error::operation_aborted);
        CHECK(second.got->has_value());
    });
}

TEST_CASE("pool: the wait for a place ends at its time", "[pool]") {
    fake_gateway gateway;
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto pool = pool_for(executor, gateway.url(), limited(1));
        auto held = co_await acquire(pool, soon());
        REQUIRE(held);
        auto late = co_await acquire(pool, std::chrono::steady_clock::now() + 5ms);
        REQUIRE_FALSE(late);
        CHECK(late.error().code == errc::deadline_exceeded);
    });
}

TEST_CASE("pool: an idle connection that the server closed is not used again", "[pool]") {
    fake_gateway gateway;
    gateway.on("/", [](const auto& r) {
        auto a = test::json("{}");
        if (r.number == 1) a.afterwards = test::gateway_answer::then::close;
        return a;
    });
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto pool = pool_for(executor, gateway.url(), limited(4));
        {
            auto lease = co_await acquire(pool, soon());
            REQUIRE(lease);
            co_await use(*lease);
            co_await until([&] { return gateway.open_connections() == 0; });
        }
        auto fresh = co_await acquire(pool, soon());
        REQUIRE(fresh);
        co_await use(*fresh);
        CHECK(gateway.connections() == 2);
    });
}

TEST_CASE("pool: bytes out of turn make an idle connection useless", "[pool]") {
    std::atomic<bool> returned{false};
    fake_gateway gateway;
    gateway.on("/", [&](const auto&) {
        auto a = test::json("{}");
        auto& late = a.steps.emplace_back();
        late.bytes = "HTTP/1.1 408 Request Timeout\r\n\r\n";
        late.until = [&] { return returned.load(); };
        a.afterwards = test::gateway_answer::then::hold;
        return a;
    });
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto pool = pool_for(executor, gateway.url(), limited(4));
        http_session* used = nullptr;
        {
            auto lease = co_await acquire(pool, soon());
            REQUIRE(lease);
            co_await use(*lease);
            used = &**lease;
        }
        CHECK(pool->idle() == 1);
        returned = true;
        co_await until([&] { return !used->reusable(); });
        auto fresh = co_await acquire(pool, soon());
        REQUIRE(fresh);
        CHECK(gateway.connections() >= 1);
        CHECK(pool->idle() == 0);
    });
}

TEST_CASE("pool: one that was idle too long is not used again", "[pool]") {
    fake_gateway gateway;
    gateway.on("/", [](const auto&) { return test::json("{}"); });
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = limited(4);
        options.idle_timeout = 0ms;
        const auto pool = pool_for(executor, gateway.url(), options);
        for (int i = 0; i < 2; ++i) {
            auto lease = co_await acquire(pool, soon());
            REQUIRE(lease);
            co_await use(*lease);
        }
        CHECK(gateway.connections() == 2);
    });
}

TEST_CASE("pool: every way to fail gives the place back", "[pool]") {
    fake_gateway gateway;
    gateway.on("/hang_up", [](const auto&) { return test::hang_up(); });
    gateway.on("/", [](const auto&) { return test::json("{}"); });
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto nobody = pool_for(executor, test::refusing_url(), limited(1));
        for (int i = 0; i < 3; ++i) {
            auto refused = co_await acquire(nobody, soon());
            REQUIRE_FALSE(refused);
            CHECK(refused.error().code == asio::error::connection_refused);
        }
        // One waits while another fails to connect: it gets its turn.
        waiter a, b;
        a.start(executor, nobody, soon());
        b.start(executor, nobody, soon());
        co_await until([&] { return a.got && b.got; });
        CHECK(b.got->error().code == asio::error::connection_refused);

        const auto pool = pool_for(executor, gateway.url(), limited(1));
        for (int i = 0; i < 3; ++i) {
            auto lease = co_await acquire(pool, soon());
            REQUIRE(lease);
            const std::string request = "POST /hang_up HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
            nothing sink;
            auto sent = co_await (*lease)->send(request, sink, unlimited);
            REQUIRE(sent);
            auto complete = co_await (*lease)->read_some();
            REQUIRE_FALSE(complete);
            CHECK(complete.error().code == errc::connection_closed);
        }
        CHECK(pool->idle() == 0);
        for (int i = 0; i < 3; ++i) auto dropped_unused = co_await acquire(pool, soon());
        auto last = co_await acquire(pool, soon());
        REQUIRE(last);
        co_await use(*last);
    });
}

TEST_CASE("pool: a connect that hangs is over when the caller's time is", "[pool]") {
    asio::io_context other;
    asio::ip::tcp::acceptor silent(other, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));   // never accepts
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const std::string url = "https://127.0.0.1:" + std::to_string(silent.local_endpoint().port());
        const auto pool = pool_for(executor, url, limited(1));
        const auto begin = std::chrono::steady_clock::now();
        auto lease = co_await acquire(pool, begin + 20ms);   // the TLS handshake gets no answer
        REQUIRE_FALSE(lease);
        CHECK(lease.error().code == errc::deadline_exceeded);
        CHECK(std::chrono::steady_clock::now() - begin < 3s);
    });
}
