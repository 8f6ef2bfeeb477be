#include <dynconf/maintenance.hpp>
#include <dynconf/outcome_resolver.hpp>

#include "mock/call_scene.hpp"
#include "support/io_threads.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <future>
#include <optional>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;
using tcp = asio::ip::tcp;

namespace {

constexpr auto terminal = asio::cancellation_type::terminal;

std::string shown(write_state s) {
    return s == write_state::executed ? "executed" : s == write_state::unknown ? "unknown" : "not executed";
}

/// What a put through a client of its own comes to.
write_outcome<put_response> put_with(const client_options& options, const std::string& value = "value") {
    std::optional<write_outcome<put_response>> done;
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        auto ended = co_await store.put("key", value, {}, as_outcome);
        done = std::move(ended);
    });
    return *done;
}

/// Takes so many bytes of each connection and resets it.
class cutting_server {
public:
    explicit cutting_server(std::size_t bytes) : bytes_(bytes) {
        acceptor_.emplace(thread_.get_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        url_ = "http://127.0.0.1:" + std::to_string(acceptor_->local_endpoint().port());
        asio::co_spawn(thread_.get_executor(), serve(), asio::detached);
    }
    ~cutting_server() {
        asio::post(thread_.get_executor(), asio::use_future([this] { acceptor_->close(); })).get();
    }

    const std::string& url() const { return url_; }
    std::size_t connections() const { return connections_; }
    std::string seen() {
        return asio::post(thread_.get_executor(), asio::use_future([this] { return seen_; })).get();
    }

private:
    asio::awaitable<void> serve() {
        while (acceptor_->is_open()) {
            auto [ec, socket] = co_await acceptor_->async_accept(as_values);
            if (ec) continue;
            ++connections_;
            std::size_t left = bytes_;
            std::array<char, 4096> piece;
            while (left != 0) {
                auto [failed, n] = co_await socket.async_read_some(asio::buffer(piece.data(), std::min(left, piece.size())), as_values);
                if (failed) break;
                seen_.append(piece.data(), n);
                left -= n;
            }
            boost::system::error_code ignored;
            socket.set_option(asio::socket_base::linger(true, 0), ignored);
        }
        acceptor_.reset();
    }

    std::size_t bytes_;
    std::string url_;
    std::atomic<std::size_t> connections_{0};
    std::string seen_;
    std::optional<tcp::acceptor> acceptor_;   // as seen_, the thread's
    io_threads thread_{1};
};

std::string whole_answer() {
    const std::string body = "{" + header(6) + "}";
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("outcome: a request cut after each of its bytes is unknown, and not sent again", "[outcome]") {
    fake_gateway gateway;
    gateway.on(put_path, good_put);
    CHECK(put_with(options_for({gateway.url()})).executed());
    const gateway_request whole = gateway.requests(put_path).at(0);
    const std::size_t size = whole.head.size() + whole.body.size();
    REQUIRE(size > 150);
    for (std::size_t n = 0; n < size; ++n) {
        INFO("after " << n << " of " << size << " bytes");
        cutting_server server(n);
        const auto done = put_with(options_for({server.url()}));
        INFO(done.error().message());
        CHECK_FALSE(done.executed());
        CHECK(server.seen().size() <= size);   // the request, whole or in part, once
        if (n == 0) continue;                  // the reset may come before the first byte has left
        CHECK(shown(done.state()) == "unknown");
        CHECK(server.connections() == 1);
    }
}

TEST_CASE("outcome: a large request cut while it is being sent is unknown, and not sent again", "[outcome]") {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{300}, std::size_t{100'000}}) {
        INFO(bytes);
        cutting_server server(bytes);
        const auto done = put_with(options_for({server.url()}), std::string(std::size_t{16} << 20, 'x'));
        CHECK(shown(done.state()) == "unknown");
        CHECK(server.connections() == 1);
    }
}

TEST_CASE("outcome: an answer cut after each of its bytes is unknown, a whole one is executed", "[outcome]") {
    const std::string answer = whole_answer();
    for (const then end : {then::close, then::reset}) {
        for (std::size_t n = 0; n <= answer.size(); ++n) {
            INFO("after " << n << " of " << answer.size() << " bytes");
            fake_gateway gateway;
            gateway.on(put_path, [&](const auto&) { return raw(answer.substr(0, n), n == answer.size() ? then::next_request : end); });
            const auto done = put_with(options_for({gateway.url()}));
            INFO(done.error().message());
            CHECK(shown(done.state()) == (n == answer.size() ? "executed" : "unknown"));
            CHECK(gateway.count(put_path) == 1);
        }
    }
}

TEST_CASE("outcome: without a byte sent, or refused, it is not executed", "[outcome]") {
    CHECK(put_with(options_for({refusing_url()})).not_executed());
    CHECK(put_with(options_for({refusing_url(), refusing_url()})).not_executed());

    asio::io_context other;
    tcp::acceptor silent(other, tcp::endpoint(asio::ip::address_v4::loopback(), 0));   // no TLS there
    client_options o = options_for({"https://127.0.0.1:" + std::to_string(silent.local_endpoint().port())});
    o.total_timeout = 50ms;
    CHECK(put_with(o).not_executed());

    struct { const char* what; gateway_answer answer; write_state state; } const answers[] = {
        {"no key", json(fault(3, "etcdserver: key is not provided"), 400), write_state::not_executed},
        {"no permission", json(fault(7, "etcdserver: permission denied"), 403), write_state::not_executed},
        {"no leader", json(fault(14, "etcdserver: no leader"), 503), write_state::not_executed},
        {"no gateway", text("404 page not found\n", 404), write_state::not_executed},
        {"timed out", json(fault(14, "etcdserver: request timed out"), 503), write_state::unknown},
        {"a proxy", text("Bad Gateway", 502), write_state::unknown},
        {"not JSON", json("<html>"), write_state::unknown},
        {"too large", json("{" + header(6) + ",\"x\":\"" + std::string(5000, 'x') + "\"}"), write_state::unknown},
    };
    for (const auto& a : answers) {
        INFO(a.what);
        fake_gateway gateway;
        gateway.on(put_path, [&](const auto&) { return a.answer; });
        client_options options = options_for({gateway.url()});
        options.max_response_bytes = 4096;
        const auto done = put_with(options);
        CHECK(shown(done.state()) == shown(a.state));
        CHECK(done.error().code);
    }
}

TEST_CASE("outcome: a deadline is unknown once the request has left, and not executed before", "[outcome]") {
    fake_gateway gateway;
    gateway.on(put_path, [](const auto&) { return silence(); });
    client_options o = options_for({gateway.url()});
    o.request_timeout = 50ms;
    const auto late = put_with(o);
    CHECK(late.unknown());
    CHECK(late.error().code == errc::deadline_exceeded);

    o = with_user(o);
    o.total_timeout = 50ms;
    gateway.on(auth_path, [](const auto&) { return silence(); });
    const auto never = put_with(o);
    CHECK(never.not_executed());
    CHECK(never.error().code == errc::deadline_exceeded);
    CHECK(gateway.count(put_path) == 1);
}

TEST_CASE("outcome: a cancelled write is unknown once it has left, and not executed while it waits", "[outcome]") {
    fake_gateway gateway;
    gateway.on(put_path, [](const auto&) { return silence(); });
    client_options o = options_for({gateway.url()});
    o.max_connections = 1;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        asio::cancellation_signal stop_first, stop_second;
        std::optional<write_outcome<put_response>> first, second;
        const auto keep = [](auto& where) { return [&where](write_outcome<put_response> w) { where = std::move(w); }; };
        store.put("a", "1", {}, as_outcome(asio::bind_cancellation_slot(stop_first.slot(), keep(first))));
        co_await until([&] { return gateway.count(put_path) == 1; });
        store.put("b", "2", {}, as_outcome(asio::bind_cancellation_slot(stop_second.slot(), keep(second))));
        stop_second.emit(terminal);
        co_await until([&] { return second.has_value(); });
        CHECK(second->not_executed());
        CHECK(second->error().code == asio::error::operation_aborted);
        CHECK_FALSE(first);
        stop_first.emit(terminal);
        co_await until([&] { return first.has_value(); });
        CHECK(first->unknown());
        CHECK(first->error().code == asio::error::operation_aborted);
    });
    CHECK(gateway.count(put_path) == 1);
}

