#include "policy/cache_choice.hpp"

namespace dynconf::policy {

cache_verdict judge(const cache_facts& have, const cache_demands& want) {
    if (have.ranges != want.ranges) return cache_verdict::other_ranges;
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(want.now - have.as_of);   // a limit may be very large
    if (want.max_age.count() > 0 && age > want.max_age) return cache_verdict::too_old;
    return cache_verdict::usable;
}

}  // namespace dynconf::policy
