#pragma once

#include <dynconf/capabilities.hpp>

#include "etcd/client_core.hpp"

#include <chrono>

namespace dynconf::etcd {

/// See maintenance::probe. No single question takes longer than until `due`.
asio::awaitable<result<capability_report>> probe_each(client_core& core, std::chrono::steady_clock::time_point due);

/// By the version alone: what was mended when.
endpoint_capabilities::progress progress_of(std::string_view version) noexcept;

/// By the look of a token.
endpoint_capabilities::token_kind kind_of_token(std::string_view token) noexcept;

}  // namespace dynconf::etcd
