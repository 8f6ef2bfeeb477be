// A small HTTP server whose behaviour follows its settings while it runs: what it says, in which case, and how large a
// body it takes. Every request reads config.current(), which waits for nobody. GET /health tells config.status().
//
//     EtcdSettings__HostName=http://127.0.0.1:2379 http_service [PORT]      port 0, the default: any free one

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

namespace {

constexpr auto quiet = asio::as_tuple(asio::use_awaitable);

struct service_settings {
    std::string greeting;
    bool shout = false;
    std::uint64_t max_body = 0;
};

dynconf::declared_schema<service_settings> service_schema(const dynconf::settings& from) {
    dynconf::declared_schema<service_settings> schema(from.config_root("/http_service"));
    schema.optional("greeting", &service_settings::greeting, {.etcd = "greeting", .env = "GREETING"}, "hello")
        .optional("shout", &service_settings::shout, {.etcd = "features/shout", .env = "SHOUT"}, false)
        .optional("max_body", &service_settings::max_body, {.etcd = "limits/max_body", .env = "MAX_BODY"}, 1024);
    return schema;
}

std::string to_json(const dynconf::status& now) {
    const auto text = [](std::string_view s) { return dynconf::value(s).to_json_text(); };
    return "{\"state\":" + text(to_string(now.state)) + ",\"origin\":" + text(to_string(now.origin)) +
           ",\"revision\":" + std::to_string(now.revision) + ",\"endpoint\":" + text(now.endpoint) +
           ",\"cause\":" + (now.cause.code ? text(now.cause.message()) : "null") + ",\"updates\":" + std::to_string(now.updates) +
           ",\"interruptions\":" + std::to_string(now.interruptions) + ",\"rejected\":" + std::to_string(now.rejected) + "}\n";
}

class server {
public:
    server(asio::any_io_executor executor, std::uint16_t port, const dynconf::config_manager& config)
        : acceptor_(executor, {asio::ip::address_v4::loopback(), port}), drained_(executor), config_(config) {}

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

    /// Until stop() was called and every connection has ended.
    asio::awaitable<void> run() {
        const auto executor = co_await asio::this_coro::executor;
        while (acceptor_.is_open()) {
            auto [failed, socket] = co_await acceptor_.async_accept(quiet);
            if (!failed) asio::co_spawn(executor, talk(std::make_unique<connection>(*this, std::move(socket))), asio::detached);
        }
        drained_.expires_at(asio::steady_timer::time_point::max());
        while (!open_.empty()) co_await drained_.async_wait(quiet);
    }

    /// No new connections; requests under way get their answers, idle connections end.
    void stop() {
        acceptor_.close();
        for (connection* c : open_)
            if (c->idle) c->stream.cancel();
    }

private:
    struct connection {
        connection(server& s, tcp::socket socket) : owner(s), stream(std::move(socket)) { owner.open_.insert(this); }
        ~connection() {
            owner.open_.erase(this);
            owner.drained_.cancel();
        }
        server& owner;
        beast::tcp_stream stream;
        bool idle = true;
    };

    asio::awaitable<void> talk(std::unique_ptr<connection> c) {
        beast::flat_buffer buffer;
        for (bool more = true; more && acceptor_.is_open();) {
            http::request_parser<http::string_body> parser;
            parser.body_limit(boost::none);   // not yet: the setting may change while the connection is idle
            c->idle = true;
            c->stream.expires_after(std::chrono::seconds(60));
            auto [no_header, header_bytes] = co_await http::async_read_header(c->stream, buffer, parser, quiet);
            c->idle = false;
            if (no_header) break;

            const dynconf::snapshot now = config_.current();   // one moment for the whole request
            const std::uint64_t limit = now.get<std::uint64_t>("max_body").value();
            parser.body_limit(limit);
            c->stream.expires_after(std::chrono::seconds(10));
            beast::error_code failed = http::error::body_limit;
            if (parser.content_length().value_or(0) <= limit) {
                auto [no_body, body_bytes] = co_await http::async_read(c->stream, buffer, parser, quiet);
                failed = no_body;
            }
            if (failed && failed != http::error::body_limit) break;
            auto out = failed ? too_large(limit) : answer(parser.get(), now);
            more = out.keep_alive();
            auto [not_sent, sent_bytes] = co_await http::async_write(c->stream, out, quiet);
            if (not_sent) break;
        }
        beast::error_code ignored;
        c->stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    }

    using response = http::response<http::string_body>;

    response answer(const http::request<http::string_body>& request, const dynconf::snapshot& now) const {
        response out(http::status::ok, request.version());
        out.keep_alive(request.keep_alive() && acceptor_.is_open());
        if (request.target() == "/health") {
            out.set(http::field::content_type, "application/json");
            out.body() = to_json(config_.status());
        } else {
            out.body() = now.get_or("greeting", "") + (request.body().empty() ? "" : ", " + request.body()) + '\n';
            if (now.get_or("shout", false))
                std::ranges::transform(out.body(), out.body().begin(), [](unsigned char b) { return static_cast<char>(std::toupper(b)); });
        }
        out.prepare_payload();
        return out;
    }

    static response too_large(std::uint64_t limit) {
        response out(http::status::payload_too_large, 11);
        out.keep_alive(false);
        out.body() = "at most " + std::to_string(limit) + " bytes\n";
        out.prepare_payload();
        return out;
    }

    tcp::acceptor acceptor_;
    asio::steady_timer drained_;   // cancelled whenever a connection ends
    const dynconf::config_manager& config_;
    std::set<connection*> open_;
};

asio::awaitable<void> serve(std::uint16_t port) {
    const auto executor = co_await asio::this_coro::executor;
    const auto settings = dynconf::settings::from_environment();
    dynconf::config_manager config(executor, service_schema(settings), settings);
    co_await config.start();

    server http_server(executor, port, config);
    std::cout << "listening on http://127.0.0.1:" << http_server.port() << std::endl;
    asio::signal_set signals(executor, SIGINT, SIGTERM);
    signals.async_wait([&http_server](beast::error_code, int) { http_server.stop(); });
    co_await http_server.run();
    co_await config.stop();
    std::cout << "stopped" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    asio::io_context io;
    int exit_code = 0;
    const int port = argc > 1 ? std::atoi(argv[1]) : 0;
    asio::co_spawn(io, serve(static_cast<std::uint16_t>(port)), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "http_service: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
