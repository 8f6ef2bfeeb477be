#pragma once

#include <algorithm>
#include <chrono>

namespace dynconf::policy {

/// As good as for ever, and far from the end of the clock's range: longer ones would overflow where a time is added to them.
inline constexpr std::chrono::milliseconds longest_wait = std::chrono::hours(24 * 365);

/// `d`, or that.
constexpr std::chrono::milliseconds within_the_clock(std::chrono::milliseconds d) noexcept { return std::min(d, longest_wait); }

}  // namespace dynconf::policy
