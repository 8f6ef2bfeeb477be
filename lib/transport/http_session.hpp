#pragma once

#include <dynconf/error.hpp>

#include "transport/byte_stream.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace dynconf::transport {

/// Takes an answer as it arrives.
class response_sink {
public:
    virtual ~response_sink() = default;
    /// Before the first byte of the body.
    virtual void on_head(unsigned status) = 0;
    /// False: what came is no answer; the exchange ends with errc::malformed_response.
    virtual bool on_body(std::string_view piece) = 0;
};

/// One HTTP/1.1 connection with one exchange at a time. Knows nothing of etcd. To be used from one strand.
class http_session {
public:
    http_session(std::unique_ptr<byte_stream> stream, asio::any_io_executor executor);
    ~http_session();
    http_session(const http_session&) = delete;
    http_session& operator=(const http_session&) = delete;

    /// Writes a whole request, head and body. Its answer goes to `sink`, which has to outlive the exchange.
    asio::awaitable<result<void>> send(std::string_view request, response_sink& sink, std::size_t body_limit);
    /// Reads once and feeds the sink. True: the answer is complete.
    asio::awaitable<result<bool>> read_some();

    /// From now until `due` the exchange must have ended or moved the deadline, else it fails with deadline_exceeded.
    void expires_at(std::chrono::steady_clock::time_point due);
    void no_deadline();

    /// At least one byte of the current request was handed to the network.
    bool request_left() const noexcept;
    /// Idle, kept alive by both sides, not outdated, and the peer has not begun to close.
    bool reusable() noexcept;
    /// See `byte_stream::outdated`.
    bool outdated() const noexcept;
    void close() noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// No limit on the body of an answer: for streams.
inline constexpr std::size_t unlimited = static_cast<std::size_t>(-1);

}  // namespace dynconf::transport
