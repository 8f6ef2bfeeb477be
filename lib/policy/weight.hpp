#pragma once

#include <dynconf/types.hpp>

#include <cstddef>

namespace dynconf::policy {

/// The memory of a pair, as it counts against a limit.
inline std::size_t weight(const key_value& kv) noexcept { return sizeof kv + kv.key.size() + kv.value.size(); }

}  // namespace dynconf::policy
