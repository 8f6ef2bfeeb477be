#pragma once

#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <string>

namespace dynconf {

/// A value that was not taken over. The setting keeps its last good value, or its default before there was one.
struct rejection {
    std::string name;         ///< The setting.
    std::string key;          ///< The etcd key, or the environment variable; empty when it has none.
    /// `schema_violation` or `required_missing`; of a sealed view also what key_value::unreadable says. Holds no secret.
    error reason;
    revision_t revision = 0;  ///< etcd's revision of the refused write; 0 when it is not from etcd.
};

}  // namespace dynconf
