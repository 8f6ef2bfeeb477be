#pragma once

#include "transport/byte_stream.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <memory>

namespace dynconf::transport {

/// TCP_NODELAY, and TCP's own means against a dead host or a cut network: it is told within about 10 s.
void tune(asio::ip::tcp::socket& socket) noexcept;

/// The peer has ended the connection, in whatever way.
bool is_end(const boost::system::error_code& ec) noexcept;

/// An end or a fault to read, now or behind other bytes, means that the peer is gone. `quiet`: bytes out of turn do so, too.
bool peer_is_there(int native_socket, bool quiet) noexcept;

std::unique_ptr<byte_stream> make_stream(asio::ip::tcp::socket socket);
std::unique_ptr<byte_stream> make_stream(asio::local::stream_protocol::socket socket);

}  // namespace dynconf::transport
