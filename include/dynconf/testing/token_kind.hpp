#pragma once

#include <cstdint>

namespace dynconf::testing {

/// How a member makes its tokens: etcd's `--auth-token`.
enum class token_kind : std::uint8_t {
    simple,   ///< Each use renews it, at the member that it was sent to, which forgets it when it restarts.
    jwt,      ///< Of a fixed life, and refused after any change of users, roles and permissions.
};

}  // namespace dynconf::testing