TEST_CASE("outcome: while a token is fetched for it, a cancelled write is not executed", "[outcome]") {
    fake_gateway gateway;
    gateway.on(auth_path, [](const auto&) { return silence(); });
    client_options o = with_user(options_for({gateway.url()}));
    o.request_timeout = 100ms;   // the login goes on without its caller
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        asio::cancellation_signal stop;
        std::optional<write_outcome<put_response>> done;
        store.put("a", "1", {}, as_outcome(asio::bind_cancellation_slot(stop.slot(), [&](write_outcome<put_response> w) { done = std::move(w); })));
        co_await until([&] { return gateway.count(auth_path) == 1; });
        stop.emit(terminal);
        co_await until([&] { return done.has_value(); });
        CHECK(done->not_executed());
        CHECK(done->error().code == asio::error::operation_aborted);
    });
    CHECK(gateway.count(put_path) == 0);
}

TEST_CASE("outcome: every write takes the token, with any token inside", "[outcome]") {
    fake_gateway gateway;
    gateway.on(put_path, good_put);
    gateway.on("/v3/kv/deleterange", [](const auto&) { return json("{" + header(7) + ",\"deleted\":\"2\"}"); });
    gateway.on("/v3/kv/txn", [](const auto&) {
        return json("{" + header(8) + R"(,"succeeded":true,"responses":[{"response_put":{}},{"response_txn":{"succeeded":true}}]})");
    });
    gateway.on("/v3/kv/compaction", [](const auto&) { return json("{" + header(8) + "}"); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        maintenance admin(c);
        outcome_resolver resolver(c);
        const key_range key = key_range::key("k");
        const marker mark("/markers/");
        const txn what = txn().then(op::put("k", "v"));
        const auto deleted = co_await store.delete_range(key, {}, as_outcome);
        CHECK(deleted.value().deleted == 2);
        const auto committed = co_await store.commit(what, as_outcome(asio::use_awaitable));
        CHECK(committed.value().responses.size() == 2);
        const auto compacted = co_await admin.compact(5, compact_options(), as_outcome);
        CHECK(compacted.executed());
        CHECK_NOTHROW(compacted.value());
        const auto marked = co_await resolver.commit(mark, what, as_outcome);
        CHECK(marked.value().header.revision == 8);
        const auto forgotten = co_await resolver.forget(mark, as_outcome);
        CHECK(forgotten.executed());
        int called = 0;
        store.put("k", "v", {}, as_outcome([&](write_outcome<put_response> w) { called += w.executed(); }));
        store.put("k", "v", {}, as_outcome(asio::deferred))([&](write_outcome<put_response> w) { called += w.executed(); });
        CHECK(called == 0);
        co_await until([&] { return called == 2; });
        auto promised = store.put("k", "v", {}, as_outcome(asio::use_future));
        co_await until([&] { return promised.wait_for(0s) == std::future_status::ready; });
        const auto kept = promised.get();
        CHECK(kept.executed());
    });
}

