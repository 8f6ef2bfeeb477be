#include "support/fake_gateway.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace dynconf::test {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

const tcp::endpoint any_loopback(asio::ip::address_v4::loopback(), 0);

std::string url_of(const tcp::endpoint& e) { return "http://127.0.0.1:" + std::to_string(e.port()); }

}  // namespace

std::string gateway_request::header(std::string_view name) const {
    const auto at = head.find("\r\n" + std::string(name) + ": ");
    if (at == std::string::npos) return {};
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
}

std::string gateway_request::member(std::string_view name) const {
    const std::string mark = "\"" + std::string(name) + "\":\"";
    const auto at = body.find(mark);
    if (at == std::string::npos) return {};
    return body.substr(at + mark.size(), body.find('"', at + mark.size()) - at - mark.size());
}

gateway_answer&& gateway_answer::after(std::chrono::milliseconds pause) && {
    if (steps.empty()) steps.emplace_back();
    steps.front().pause = pause;
    return std::move(*this);
}

gateway_answer&& gateway_answer::once(std::function<bool()> condition) && {
    if (steps.empty()) steps.emplace_back();
    steps.front().until = std::move(condition);
    return std::move(*this);
}

gateway_answer raw(std::string bytes, gateway_answer::then afterwards) {
    gateway_answer a;
    if (!bytes.empty()) a.steps.emplace_back().bytes = std::move(bytes);
    a.afterwards = afterwards;
    return a;
}

namespace {

gateway_answer whole(const std::string& body, unsigned status, const char* type) {
    return raw("HTTP/1.1 " + std::to_string(status) + " Status\r\nContent-Type: " + type + "\r\nContent-Length: "
                   + std::to_string(body.size()) + "\r\n\r\n" + body,
               gateway_answer::then::next_request);
}

}  // namespace

gateway_answer json(std::string body, unsigned status) { return whole(body, status, "application/json"); }
gateway_answer text(std::string body, unsigned status) { return whole(body, status, "text/plain; charset=utf-8"); }

std::string chunk(const std::string& line) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", line.size() + 1);
    return size + line + "\n\r\n";
}

std::string stream_bytes(const std::vector<std::string>& lines) {
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string& line : lines) bytes += chunk(line);
    return bytes;
}

gateway_answer stream(const std::vector<std::string>& lines, gateway_answer::then afterwards) {
    std::string bytes = stream_bytes(lines);
    if (afterwards == gateway_answer::then::next_request) bytes += "0\r\n\r\n";
    return raw(std::move(bytes), afterwards);
}

struct fake_gateway::impl {
    impl() : acceptor(io, any_loopback), address(acceptor.local_endpoint()) {
        asio::co_spawn(io, accept(), asio::detached);
        thread = std::thread([this] { io.run(); });
    }
    ~impl() {
        io.stop();
        thread.join();
    }

    asio::awaitable<void> accept() {
        for (;;) {
            auto [ec, socket] = co_await acceptor.async_accept(as_result);
            if (ec) co_return;
            socket.set_option(tcp::no_delay(true));
            const std::size_t number = ++accepted;
            asio::co_spawn(io, serve(std::move(socket), number), asio::detached);
        }
    }

