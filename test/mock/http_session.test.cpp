#include "transport/http_session.hpp"

#include "support/capture.hpp"
#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/scripted_stream.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <string>

using namespace dynconf;
using namespace dynconf::transport;
using dynconf::test::scripted_stream;
using dynconf::test::stream_script;
using namespace std::chrono_literals;

namespace {

struct recorder final : response_sink {
    void on_head(unsigned s) override {
        if (!body.empty()) order_broken = true;
        ++heads;
        status = s;
    }
    bool on_body(std::string_view piece) override {
        if (heads == 0) order_broken = true;
        if (body.size() + piece.size() > take) return false;
        body += piece;
        return true;
    }

    std::size_t take = std::string::npos;   // more than that is no answer
    unsigned status = 0;
    unsigned heads = 0;
    bool order_broken = false;
    std::string body;
};

const std::string ask = "POST /v3/kv/range HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";

std::string answer(const std::string& body, const std::string& first = "200 OK") {
    return "HTTP/1.1 " + first + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
const std::string chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Trailer-Content-Type\r\n\r\n"
    "3\r\nabc\r\n1\r\n\n\r\nA;extension=1\r\n0123456789\r\n0\r\nGrpc-Trailer-Content-Type: application/grpc\r\n\r\n";
const std::string chunked_body = "abc\n0123456789";

/// The whole of an exchange, as the client core does it.
asio::awaitable<result<void>> exchange(http_session& http, response_sink& sink, std::size_t limit = unlimited) {
    result<void> sent = co_await http.send(ask, sink, limit);
    if (!sent) co_return sent;
    for (;;) {
        result<bool> complete = co_await http.read_some();
        if (!complete) co_return complete.error();
        if (*complete) co_return result<void>();
    }
}

struct outcome {
    std::optional<error> failed;
    bool reusable = false;
    bool request_left = false;
    recorder got;
    std::shared_ptr<stream_script> script;

    error_code code() const { return failed ? failed->code : error_code(); }
};

/// One exchange on a fresh stream.
outcome once(stream_script script, std::size_t limit = unlimited, std::size_t take = std::string::npos,
             std::chrono::milliseconds deadline = 0ms) {
    outcome out;
    out.script = std::make_shared<stream_script>(std::move(script));
    out.got.take = take;
    dynconf::test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        http_session http(std::make_unique<scripted_stream>(executor, out.script), executor);
        if (deadline.count() > 0) http.expires_at(std::chrono::steady_clock::now() + deadline);
        auto done = co_await exchange(http, out.got, limit);
        http.no_deadline();
        if (!done) out.failed = done.error();
        out.reusable = http.reusable();
        out.request_left = http.request_left();
    });
    CHECK_FALSE(out.got.order_broken);
    CHECK(out.got.heads <= 1);
    CHECK(out.script->destroyed);
    if (out.failed) CHECK_FALSE(out.reusable);
    return out;
}

outcome once(std::string bytes) {
    stream_script s;
    s.answer = std::move(bytes);
    s.after = stream_script::end::silence;   // kept alive
    return once(std::move(s));
}

}  // namespace

TEST_CASE("http: answers of every framing, in pieces of every size", "[http]") {
    struct { std::string bytes; unsigned status; std::string body; } const answers[] = {
        {answer("{\"a\":1}"), 200, "{\"a\":1}"},
        {answer(""), 200, ""},
        {answer("404 page not found\n", "404 Not Found"), 404, "404 page not found\n"},
        {answer("{}", "503 Service Unavailable"), 503, "{}"},
        {answer("{}", "499 "), 499, "{}"},
        {answer(std::string(100'000, 'x')), 200, std::string(100'000, 'x')},
        {chunked, 200, chunked_body},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, ""},
    };
    for (const auto& a : answers) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{64}, std::size_t{4096}, std::string::npos}) {
            if (piece == 1 && a.bytes.size() > 10'000) continue;
            INFO(a.bytes.substr(0, 40) << " in pieces of " << piece);
            stream_script s;
            s.answer = a.bytes;
            s.piece = piece;
            s.after = stream_script::end::silence;
            const outcome out = once(s);
            CHECK_FALSE(out.failed);
            CHECK(out.got.status == a.status);
            CHECK(out.got.heads == 1);
            CHECK(out.got.body == a.body);
            CHECK(out.reusable);
            CHECK(out.script->written == ask);
        }
    }
}

TEST_CASE("http: recorded answers of real gateways come through as they are", "[http]") {
    std::size_t complete = 0;
    for (const ::test::capture& c : ::test::all_captures()) {
        INFO(c.folder << "/" << c.name);
        stream_script s;
        s.answer = ::test::read_file(::test::data_folder() / "captures" / c.folder / (c.name + ".resp"));
        s.piece = 512;
        if (s.answer.rfind("HTTP/1.1 101", 0) == 0 || s.answer.rfind("HTTP/1.1", 0) != 0) continue;
        const outcome out = once(s);
        if (c.status / 100 == 3) {   // "//v3": Go's server knows better
            CHECK(out.code() == errc::unexpected_status);
            continue;
        }
        CHECK(out.got.status == c.status);
        CHECK(out.got.body == c.body);
        if (!out.failed) ++complete;
        else CHECK(out.failed->code == errc::connection_closed);   // a live stream that was cut
    }
    CHECK(complete > 100);
}

