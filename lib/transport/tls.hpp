#pragma once

#include <dynconf/error.hpp>
#include <dynconf/options.hpp>

#include "transport/byte_stream.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace dynconf::transport {

/// What every TLS connection of a client shares: whom to trust, and that HTTP/1.1 is spoken. TLS 1.2 at least.
class tls_context {
public:
    /// errc::unreadable_ca_file when the CA file yields no certificate.
    static result<std::shared_ptr<tls_context>> make(const tls_options& options);

    /// Handshake as client of `host`, which the server's certificate has to name. The socket is consumed.
    asio::awaitable<result<std::unique_ptr<byte_stream>>> handshake(asio::ip::tcp::socket socket, std::string host,
                                                                    std::chrono::steady_clock::time_point due);

    struct impl;
    explicit tls_context(std::unique_ptr<impl>);
    ~tls_context();

private:
    std::unique_ptr<impl> impl_;
};

}  // namespace dynconf::transport
