#pragma once

#include <dynconf/error.hpp>
#include <dynconf/tls_options.hpp>

#include "transport/byte_stream.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace dynconf::transport {

/// std::invalid_argument for options that can never work together.
void require_usable(const tls_options& options);

/// What TLS connections share: whom to trust, who the client is, and that HTTP/1.1 is spoken.
class tls_context {
public:
    /// Reads the files that the options name; see `set_trust` and `set_identity` for the errors.
    static result<std::shared_ptr<tls_context>> make(const tls_options& options);

    /// Handshake as client of `host`, which the server's certificate has to name unless the options say otherwise. The
    /// socket is consumed.
    asio::awaitable<result<std::unique_ptr<byte_stream>>> handshake(asio::ip::tcp::socket socket, std::string host,
                                                                    std::chrono::steady_clock::time_point due);

    /// Another context has come in its place: what it has connected is outdated from now on.
    void replaced() noexcept;

    struct impl;
    explicit tls_context(std::unique_ptr<impl>);
    ~tls_context();

private:
    std::unique_ptr<impl> impl_;
};

}  // namespace dynconf::transport