TEST_CASE("http: several exchanges on one connection", "[http]") {
    const auto script = std::make_shared<stream_script>();
    script->after = stream_script::end::silence;
    script->piece = 7;
    dynconf::test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        http_session http(std::make_unique<scripted_stream>(executor, script), executor);
        for (int i = 0; i < 5; ++i) {
            script->answer += i % 2 == 0 ? answer(std::to_string(i), "400 Bad Request") : chunked;
            recorder got;
            auto done = co_await exchange(http, got);
            REQUIRE(done);
            CHECK(got.status == (i % 2 == 0 ? 400u : 200u));
            CHECK(got.body == (i % 2 == 0 ? std::to_string(i) : chunked_body));
            CHECK(http.reusable());
        }
        script->peer_alive = false;
        CHECK_FALSE(http.reusable());
    });
    CHECK(script->written == ask + ask + ask + ask + ask);
}

TEST_CASE("http: a connection that is not kept alive or out of step is not used again", "[http]") {
    std::string close = answer("{}");
    close.insert(close.find("\r\n") + 2, "Connection: close\r\n");
    std::string old = answer("{}");
    old.replace(0, 8, "HTTP/1.0");
    for (const std::string& bytes : {close, old, answer("{}") + "x", answer("{}") + answer("{}"), chunked + "\r\n"}) {
        INFO(bytes);
        const outcome out = once(bytes);
        CHECK_FALSE(out.failed);
        CHECK_FALSE(out.reusable);
    }
    // A body that lasts until the connection ends, as HTTP/1.0 had it.
    stream_script s;
    s.answer = "HTTP/1.0 200 OK\r\n\r\nall there is";
    for (const std::size_t piece : {std::size_t{1}, std::string::npos}) {
        s.piece = piece;
        const outcome out = once(s);
        CHECK_FALSE(out.failed);
        CHECK(out.got.body == "all there is");
        CHECK_FALSE(out.reusable);
    }
}

TEST_CASE("http: what is not HTTP/1.1 is named", "[http]") {
    const std::string settings("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00", 15);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{9}, std::string::npos}) {
        stream_script s;
        s.piece = piece;
        s.answer = settings;
        s.after = stream_script::end::silence;
        CHECK(once(s).code() == errc::protocol_mismatch);
        s.answer = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n";
        CHECK(once(s).code() == errc::malformed_response);
        s.answer = "HTTP/1.1 abc OK\r\n\r\n";
        CHECK(once(s).code() == errc::malformed_response);
        s.answer = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n";
        CHECK(once(s).code() == errc::malformed_response);
        s.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        CHECK(once(s).code() == errc::malformed_response);
    }
}

TEST_CASE("http: the limits on body and head hold", "[http]") {
    stream_script s;
    s.after = stream_script::end::silence;
    s.answer = answer(std::string(100, 'x'));
    CHECK(once(s, 99).code() == errc::response_too_large);
    CHECK_FALSE(once(s, 100).failed);
    s.answer = chunked;
    CHECK(once(s, chunked_body.size() - 1).code() == errc::response_too_large);
    CHECK_FALSE(once(s, chunked_body.size()).failed);
    s.answer = "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n";
    CHECK(once(s).code() == errc::response_too_large);
}

TEST_CASE("http: a stream has no limit", "[http]") {
    stream_script s;
    s.after = stream_script::end::silence;
    s.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 40; ++i) s.answer += "40000\r\n" + std::string(0x40000, 'x') + "\r\n";   // Beast's default ends at 8 MiB
    s.answer += "0\r\n\r\n";
    const outcome out = once(s);
    CHECK_FALSE(out.failed);
    CHECK(out.got.body.size() == 40u * 0x40000u);
}

TEST_CASE("http: a sink that has enough ends the exchange", "[http]") {
    stream_script s;
    s.answer = answer("{\"a\":1}");
    const outcome out = once(s, unlimited, 3);
    CHECK(out.code() == errc::malformed_response);
    CHECK(out.script->closes > 0);
}

TEST_CASE("http: an end at any byte of the answer is a failure", "[http]") {
    for (const std::string& bytes : {answer("{\"a\":1}"), chunked, answer("", "400 Bad Request")}) {
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            INFO(size << " bytes of " << bytes);
            stream_script s;
            s.answer = bytes.substr(0, size);
            const outcome out = once(s);
            REQUIRE(out.failed);
            CHECK(out.failed->code == errc::connection_closed);
            CHECK(out.request_left);
            CHECK(out.script->closes > 0);
        }
    }
}

