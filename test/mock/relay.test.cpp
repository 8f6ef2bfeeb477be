// The faults that other tests rely on. The server here answers each byte with the same byte.

#include "support/catch.hpp"
#include "support/io_threads.hpp"
#include "support/relay.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <set>
#include <string>
#include <thread>

using namespace dynconf::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

class echo_server {
public:
    echo_server() : acceptor_(thread_.get_executor(), {asio::ip::address_v4::loopback(), 0}) {
        asio::co_spawn(thread_.get_executor(), accept(), asio::detached);
    }
    ~echo_server() {
        asio::post(thread_.get_executor(), asio::use_future([this] {
            acceptor_.close();
            for (auto& s : open_) s->close();
        })).get();
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    asio::awaitable<void> accept() {
        for (;;) {
            auto [ec, socket] = co_await acceptor_.async_accept(as_result);
            if (ec) break;
            asio::co_spawn(thread_.get_executor(), serve(std::make_shared<tcp::socket>(std::move(socket))), asio::detached);
        }
    }
    asio::awaitable<void> serve(std::shared_ptr<tcp::socket> s) {
        open_.insert(s);
        std::array<char, 4096> piece;
        for (;;) {
            auto [ec, n] = co_await s->async_read_some(asio::buffer(piece), as_result);
            if (ec) break;
            auto [failed, written] = co_await asio::async_write(*s, asio::buffer(piece.data(), n), as_result);
            if (failed) break;
        }
        open_.erase(s);
    }

    std::set<std::shared_ptr<tcp::socket>> open_;
    io_threads thread_{1};
    tcp::acceptor acceptor_;
};

/// A blocking client of the relay.
class caller {
public:
    explicit caller(const relay& to) : socket_(io_) {
        const std::string at = to.endpoint();
        const auto port = static_cast<std::uint16_t>(std::stoi(at.substr(at.rfind(':') + 1)));
        socket_.connect({asio::ip::address_v4::loopback(), port}, failed);
    }
    /// Whether it was sent. Also while another thread hears.
    bool say(const std::string& text) {
        boost::system::error_code unsaid;
        asio::write(socket_, asio::buffer(text), unsaid);
        return !unsaid;
    }
    /// What arrives until there are `n` bytes, or the end of the connection.
    std::string hear(std::size_t n) {
        std::string text(n, '\0');
        text.resize(asio::read(socket_, asio::buffer(text), failed));
        return text;
    }
    bool ended() { return hear(1).empty() && failed; }
    /// Nothing to read, and not ended. Only sure after something that follows it has been seen.
    bool silent() {
        pollfd p{socket_.native_handle(), POLLIN, 0};
        return ::poll(&p, 1, 0) == 0;
    }

    boost::system::error_code failed;

private:
    asio::io_context io_;
    tcp::socket socket_;
};

}  // namespace

