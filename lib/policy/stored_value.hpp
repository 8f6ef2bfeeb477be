#pragma once

#include <dynconf/key_ring.hpp>
#include <dynconf/rotation.hpp>

#include "policy/rotation_plan.hpp"

#include <string>

namespace dynconf::policy {

/// What a value is by a ring and by the formats of the options, and, unless in a dry run, what it has to become. `key` is
/// etcd's whole name. Each value is opened, also one that stays as it is: a broken one is told.
stored_look look_at(const key_ring& ring, const rotation_options& options, const std::string& key, const std::string& value);

}  // namespace dynconf::policy