    asio::awaitable<void> serve(tcp::socket from_acceptor, std::size_t connection) {
        struct counted {
            explicit counted(std::atomic<std::size_t>& n) : open(n) { ++open; }
            counted(const counted&) = delete;
            ~counted() { --open; }
            std::atomic<std::size_t>& open;
        } const here(open);
        tcp::socket socket = std::move(from_acceptor);   // closed before it is no longer counted
        asio::steady_timer timer(io);
        std::string buffer;
        for (;;) {
            gateway_request request;
            request.connection = connection;
            std::size_t end = std::string::npos;
            std::size_t size = 0;
            for (;;) {
                if (end == std::string::npos) {
                    end = buffer.find("\r\n\r\n");
                    if (end != std::string::npos) {
                        request.head = buffer.substr(0, end + 2);
                        const std::string length = request.header("Content-Length");
                        size = end + 4 + (length.empty() ? 0 : std::stoul(length));
                    }
                }
                if (end != std::string::npos && buffer.size() >= size) break;
                char piece[4096];
                auto [ec, n] = co_await socket.async_read_some(asio::buffer(piece), as_result);
                if (ec) co_return;
                buffer.append(piece, n);
            }
            request.body = buffer.substr(end + 4, size - end - 4);
            buffer.erase(0, size);
            const auto first = request.head.find(' ');
            request.path = request.head.substr(first + 1, request.head.find(' ', first + 1) - first - 1);

            const gateway_answer answer = ask(request);
            for (const gateway_answer::step& step : answer.steps) {
                if (step.pause.count() > 0) {
                    timer.expires_after(step.pause);
                    co_await timer.async_wait(as_result);
                }
                while (step.until && !step.until()) {
                    timer.expires_after(std::chrono::milliseconds(1));
                    co_await timer.async_wait(as_result);
                }
                auto [ec, n] = co_await asio::async_write(socket, asio::buffer(step.bytes), as_result);
                if (ec) co_return;
            }
            switch (answer.afterwards) {
            case gateway_answer::then::next_request: break;
            case gateway_answer::then::close: co_return;
            case gateway_answer::then::again:
                for (const gateway_answer::step& step = answer.steps.back();;) {
                    if (step.pause.count() > 0) {
                        timer.expires_after(step.pause);
                        co_await timer.async_wait(as_result);
                    }
                    auto [ec, n] = co_await asio::async_write(socket, asio::buffer(step.bytes), as_result);
                    if (ec) co_return;
                }
            case gateway_answer::then::reset: socket.set_option(asio::socket_base::linger(true, 0)); co_return;
            case gateway_answer::then::hold:
                for (;;) {
                    char piece[4096];
                    auto [ec, n] = co_await socket.async_read_some(asio::buffer(piece), as_result);
                    if (ec) co_return;
                }
            }
        }
    }

    gateway_answer ask(gateway_request& request) {
        handler asked;
        {
            const std::lock_guard lock(mutex);
            auto& all = seen[request.path];
            request.number = all.size() + 1;
            all.push_back(request);
            if (const auto found = handlers.find(request.path); found != handlers.end()) asked = found->second;
        }
        return asked ? asked(request) : text("404 page not found\n", 404);
    }

    asio::io_context io{1};
    tcp::acceptor acceptor;
    const tcp::endpoint address;
    std::thread thread;
    std::atomic<std::size_t> accepted{0};
    std::atomic<std::size_t> open{0};
    mutable std::mutex mutex;
    std::map<std::string, handler> handlers;                       // by path
    std::map<std::string, std::vector<gateway_request>> seen;      // by path
};

fake_gateway::fake_gateway() : impl_(std::make_unique<impl>()) {
    on("/v3/maintenance/status", [](const auto&) { return json("{\"version\":\"3.5.16\",\"leader\":\"1\"}"); });
}
fake_gateway::~fake_gateway() = default;

std::string fake_gateway::url() const { return url_of(impl_->address); }

void fake_gateway::on(std::string path, handler h) {
    const std::lock_guard lock(impl_->mutex);
    impl_->handlers[std::move(path)] = std::move(h);
}

std::size_t fake_gateway::count(const std::string& path) const { return requests(path).size(); }

std::vector<gateway_request> fake_gateway::requests(const std::string& path) const {
    const std::lock_guard lock(impl_->mutex);
    const auto found = impl_->seen.find(path);
    return found == impl_->seen.end() ? std::vector<gateway_request>() : found->second;
}

std::size_t fake_gateway::connections() const { return impl_->accepted; }
std::size_t fake_gateway::open_connections() const { return impl_->open; }

std::string refusing_url() {
    asio::io_context io;
    const tcp::acceptor nobody(io, any_loopback);
    return url_of(nobody.local_endpoint());
}

}  // namespace dynconf::test
