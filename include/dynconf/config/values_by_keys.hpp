#pragma once

#include <dynconf/config/schema.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/detail/export.hpp>

#include <span>
#include <string>

namespace dynconf {

/// What one snapshot has for absolute etcd keys: key -> coerced value, null for a key that is no setting of the schema or
/// has no value. All of it is from the same moment, and nothing is asked of etcd. Secrets are given as they are.
/// `what` is the schema of the manager that `from` came from; its maps are built anew for each call. Never throws but for
/// want of memory; safe to use from any thread.
DYNCONF_API config_map get_values_by_keys(const schema& what, const snapshot& from, std::span<const std::string> keys);

}  // namespace dynconf