TEST_CASE("outcome: says its kind in one place, and gives no value that is none", "[outcome]") {
    const auto say = [](const write_outcome<put_response>& w) {
        return w.match([](const put_response& r) { return "executed at " + std::to_string(r.header.revision); },
                       [](const error&) { return std::string("not executed"); }, [](const error&) { return std::string("unknown"); });
    };
    put_response answer;
    answer.header.revision = 6;
    const write_outcome<put_response> done{result<put_response>(answer)};
    CHECK(say(done) == "executed at 6");
    CHECK_FALSE(done.error().code);
    const write_outcome<put_response> refused{result<put_response>(error{server_errc::no_space, "put", false})};
    CHECK(say(refused) == "not executed");
    CHECK_THROWS_AS(refused.value(), exception);
    const write_outcome<put_response> lost{result<put_response>(error{errc::connection_closed, "put", true})};
    CHECK(say(lost) == "unknown");
    try {
        lost.value();
        FAIL("has a value");
    } catch (const exception& e) {
        CHECK(e.in_doubt());
        CHECK(e.code() == errc::connection_closed);
    }
    const write_outcome<void> nothing{result<void>(error{errc::connection_closed, "compact", true})};
    CHECK(nothing.match([] { return 1; }, [](const error&) { return 2; }, [](const error&) { return 3; }) == 3);
}

TEST_CASE("outcome: an exception of a write in doubt says so with the default token", "[outcome]") {
    fake_gateway gateway;
    gateway.on(put_path, [](const auto&) { return hang_up(); });
    CHECK(failed_write(options_for({gateway.url()})).in_doubt);
    CHECK_FALSE(failed_write(options_for({refusing_url()})).in_doubt);
    gateway.on(range_path, [](const auto&) { return hang_up(); });
    CHECK_FALSE(failed_read(options_for({gateway.url()})).in_doubt);
}

TEST_CASE("resolver: an answer that makes no sense is an error, not an outcome", "[outcome]") {
    std::string body;
    fake_gateway gateway;
    gateway.on("/v3/kv/txn", [&](const auto&) { return json("{" + header(8) + body + "}"); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        outcome_resolver resolver(c);
        const marker mark = marker::known("/markers/1");
        for (const std::string& odd : {std::string(), std::string(R"(,"responses":[{"response_range":{}}])"),
                                       std::string(R"(,"responses":[{"response_put":{}}])"),
                                       ",\"responses\":[{\"response_range\":{\"kvs\":[" + pair("/markers/1", "what", 3) + "]}}]"}) {
            body = odd;
            INFO(body);
            const error e = co_await failure_of([&]() -> asio::awaitable<void> { co_await resolver.resolve(mark); });
            CHECK(e.code);
            CHECK_FALSE(e.in_doubt);
        }
    });
}
