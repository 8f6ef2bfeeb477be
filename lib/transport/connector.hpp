#pragma once

#include <dynconf/endpoint.hpp>
#include <dynconf/error.hpp>
#include <dynconf/options.hpp>

#include "policy/event_log.hpp"
#include "transport/byte_stream.hpp"
#include "transport/tls_reload.hpp"

#include <chrono>
#include <memory>

namespace dynconf::transport {

/// Opens connections. One strand.
class connector {
public:
    using time_point = std::chrono::steady_clock::time_point;

    virtual ~connector() = default;

    /// Each step has its own timeout; `due` ends them all.
    virtual asio::awaitable<result<std::unique_ptr<byte_stream>>> connect(endpoint to, time_point due) = 0;
    /// To be awaited before a TLS connection is used again: looks now and then whether it is outdated.
    virtual asio::awaitable<void> look_after_open(time_point) { co_return; }
};

/// The system's connections, or those of the simulation.
std::shared_ptr<connector> make_connector(const asio::any_io_executor& executor, const client_options& options);

/// Those of the system. Names are resolved anew each time, and all their addresses are tried.
class socket_connector final : public connector {
public:
    socket_connector(asio::any_io_executor executor, const client_options& options);

    asio::awaitable<result<std::unique_ptr<byte_stream>>> connect(endpoint to, time_point due) override;
    asio::awaitable<void> look_after_open(time_point due) override { return tls_.look_after_open(due); }

private:
    asio::awaitable<result<std::unique_ptr<byte_stream>>> connect_tcp(const endpoint& to, time_point due);
    asio::awaitable<result<std::unique_ptr<byte_stream>>> connect_unix(const endpoint& to);
    asio::awaitable<result<std::vector<asio::ip::tcp::endpoint>>> resolve(const endpoint& to, time_point due);
    /// Also where there is no log: nobody must switch it off without being told.
    void tell_of_no_verification(const endpoint& to);

    asio::any_io_executor executor_;
    std::chrono::milliseconds connect_timeout_;
    std::chrono::milliseconds tls_timeout_;
    policy::event_log log_;
    tls_reload tls_;
    bool verifies_;
};

}  // namespace dynconf::transport
