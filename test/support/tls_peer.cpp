#include "support/tls_peer.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <mutex>
#include <thread>
#include <utility>

namespace dynconf::test {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;

namespace {

constexpr auto as_values = asio::as_tuple(asio::use_awaitable);

}  // namespace

struct tls_peer::impl {
    explicit impl(const issued& who) {
        context.use_certificate_chain_file(who.certificate);
        context.use_private_key_file(who.key, ssl::context::pem);
        asio::co_spawn(io, accept(), asio::detached);
        thread = std::thread([this] { io.run(); });
    }
    ~impl() {
        io.stop();
        thread.join();
    }

    asio::awaitable<void> accept() {
        for (;;) {
            auto [ec, socket] = co_await acceptor.async_accept(as_values);
            if (ec) co_return;
            asio::co_spawn(io, serve(std::move(socket)), asio::detached);
        }
    }
    asio::awaitable<void> serve(tcp::socket socket) {
        ssl::stream<tcp::socket> stream(std::move(socket), context);
        auto [refused] = co_await stream.async_handshake(ssl::stream_base::server, as_values);
        if (refused) co_return;
        {
            const char* const name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
            const std::lock_guard lock(mutex);
            names.emplace_back(name ? name : "");
        }
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for (std::string request;;) {
            auto [ended, size] = co_await asio::async_read_until(stream, asio::dynamic_buffer(request), "\r\n\r\n", as_values);
            if (ended) co_return;
            request.erase(0, size);
            auto [gone, written] = co_await asio::async_write(stream, asio::buffer(answer), as_values);
            if (gone) co_return;
        }
    }

    mutable std::mutex mutex;
    std::vector<std::string> names;
    asio::io_context io;
    ssl::context context{ssl::context::tls_server};
    tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    std::thread thread;
};

tls_peer::tls_peer(const issued& who) : impl_(std::make_unique<impl>(who)) {}
tls_peer::~tls_peer() = default;

unsigned short tls_peer::port() const { return impl_->acceptor.local_endpoint().port(); }

std::vector<std::string> tls_peer::names() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->names;
}

}  // namespace dynconf::test
