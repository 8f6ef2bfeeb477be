#pragma once

#include <dynconf/detail/export.hpp>

#include <functional>
#include <optional>
#include <string>

namespace dynconf {

/// Looks up an environment variable: nothing when it is not set, an empty text when it is set to nothing.
using environment_lookup = std::function<std::optional<std::string>(const std::string& variable)>;

/// The environment of this process, read at each call. As with getenv, nobody may change it meanwhile.
DYNCONF_API environment_lookup process_environment();

}  // namespace dynconf
