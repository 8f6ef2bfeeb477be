#include "policy/signs_of_life.hpp"

#include <algorithm>

namespace dynconf::policy {

signs_of_life::step signs_of_life::next(time_point now, bool in_use) const noexcept {
    if (silent_ || lost_) return give_up{lost_};
    if (now >= unused_until_ && !in_use) return give_up{false};
    if (now >= sign_at_) return ask{now + limit_};
    return wait{now < unused_until_ ? std::min(sign_at_, unused_until_) : sign_at_};
}

void signs_of_life::answered(time_point asked, time_point now, bool alive, bool may_be_lost) noexcept {
    const bool quick = now - asked < limit_ / 16;
    silent_ = !alive;
    lost_ = alive && quick && may_be_lost && now - began_ >= limit_;
    sign_at_ = now + limit_ / 2;
}

}  // namespace dynconf::policy
