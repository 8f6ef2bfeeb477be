#pragma once

#include <dynconf/maintenance.hpp>

#include "etcd/client_core.hpp"

#include <chrono>
#include <filesystem>
#include <optional>

namespace dynconf::etcd {

/// See maintenance::snapshot.
asio::awaitable<result<dynconf::snapshot_response>> take_snapshot(client_core& core, std::filesystem::path path,
                                                                  std::optional<std::chrono::steady_clock::time_point> due);

}  // namespace dynconf::etcd
