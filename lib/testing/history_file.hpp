#pragma once

#include "testing/history.hpp"

#include <istream>
#include <ostream>

namespace dynconf::testing {

/// One JSON object a line; docs/checker.md tells of each member. Moments are nanoseconds since the clock's epoch.
void write_history(std::ostream& out, const history& h);

/// Lines in any order, but for the sights of an observer, which keep theirs and come after it. Throws std::runtime_error
/// with the line and the member that cannot be read: "line 7: events[0].kv.key: missing".
history read_history(std::istream& in);

}  // namespace dynconf::testing
