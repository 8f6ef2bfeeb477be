#include "etcd/watch_hub.hpp"
#include "mock/core_scene.hpp"
#include "mock/pool_scene.hpp"
#include "mock/watch_scene.hpp"
#include "support/files.hpp"
#include "support/hurried_time.hpp"
#include "support/scratch_dir.hpp"
#include "support/tls_peer.hpp"
#include "transport/tls.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

/// The error of a handshake in which the peer has to be `host`; no code: it is.
asio::awaitable<error> handshake(const tls_peer& peer, const tls_options& options, std::string host) {
    auto executor = co_await asio::this_coro::executor;
    auto context = transport::tls_context::make(options);
    REQUIRE(context);
    asio::ip::tcp::socket socket(executor);
    const asio::ip::tcp::endpoint there(asio::ip::address_v4::loopback(), peer.port());
    co_await socket.async_connect(there, asio::use_awaitable);
    auto stream = co_await (*context)->handshake(std::move(socket), std::move(host), transport::clock::now() + 20s);
    co_return stream ? error{} : stream.error();
}

struct nothing final : transport::response_sink {
    void on_head(unsigned) override {}
    bool on_body(std::string_view) override { return true; }
};

asio::awaitable<void> use(transport::session_pool::lease& lease) {
    const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    nothing sink;
    auto sent = co_await lease->send(request, sink, transport::unlimited);
    REQUIRE(sent);
    for (;;) {
        auto complete = co_await lease->read_some();
        REQUIRE(complete);
        if (*complete) co_return;
    }
}

/// What it was opened with is outdated once there is another version.
class versioned_stream final : public transport::byte_stream {
public:
    versioned_stream(std::unique_ptr<byte_stream> inner, std::shared_ptr<const int> version)
        : inner_(std::move(inner)), version_(std::move(version)), mine_(*version_) {}

    void async_read_some(asio::mutable_buffer to, handler h) override { inner_->async_read_some(to, std::move(h)); }
    void async_write_some(asio::const_buffer from, handler h) override { inner_->async_write_some(from, std::move(h)); }
    void close() noexcept override { inner_->close(); }
    bool alive() noexcept override { return inner_->alive(); }
    bool outdated() const noexcept override { return mine_ != *version_; }

private:
    std::unique_ptr<byte_stream> inner_;
    std::shared_ptr<const int> version_;
    int mine_;
};

/// Connections of a version, which is refused as long as `trusted` says so.
struct versions {
    std::shared_ptr<int> current = std::make_shared<int>(1);
    bool trusted = true;

    class connector final : public transport::connector {
    public:
        connector(const asio::any_io_executor& executor, const client_options& options, versions& of) : inner_(executor, options), of_(of) {}
        asio::awaitable<result<std::unique_ptr<transport::byte_stream>>> connect(endpoint to, time_point due) override {
            if (!of_.trusted) co_return error{errc::unknown_authority, "not any more"};
            auto made = co_await inner_.connect(to, due);
            if (!made) co_return made.error();
            co_return std::make_unique<versioned_stream>(std::move(*made), of_.current);
        }

    private:
        transport::socket_connector inner_;
        versions& of_;
    };

    hurried_time::making maker() {
        return [this](const asio::any_io_executor& executor, const client_options& options) {
            return std::make_shared<connector>(executor, options, *this);
        };
    }
};

}  // namespace

TEST_CASE("tls: a root's dot and an address's zone are in no certificate", "[tls]") {
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    const tls_peer peer(ca.issue("DNS:etcd.example.com,IP:::1,IP:fe80::1,IP:127.0.0.1"));
    tls_options trusting;
    trusting.ca_file = ca.file();
    test::run([&]() -> asio::awaitable<void> {
        struct { const char* host; const char* sent; } const good[] = {
            {"etcd.example.com", "etcd.example.com"}, {"etcd.example.com.", "etcd.example.com"}, {"127.0.0.1", ""},
            {"::1", ""}, {"fe80::1", ""}, {"fe80::1%eth0", ""},
        };
        std::size_t count = 0;
        for (const auto& row : good) {
            const error e = co_await handshake(peer, trusting, row.host);
            INFO(row.host << ": " << e.message());
            CHECK_FALSE(e.code);
            ++count;
            co_await until([&] { return peer.connections() == count; });   // by TLS 1.3 the server is the last to know
            CHECK(peer.names().back() == row.sent);
        }
        for (const char* host : {"fe80::2%eth0", "::2", "example.com.", "com", "etcd.example.com.example.com"}) {
            const error e = co_await handshake(peer, trusting, host);
            INFO(host << ": " << e.message());
            CHECK(e == errc::certificate_wrong_host);
        }
        // A name that none can be asked for.
        const std::string too_long(300, 'a');
        const error no_name = co_await handshake(peer, trusting, too_long);
        CHECK(no_name == errc::invalid_endpoint);
        tls_options skipping;
        skipping.insecure_skip_verify = true;
        for (const std::string& host : {too_long, std::string("fe80::2%eth0"), std::string("a.")}) {
            const error e = co_await handshake(peer, skipping, host);
            INFO(host << ": " << e.message());
            CHECK_FALSE(e.code);
        }
    });
}

