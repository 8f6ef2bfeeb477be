#include "testing/history.hpp"

#include <algorithm>

namespace dynconf::testing {

bool wants(const observer& o, const event& e) {
    if (e.type == event::kind::put ? o.no_put : o.no_delete) return false;
    return std::any_of(o.ranges.begin(), o.ranges.end(), [&](const key_range& r) { return r.contains(e.kv.key); });
}

}  // namespace dynconf::testing
