#include <dynconf/client.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/maintenance.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/watch.hpp>

#include "etcd/client_access.hpp"
#include "support/catch.hpp"
#include "support/fake_gateway.hpp"
#include "support/gateway_words.hpp"
#include "support/parallel.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <tuple>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

const char* const words = "etcdserver: permission denied";

/// Answers every operation, or refuses each, or says nothing at all.
struct server {
    enum class mood { answers, refuses, silent };

    explicit server(mood m) {
        const auto say = [m](gateway_answer good) {
            return [m, good = std::move(good)](const gateway_request&) {
                if (m == mood::silent) return silence();
                return m == mood::answers ? good : json(fault(7, words), 403);
            };
        };
        gateway.on("/v3/kv/range", say(json(range_body(5, {pair("k", "v", 5)}))));
        gateway.on("/v3/kv/put", say(json("{" + header(6) + "}")));
        gateway.on("/v3/maintenance/status", say(json("{" + header(5) + ",\"version\":\"3.5.9\"}")));
        gateway.on("/v3/watch", [say](const gateway_request& r) {
            const auto lines = each_watch(r, [](std::size_t id) {
                return std::vector<std::string>{created(5, some_cluster, id), news(6, {put_event("k", "w", 6)}, id)};
            });
            return say(stream(lines, then::hold))(r);
        });
    }
    client_options options() const { return options_for({gateway.url()}); }
    std::size_t requests() const {
        std::size_t n = 0;
        for (const char* path : {"/v3/kv/range", "/v3/kv/put", "/v3/maintenance/status", "/v3/watch"}) n += gateway.count(path);
        return n;
    }

    fake_gateway gateway;
};

/// Each kind of operation the same way: start it with a token, and look at what came.
struct range_op {
    using value = range_response;
    static constexpr const char* name = "range";
    static constexpr bool takes_total = true;
    static constexpr bool fails_by_refusal = true;
    explicit range_op(const client& c) : store(c) {}
    template <class Token> auto start(Token&& token) { return store.range(key_range::key("k"), {}, std::forward<Token>(token)); }
    auto start() { return store.range(key_range::key("k")); }
    static bool good(const value& v) { return v.kvs.size() == 1 && v.header.revision == 5; }
    kv store;
};

struct put_op {
    using value = put_response;
    static constexpr const char* name = "put";
    static constexpr bool takes_total = false;
    static constexpr bool fails_by_refusal = true;
    explicit put_op(const client& c) : store(c) {}
    template <class Token> auto start(Token&& token) { return store.put("k", "v", {}, std::forward<Token>(token)); }
    auto start() { return store.put("k", "v"); }
    static bool good(const value& v) { return v.header.revision == 6; }
    kv store;
};

struct status_op {
    using value = status_response;
    static constexpr const char* name = "status";
    static constexpr bool takes_total = true;
    static constexpr bool fails_by_refusal = true;
    explicit status_op(const client& c) : admin(c) {}
    template <class Token> auto start(Token&& token) { return admin.status(std::forward<Token>(token)); }
    auto start() { return admin.status(); }
    static bool good(const value& v) { return v.version == "3.5.9"; }
    maintenance admin;
};

struct watch_op {
    using value = watch_batch;
    static constexpr const char* name = "watcher::next";
    static constexpr bool takes_total = true;
    static constexpr bool fails_by_refusal = true;
    explicit watch_op(const client& c) : news(c, key_range::key("k"), {.start_revision = 6}) {}
    template <class Token> auto start(Token&& token) { return news.next(std::forward<Token>(token)); }
    auto start() { return news.next(); }
    static bool good(const value& v) { return v.revision == 6 && v.events.size() == 1; }
    watcher news;
};

struct mirror_op {
    using value = mirror_step;
    static constexpr const char* name = "mirror::next";
    static constexpr bool takes_total = true;
    static constexpr bool fails_by_refusal = false;   // it reports a step
    explicit mirror_op(const client& c) : steps(c, key_range::key("k")) {}
    template <class Token> auto start(Token&& token) { return steps.next(std::forward<Token>(token)); }
    auto start() { return steps.next(); }
    static bool good(const value& v) { return v.what == mirror_step::kind::snapshot && v.revision == 5 && v.content.size() == 1; }
    mirror steps;
};

/// Until `done`, and then what is ready: a watch that is open would keep the io_context busy for good.
template <class Condition>
void run_until(asio::io_context& io, Condition done) {
    const auto limit = std::chrono::steady_clock::now() + 10s;
    while (!done() && std::chrono::steady_clock::now() < limit) io.run_one_for(10ms);
    io.poll();
}