TEST_CASE("tls: a connection of calls is not used again once its files were replaced, however busy", "[tls][pool]") {
    const scratch_dir files;
    test_ca ca(files.path(), "ca"), other(files.path(), "other");
    const std::string trusted = (files.path() / "trusted.pem").string();
    place(text_of(ca.file()), trusted);
    const tls_peer peer(ca.issue("IP:127.0.0.1"));
    client_options o = options_for({peer.url()});
    o.tls.ca_file = trusted;
    o.idle_timeout = 1h;
    std::vector<std::string> events;
    o.log = [&](const log_record& r) { events.emplace_back(r.event); };
    hurried_time time;
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto pool = std::make_shared<transport::session_pool>(executor, transport::make_connector(executor, o), *endpoint::parse(peer.url()), o);
        const auto soon = [] { return transport::clock::now() + 20s; };
        const auto one_call = [&]() -> asio::awaitable<error> {
            auto lease = co_await acquire(pool, soon());
            if (!lease) co_return lease.error();
            co_await use(*lease);
            co_return error{};
        };
        for (int i = 0; i < 3; ++i) {
            const error e = co_await one_call();
            CHECK(e.message() == error{}.message());
        }
        CHECK(peer.connections() == 1);

        place(text_of(ca.file()) + text_of(other.file()), trusted);
        auto taken = co_await acquire(pool, soon());
        REQUIRE(taken);
        std::optional<transport::session_pool::lease> busy(std::move(*taken));
        co_await use(*busy);
        time.move_ahead(11s);
        CHECK(pool->idle() == 0);
        const error beside = co_await one_call();   // makes another, which looks
        CHECK(beside.message() == error{}.message());
        CHECK(peer.connections() == 2);
        CHECK(events == std::vector<std::string>{"tls_files_read"});
        co_await use(*busy);   // what is under way goes on
        busy.reset();
        CHECK(pool->idle() == 1);
        const error again = co_await one_call();
        CHECK(again.message() == error{}.message());
        CHECK(peer.connections() == 2);

        // One call after the other, and so no new connection: what is open is looked after.
        place(text_of(other.file()), trusted);
        time.move_ahead(11s);
        const error withdrawn = co_await one_call();
        CHECK(withdrawn == errc::unknown_authority);
        place(text_of(ca.file()), trusted);
        const error healed = co_await one_call();
        CHECK(healed.message() == error{}.message());
    });
}

TEST_CASE("tls: a watch moves to a connection of the files of now, and loses nothing", "[tls][watch]") {
    versions files;
    hurried_time time(files.maker());
    std::atomic<bool> more{false};
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(4)); });
    gateway.on(watch_path, [&](const auto& r) {
        if (r.number == 1) return stream({created(4), news(5, {put_event("/a/x", "1", 5)})}, then::hold);
        gateway_answer next = stream({created(5)}, then::hold);
        next.steps.push_back({chunk(news(6, {put_event("/a/x", "2", 6)})), 0ms, [&] { return more.load(); }});
        return next;
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        etcd::client_core& its = core_of(c);
        watcher w(c, ours(), from(4));
        std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
        its.watches().probe_soon();
        co_await until([&] { return gateway.count(range_path) == 1; });
        CHECK(gateway.count(watch_path) == 1);

        *files.current = 2;
        its.watches().probe_soon();
        co_await until([&] { return gateway.count(watch_path) == 2 && gateway.open_connections() == 2; });
        more = true;
        got = co_await next_of(w);
        CHECK(got == "/a/x=2@6");

        // The member is not accepted any more: its watch ends, and goes on where it is accepted again.
        *files.current = 3;
        files.trusted = false;
        its.watches().probe_soon();
        co_await until([&] { return gateway.open_connections() == 0; });
        CHECK(its.last_failure() == errc::unknown_authority);
        files.trusted = true;
        co_await until([&] { return gateway.count(watch_path) == 3; });
    });
    CHECK(starts(gateway) == std::vector<revision_t>{4, 6, 7});
}

TEST_CASE("tls: without verification is told even where there is no log, once", "[tls]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(ends[1], 2);
        ::close(ends[1]);
        client_options o = options_for({"https" + refusing_url().substr(4)});
        o.log = {};
        o.tls.insecure_skip_verify = true;
        o.max_rounds = 1;
        for (int i = 0; i < 2; ++i)
            with_client(o, [](client& c) -> asio::awaitable<void> {
                kv store(c);
                (void)co_await failure_of([&] { return read_once(store); });
            });
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string said;
    char piece[256];
    for (ssize_t n; (n = ::read(ends[0], piece, sizeof piece)) > 0;) said.append(piece, static_cast<std::size_t>(n));
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(said.find("dynconf: warning: anybody may answer in place of https://127.0.0.1:") == 0);
    CHECK(std::count(said.begin(), said.end(), '\n') == 1);
}
