#pragma once

#include <dynconf/client.hpp>

#include "support/run.hpp"

#include <functional>
#include <string>

namespace dynconf::test {

inline const std::string watch_path = "/v3/watch";
inline const std::string range_path = "/v3/kv/range";
inline const std::string txn_path = "/v3/kv/txn";
inline const std::string put_path = "/v3/kv/put";
inline const std::string auth_path = "/v3/auth/authenticate";
inline const std::string keep_alive_path = "/v3/lease/keepalive";
inline const std::string status_path = "/v3/maintenance/status";

inline client_options with_user(client_options o) {
    o.auth = credentials{"svc", "hunter2"};
    return o;
}

using client_body = std::function<asio::awaitable<void>(client&)>;

/// Runs `what` with a client of its own.
inline void with_client(const client_options& options, const client_body& what) {
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client etcd(executor, options);
        co_await what(etcd);
    });
}

}  // namespace dynconf::test