/// Runs an io_context on a thread of its own.
struct background {
    background() : work(asio::make_work_guard(io)), thread([this] { io.run(); }) {}
    ~background() {
        work.reset();
        io.stop();
        thread.join();
    }
    asio::io_context io;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    std::thread thread;
};

}  // namespace

TEMPLATE_TEST_CASE("tokens: each way to await", "[tokens]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    const server up(server::mood::answers);
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client c(executor, up.options());
        {
            TestType op(c);
            auto got = co_await op.start();
            CHECK(TestType::good(got));
        }
        {
            TestType op(c);
            auto [ec, got] = co_await op.start(asio::as_tuple(asio::use_awaitable));
            CHECK_FALSE(ec);
            CHECK(TestType::good(got));
        }
        {
            TestType op(c);
            auto [ec, got] = co_await op.start(asio::as_tuple(asio::deferred));
            CHECK_FALSE(ec);
            CHECK(TestType::good(got));
        }
        {
            TestType op(c);
            auto got = co_await op.start(asio::use_awaitable);
            CHECK(TestType::good(got));
        }
        {
            TestType op(c);
            error_code ec = asio::error::eof;
            auto got = co_await op.start(asio::redirect_error(asio::use_awaitable, ec));
            CHECK_FALSE(ec);
            CHECK(TestType::good(got));
        }
        {
            // Nothing is asked before a deferred operation is started.
            TestType op(c);
            const std::size_t before = up.requests();
            auto later = op.start(asio::deferred);
            co_await asio::post(executor, asio::use_awaitable);
            CHECK(up.requests() == before);
            auto got = co_await std::move(later)(asio::use_awaitable);
            CHECK(TestType::good(got));
        }
    });
}

TEMPLATE_TEST_CASE("tokens: the default throws the server's words, the others give the code", "[tokens]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    const server up(server::mood::refuses);
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client c(executor, up.options());
        TestType op(c);
        if constexpr (TestType::fails_by_refusal) {
            std::string what;
            error_code code;
            try {
                co_await op.start();
            } catch (const exception& e) {
                what = e.what();
                code = e.code();
            }
            CHECK(what.find(words) != std::string::npos);
            CHECK(what.find(up.gateway.url()) != std::string::npos);
            CHECK(code == server_errc::permission_denied);

            auto [ec, nothing] = co_await op.start(asio::as_tuple(asio::deferred));
            CHECK(ec == server_errc::permission_denied);
            error_code redirected;
            co_await op.start(asio::redirect_error(asio::use_awaitable, redirected));
            CHECK(redirected == server_errc::permission_denied);
            error_code thrown;
            try {
                co_await op.start(asio::use_awaitable);
            } catch (const boost::system::system_error& e) {
                thrown = e.code();
            }
            CHECK(thrown == server_errc::permission_denied);
        } else {
            auto step = co_await op.start();
            CHECK(step.what == mirror_step::kind::interrupted);
            CHECK(step.cause.code == server_errc::permission_denied);
            CHECK(step.cause.message().find(words) != std::string::npos);
        }
    });
}

TEMPLATE_TEST_CASE("tokens: a future, from a thread that runs nothing", "[tokens]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    const server up(server::mood::answers);
    background runs;
    const client c(runs.io.get_executor(), up.options());
    TestType op(c);
    std::future<typename TestType::value> future = op.start(asio::use_future);
    REQUIRE(future.wait_for(10s) == std::future_status::ready);
    CHECK(TestType::good(future.get()));

    if constexpr (TestType::fails_by_refusal) {
        const server no(server::mood::refuses);
        const client other(runs.io.get_executor(), no.options());
        TestType refused(other);
        auto plain = refused.start(asio::use_future);
        REQUIRE(plain.wait_for(10s) == std::future_status::ready);
        CHECK_THROWS_AS(plain.get(), boost::system::system_error);
        auto detailed = refused.start(with_detail(asio::use_future));
        REQUIRE(detailed.wait_for(10s) == std::future_status::ready);
        CHECK_THROWS_AS(detailed.get(), exception);
    }
}

TEMPLATE_TEST_CASE("tokens: a callback comes once, never from inside the call", "[tokens]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    for (const server::mood mood : {server::mood::answers, server::mood::refuses}) {
        const server up(mood);
        asio::io_context io;
        const client c(io.get_executor(), up.options());
        TestType op(c);
        int called = 0;
        std::optional<typename TestType::value> got;
        bool inside = true;
        op.start([&](error_code, typename TestType::value v) {
            CHECK_FALSE(inside);
            ++called;
            got = std::move(v);
        });
        inside = false;
        CHECK(called == 0);
        run_until(io, [&] { return called > 0; });
        CHECK(called == 1);
        if (mood == server::mood::answers) CHECK(TestType::good(*got));
    }
}

