#pragma once

#include "config/compiled_schema.hpp"
#include "config/snapshot_data.hpp"

#include <dynconf/config/environment.hpp>
#include <dynconf/config/rejection.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::detail {

/// Settings found by one load, and what was refused on the way.
struct loaded_settings {
    std::vector<std::pair<std::string, entry>> entries;  ///< One for each mapped name, null values included.
    std::vector<rejection> rejections;
};

/// The entry of a name that has no text anywhere: its default, or null, with the refusal when it is required.
entry default_entry(const compiled_schema& schema, std::string_view name, std::optional<error>& refused);

/// One setting from the environment. A variable that is not set gives the default; one that is refused gives the default
/// and a rejection; a required setting without a value is null and a rejection (`required_missing`).
entry environment_entry(const compiled_schema& schema, const std::string& name, const environment_lookup& look_up,
                        std::vector<rejection>& rejections);

/// Every mapped setting from the environment.
loaded_settings load_environment(const compiled_schema& schema, const environment_lookup& look_up);

}  // namespace dynconf::detail