TEST_CASE("relay: passes everything on, and counts it", "[relay]") {
    echo_server server;
    relay wire(server.port());
    const std::string large(300'000, 'x');
    {
        caller c(wire);
        std::thread speaker([&] { c.say(large); });
        const std::string back = c.hear(large.size());
        speaker.join();
        CHECK(back == large);
        CHECK(wire.seen().open == 1);
    }
    CHECK(becomes_true([&] { return wire.seen().open == 0; }));
    const relay::counters seen = wire.seen();
    CHECK(seen.accepted == 1);
    CHECK(seen.request_bytes == large.size());
    CHECK(seen.answer_bytes == large.size());
}

TEST_CASE("relay: cut, refuse and mend", "[relay]") {
    echo_server server;
    relay wire(server.port());
    const std::string before = wire.endpoint();
    caller a(wire);
    a.say("a");
    REQUIRE(a.hear(1) == "a");

    wire.cut(relay::reach::open);
    CHECK(a.ended());
    caller b(wire);
    b.say("b");
    CHECK(b.hear(1) == "b");

    wire.cut();
    CHECK(b.ended());
    caller c(wire);
    CHECK(!c.failed);
    CHECK(c.ended());

    wire.mend();
    caller d(wire);
    d.say("d");
    CHECK(d.hear(1) == "d");
    wire.refuse();
    CHECK(d.ended());
    caller e(wire);
    CHECK(e.failed == asio::error::connection_refused);

    wire.mend();
    CHECK(wire.endpoint() == before);
    caller f(wire);
    f.say("f");
    CHECK(f.hear(1) == "f");
}

TEST_CASE("relay: a black hole swallows, and what it has swallowed stays lost", "[relay]") {
    echo_server server;
    relay wire(server.port());
    caller old(wire);
    old.say("1");
    REQUIRE(old.hear(1) == "1");

    wire.black_hole(relay::reach::open);
    CHECK(old.say("2"));
    caller other(wire);
    other.say("x");
    CHECK(other.hear(1) == "x");

    wire.black_hole();
    caller young(wire);
    CHECK(!young.failed);
    CHECK(becomes_true([&] { return wire.seen().open == 3; }));
    CHECK(young.say("y"));
    wire.mend();
    old.say("3");
    caller healed(wire);
    healed.say("z");
    CHECK(healed.hear(1) == "z");
    CHECK(old.silent());
    CHECK(young.silent());
    CHECK(other.silent());
    CHECK(wire.seen().request_bytes == 3);
}

TEST_CASE("relay: a pause loses nothing", "[relay]") {
    echo_server server;
    relay wire(server.port());
    for (const relay::way which : {relay::way::request, relay::way::answer}) {
        caller c(wire);
        c.say("1");
        REQUIRE(c.hear(1) == "1");
        CHECK(becomes_true([&] { return wire.seen().answer_bytes == wire.seen().request_bytes; }));
        const auto before = wire.seen();
        wire.pause(which);
        c.say("234");
        if (which == relay::way::answer)
            CHECK(becomes_true([&] { return wire.seen().request_bytes == before.request_bytes + 3; }));
        CHECK(c.silent());
        CHECK(wire.seen().answer_bytes == before.answer_bytes);
        wire.mend();
        CHECK(c.hear(3) == "234");
    }
}

TEST_CASE("relay: delay and throttle are lower bounds, and keep the order", "[relay]") {
    echo_server server;
    relay wire(server.port());
    using steady = std::chrono::steady_clock;
    caller c(wire);
    wire.delay(20ms, 10ms);
    auto begin = steady::now();
    c.say("abc");
    c.say("def");
    CHECK(c.hear(6) == "abcdef");
    CHECK(steady::now() - begin >= 40ms);   // there and back
    wire.mend();

    wire.throttle(100'000);
    begin = steady::now();
    const std::string text(20'000, 't');
    c.say(text);
    CHECK(c.hear(text.size()) == text);
    CHECK(steady::now() - begin >= 20ms);
}

TEST_CASE("relay: connections end after so many bytes", "[relay]") {
    echo_server server;
    relay wire(server.port());
    wire.cut_after(relay::way::answer, 3);
    caller a(wire);
    a.say("abcdef");
    CHECK(a.hear(6) == "abc");
    wire.mend();
    wire.cut_after(relay::way::request, 2);
    caller b(wire);
    b.say("abcdef");
    const std::string heard = b.hear(6);   // the end may overtake the answer
    CHECK(std::string("ab").starts_with(heard));
    CHECK(becomes_true([&] { return wire.seen().open == 0; }));
    wire.mend();
    caller c(wire);
    c.say("abcdef");
    CHECK(c.hear(6) == "abcdef");

    std::size_t next = 4;
    wire.cut_after([&next] { return next++; });
    caller d(wire);
    d.say("abc");
    CHECK(d.hear(3) == "a");
    caller e(wire);
    e.say("abc");
    CHECK(e.hear(3) == "ab");
    CHECK(wire.accepted() == 5);
}