TEMPLATE_TEST_CASE("tokens: also on the client's own strand the callback comes later", "[tokens]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    // Fails without waiting for anything, so that the whole operation is over before its first wait.
    client_options broken = options_for({"unix:///" + std::string(200, 'x')});
    asio::io_context io;
    const client c(io.get_executor(), broken);
    const auto strand = detail::client_access::core(c)->executor();
    TestType op(c);
    int called = 0;
    const auto start = [&](const std::function<void()>& after) {
        const auto inside = std::make_shared<bool>(true);
        op.start([&called, inside, after](error_code, const typename TestType::value&) {
            CHECK_FALSE(*inside);
            ++called;
            after();
        });
        *inside = false;
    };
    // The callback, bound to nothing, runs on that strand as well.
    asio::post(strand, [&] { start([&] { start([] {}); }); });
    run_until(io, [&] { return called > 1; });
    CHECK(called == 2);
}

TEMPLATE_TEST_CASE("tokens: a callback runs on the executor it is bound to", "[tokens]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    const server up(server::mood::answers);
    asio::io_context io;
    background other;
    const client c(io.get_executor(), up.options());
    {
        TestType op(c);
        bool done = false;
        const auto strand = asio::make_strand(io.get_executor());
        op.start(asio::bind_executor(strand, [&](error_code ec, const typename TestType::value&) {
            CHECK_FALSE(ec);
            CHECK(strand.running_in_this_thread());
            done = true;
        }));
        run_until(io, [&] { return done; });
        CHECK(done);
    }
    {
        TestType op(c);
        std::promise<std::thread::id> where;
        std::future<std::thread::id> ran = where.get_future();
        op.start(asio::bind_executor(other.io, [&](error_code, const typename TestType::value&) {
            where.set_value(std::this_thread::get_id());
        }));
        io.restart();
        run_until(io, [&] { return ran.wait_for(0s) == std::future_status::ready; });
        REQUIRE(ran.wait_for(10s) == std::future_status::ready);
        CHECK(ran.get() == other.thread.get_id());
    }
}

TEMPLATE_TEST_CASE("tokens: cancellation, as far as the operation takes it", "[tokens][cancel]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    const server up(server::mood::silent);
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::total}) {
        const bool taken = type == asio::cancellation_type::terminal || TestType::takes_total;
        client_options o = up.options();
        if (!taken) {
            o.request_timeout = 50ms;
            o.max_rounds = 1;
        }
        test::run([&]() -> asio::awaitable<void> {
            auto executor = co_await asio::this_coro::executor;
            const client c(executor, o);
            // Before anything happened, and with the request on its way.
            for (const bool at_once : {true, false}) {
                TestType op(c);
                asio::cancellation_signal signal;
                error_code how;
                int called = 0;
                const std::size_t before = up.requests();
                op.start(asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, const typename TestType::value&) {
                    how = ec;
                    ++called;
                }));
                if (!at_once) co_await until([&] { return up.requests() > before; });
                signal.emit(type);
                CHECK(called == 0);
                co_await until([&] { return called > 0; });
                CHECK(called == 1);
                if (taken) CHECK(how == asio::error::operation_aborted);
                else CHECK(how == errc::deadline_exceeded);
                signal.emit(type);   // too late, and harmless
            }
        });
    }
}

TEMPLATE_TEST_CASE("tokens: objects may go while their operations are under way", "[tokens]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    const server up(server::mood::answers);
    asio::io_context io;
    int called = 0;
    {
        const client c(io.get_executor(), up.options());
        TestType op(c);
        op.start([&](error_code ec, const typename TestType::value& v) {
            CHECK_FALSE(ec);
            CHECK(TestType::good(v));
            ++called;
        });
    }
    io.run_for(10s);
    CHECK(called == 1);
}

TEMPLATE_TEST_CASE("tokens: the io_context may go while operations are under way", "[tokens]", range_op, put_op, status_op, watch_op, mirror_op) {
    INFO(TestType::name);
    const auto held = std::make_shared<int>(1);
    for (const server::mood mood : {server::mood::silent, server::mood::answers}) {
        const server up(mood);
        for (int polls = 0; polls < 12; ++polls) {
            std::optional<asio::io_context> io(std::in_place);
            client_options o = up.options();
            if (polls % 2 == 0) o.auth = credentials{"svc", "x"};   // then it waits for its token
            {
                const client c(io->get_executor(), o);
                TestType op(c);
                op.start([held](error_code, const typename TestType::value&) {});
                TestType another(c);
                another.start(asio::as_tuple(asio::deferred))([held](const std::tuple<error_code, typename TestType::value>&) {});
                for (int i = 0; i < polls; ++i) io->run_one_for(20ms);
            }
            io.reset();
            CHECK(held.use_count() == 1);
        }
    }
}
