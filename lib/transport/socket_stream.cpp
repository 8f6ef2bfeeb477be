#include "transport/socket_stream.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace dynconf::transport {

namespace {

// A silent peer is asked after 4 s, then every 2 s. Where the kernel has a limit for what stays unacknowledged, that decides
// about questions, too, each time it would ask the next: after 8 s. Elsewhere the third one without an answer does: after 10 s.
constexpr int keep_alive_idle_seconds = 4;
constexpr int keep_alive_interval_seconds = 2;
constexpr int keep_alive_probes = 3;
constexpr unsigned unacknowledged_milliseconds = 7'500;

template <class Value>
void set(int socket, int level, int name, Value value) noexcept {
    ::setsockopt(socket, level, name, &value, sizeof value);   // a kernel without it is no reason to fail
}

struct socket_traits {
    template <class Socket>
    static void close(Socket& s) noexcept {
        boost::system::error_code ignored;
        s.close(ignored);
    }
    template <class Socket>
    static bool alive(Socket& s) noexcept {
        return s.is_open() && peer_is_there(s.native_handle(), true);
    }
};

}  // namespace

void tune(asio::ip::tcp::socket& socket) noexcept {
    const int s = socket.native_handle();
    set(s, IPPROTO_TCP, TCP_NODELAY, 1);
    set(s, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
    set(s, IPPROTO_TCP, TCP_KEEPIDLE, keep_alive_idle_seconds);
    set(s, IPPROTO_TCP, TCP_KEEPINTVL, keep_alive_interval_seconds);
    set(s, IPPROTO_TCP, TCP_KEEPCNT, keep_alive_probes);
#endif
#ifdef TCP_USER_TIMEOUT
    set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_milliseconds);
#endif
}

bool is_end(const boost::system::error_code& ec) noexcept {
    return ec == asio::error::eof || ec == asio::error::connection_reset || ec == asio::error::broken_pipe
        || ec == asio::ssl::error::stream_truncated;
}

namespace {

/// The end of what the peer sends has arrived, though something may be left to read before it.
bool has_hung_up(int native_socket) noexcept {
    pollfd asked{native_socket, POLLRDHUP, 0};
    return ::poll(&asked, 1, 0) > 0;
}

}  // namespace

bool peer_is_there(int native_socket, bool quiet) noexcept {
    char byte;
    const auto n = ::recv(native_socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0) return !quiet && !has_hung_up(native_socket);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

std::unique_ptr<byte_stream> make_stream(asio::ip::tcp::socket socket) {
    return std::make_unique<stream_adapter<asio::ip::tcp::socket, socket_traits>>(std::move(socket));
}

std::unique_ptr<byte_stream> make_stream(asio::local::stream_protocol::socket socket) {
    return std::make_unique<stream_adapter<asio::local::stream_protocol::socket, socket_traits>>(std::move(socket));
}

}  // namespace dynconf::transport
