#pragma once

#include "etcd/client_access.hpp"
#include "etcd/client_core.hpp"
#include "mock/call_scene.hpp"

#include <cstdint>
#include <functional>
#include <string>

// The heart of a client, beside fake gateways.

namespace dynconf::test {

inline std::string status_body(std::uint64_t leader = 1, const std::string& more = {}) {
    return "{" + header(5) + ",\"version\":\"3.5.16\",\"leader\":\"" + std::to_string(leader) + "\"" + more + "}";
}

inline const auto healthy_status = [](const gateway_request&) { return json(status_body()); };
inline const auto no_leader = [](const gateway_request&) { return json(fault(14, "etcdserver: no leader"), 503); };

inline etcd::client_core& core_of(client& c) { return *dynconf::detail::client_access::core(c); }

inline etcd::call read_call(bool background = false) {
    etcd::call what;
    what.name = "range";
    what.path = "/v3/kv/range";
    what.background = background;
    return what;
}

/// Runs `what` on the core's strand, where all of the core's members are at home.
inline void with_core(const client_options& options, const std::function<asio::awaitable<void>(etcd::client_core&)>& what) {
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        auto body = [&]() -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            co_await what(core_of(c));
        };
        co_await asio::co_spawn(core_of(c).executor(), std::move(body), asio::use_awaitable);
    });
}

inline asio::awaitable<result<range_response>> read(etcd::client_core& core, bool background = false) {
    const std::string body = "{}";
    co_return co_await core.unary<range_response>(read_call(background), body);
}

}  // namespace dynconf::test
