#pragma once

#include <dynconf/options.hpp>

#include "testing/member_server.hpp"
#include "transport/connector.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace dynconf::testing {

class memory_stream;

/// Who listens under which "host:port". One thread.
class memory_network {
public:
    void listen(std::string authority, std::weak_ptr<member_server> who) { listeners_.insert_or_assign(std::move(authority), std::move(who)); }
    std::shared_ptr<member_server> find(const std::string& authority) const {
        const auto found = listeners_.find(authority);
        return found == listeners_.end() ? nullptr : found->second.lock();
    }

    /// A client's end of a new connection, on its way to the client: a test can put something of its own before it, or let
    /// the connecting fail.
    std::function<result<std::unique_ptr<transport::byte_stream>>(std::unique_ptr<memory_stream>)> between;

private:
    std::map<std::string, std::weak_ptr<member_server>> listeners_;
};

/// Connects to members in memory. TLS is not spoken: https connects as http does.
class memory_connector final : public transport::connector {
public:
    memory_connector(asio::any_io_executor executor, std::shared_ptr<memory_network> network, std::chrono::milliseconds timeout)
        : executor_(std::move(executor)), network_(std::move(network)), timeout_(timeout) {}

    asio::awaitable<result<std::unique_ptr<transport::byte_stream>>> connect(endpoint to, time_point due) override;

private:
    asio::any_io_executor executor_;
    std::shared_ptr<memory_network> network_;
    std::chrono::milliseconds timeout_;
};

}  // namespace dynconf::testing
