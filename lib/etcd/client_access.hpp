#pragma once

#include <dynconf/client.hpp>

#include "etcd/client_core.hpp"

#include <memory>

namespace dynconf::detail {

/// How the facets reach the core behind a client.
struct client_access {
    static const std::shared_ptr<etcd::client_core>& core(const client& c) noexcept { return c.core_; }
    static const std::shared_ptr<etcd::sealer>& sealer(const client& c) noexcept { return c.sealer_; }
};

}  // namespace dynconf::detail
