#pragma once

#include "options.hpp"

namespace dynconf::tool {

/// Executes get, put, del or status.
exit_code run_command(const request& asked);

/// Executes watch: until SIGINT or SIGTERM, or until nobody reads what it writes.
exit_code run_watch(const request& asked);

}  // namespace dynconf::tool
