#include "testing/electorate.hpp"

#include <algorithm>

namespace dynconf::testing {

bool electorate::has_majority() const noexcept {
    return 2 * static_cast<std::size_t>(std::count(in_touch_.begin(), in_touch_.end(), true)) > in_touch_.size();
}

std::size_t electorate::next_leader() const {
    std::size_t next = leader_;
    do next = (next + 1) % in_touch_.size();
    while (!in_touch_[next] && next != leader_);
    return next;
}

}  // namespace dynconf::testing