TEST_CASE("http: each read and write fails once, until the exchange gets through", "[http]") {
    for (const std::string& bytes : {answer("{\"a\":1}"), chunked}) {
        for (const error_code why : {error_code(asio::error::connection_reset), error_code(asio::error::timed_out),
                                     error_code(asio::error::eof), error_code(asio::error::broken_pipe)}) {
            bool through = false;
            int fail_count = 0;
            for (; !through; ++fail_count) {
                INFO("operation " << fail_count << " fails with " << why.message());
                REQUIRE(fail_count < 1000);
                stream_script s;
                s.answer = bytes;
                s.piece = 10;
                s.fail_at = fail_count;
                s.failure = why;
                s.after = stream_script::end::silence;
                const outcome out = once(s);
                through = !out.failed;
                if (through) {
                    CHECK(out.reusable);
                    continue;
                }
                CHECK(out.script->closes > 0);
                CHECK(out.request_left == (fail_count > 0));
                CHECK((out.failed->code == errc::connection_closed || out.failed->code == why));
            }
            CHECK(fail_count > 10);
        }
    }
}

TEST_CASE("http: the deadline ends an exchange that hangs anywhere", "[http]") {
    stream_script s;
    s.answer = answer("{}");
    s.piece = 20;
    int hang = 0;
    for (bool through = false; !through; ++hang) {
        REQUIRE(hang < 1000);
        s.hang_at = hang;
        s.after = stream_script::end::silence;
        const auto begin = std::chrono::steady_clock::now();
        const outcome out = once(s, unlimited, std::string::npos, 5ms);
        through = !out.failed;
        if (through) continue;
        CHECK(out.failed->code == errc::deadline_exceeded);
        CHECK(out.script->closes > 0);
        CHECK(std::chrono::steady_clock::now() - begin >= 5ms);
    }
    CHECK(hang > 5);
}

TEST_CASE("http: a deadline that was met does not fire later", "[http]") {
    const auto script = std::make_shared<stream_script>();
    script->after = stream_script::end::silence;
    dynconf::test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        http_session http(std::make_unique<scripted_stream>(executor, script), executor);
        script->answer = answer("1");
        http.expires_at(std::chrono::steady_clock::now() + 10s);
        recorder first;
        auto done = co_await exchange(http, first);
        REQUIRE(done);
        http.expires_at(std::chrono::steady_clock::now() - 1s);   // due already, its handler is on its way
        http.no_deadline();
        script->answer += answer("2");
        recorder second;
        done = co_await exchange(http, second);
        REQUIRE(done);
        CHECK(http.reusable());
        http.expires_at(std::chrono::steady_clock::now() + 1h);   // run() sees that nothing of it is left behind
    });
    CHECK(script->destroyed);
}

TEST_CASE("http: cancelled at any point, the session is closed and not used again", "[http]") {
    stream_script s;
    s.answer = answer("{}");
    s.piece = 20;
    int hang = 0;
    for (bool through = false; !through; ++hang) {
        INFO("operation " << hang);
        REQUIRE(hang < 1000);
        const auto script = std::make_shared<stream_script>(s);
        script->hang_at = hang;
        script->after = stream_script::end::silence;
        dynconf::test::run([&]() -> asio::awaitable<void> {
            auto executor = co_await asio::this_coro::executor;
            http_session http(std::make_unique<scripted_stream>(executor, script), executor);
            recorder got;
            asio::cancellation_signal signal;
            std::optional<result<void>> ended;
            asio::steady_timer told(executor, std::chrono::steady_clock::time_point::max());
            auto body = [&]() -> asio::awaitable<void> {
                co_await asio::this_coro::throw_if_cancelled(false);
                auto done = co_await exchange(http, got);
                ended.emplace(std::move(done));
                told.cancel();
            };
            asio::co_spawn(executor, body, asio::bind_cancellation_slot(signal.slot(), asio::detached));
            while (script->operations <= hang && !ended) co_await asio::post(executor, asio::use_awaitable);
            signal.emit(asio::cancellation_type::terminal);
            if (!ended) co_await told.async_wait(as_result);
            through = ended->has_value();
            if (through) co_return;
            CHECK(ended->error().code == asio::error::operation_aborted);
            CHECK_FALSE(http.reusable());
            CHECK_FALSE(script->open);
        });
    }
    CHECK(hang > 5);
}

TEST_CASE("http: a cancellation between two waits ends the exchange", "[http]") {
    struct cancelling final : response_sink {
        void on_head(unsigned) override {}
        bool on_body(std::string_view) override {
            signal.emit(boost::asio::cancellation_type::terminal);   // no operation is under way that would hear it
            return true;
        }
        boost::asio::cancellation_signal signal;
    };
    stream_script s;
    s.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    s.after = stream_script::end::silence;
    const auto script = std::make_shared<stream_script>(std::move(s));
    cancelling sink;
    std::optional<result<void>> done;
    dynconf::test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        auto body = [&]() -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            http_session http(std::make_unique<scripted_stream>(executor, script), executor);
            http.expires_at(std::chrono::steady_clock::now() + 5s);
            done = co_await exchange(http, sink);
        };
        asio::co_spawn(executor, std::move(body), asio::bind_cancellation_slot(sink.signal.slot(), [](std::exception_ptr) {}));
    });
    REQUIRE(done);
    REQUIRE_FALSE(*done);
    CHECK(done->error().code == asio::error::operation_aborted);
}
