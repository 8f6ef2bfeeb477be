#include "policy/file_changes.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

bool file_changes::due(const stamps& now_there, wall_time now) const noexcept {
    if (!in_use_ || seen_ != now_there) return true;
    return settled_at_ != wall_time() && now >= settled_at_;
}

void file_changes::reading(stamps now_there, wall_time now) {
    wall_time last{};
    for (const file_stamp& one : now_there) last = std::max(last, one.changed);
    settled_at_ = now < last + settle ? last + settle : wall_time();
    same_ = seen_ == now_there;
    seen_ = std::move(now_there);
}

file_changes::verdict file_changes::read(bool usable) noexcept {
    const bool refused_before = std::exchange(refused_, !usable);
    if (usable) return std::exchange(in_use_, true) && (!same_ || refused_before) ? verdict::replace : verdict::take;
    if (!in_use_) return verdict::fail;
    return same_ && refused_before ? verdict::keep_still : verdict::keep;
}

}  // namespace dynconf::policy
