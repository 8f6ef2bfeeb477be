#pragma once

#include <dynconf/config/cache.hpp>
#include <dynconf/types.hpp>

#include <chrono>
#include <vector>

namespace dynconf::policy {

/// What a whole, undamaged copy says of itself.
struct cache_facts {
    std::vector<key_range> ranges;
    std::chrono::system_clock::time_point as_of{};
};

/// What a start needs.
struct cache_demands {
    std::vector<key_range> ranges;
    std::chrono::system_clock::time_point now{};
    std::chrono::seconds max_age{0};   ///< Zero: any age.
};

/// Usable, other_ranges or too_old. A time in the future is no reason to refuse: nothing better is known.
cache_verdict judge(const cache_facts& have, const cache_demands& want);

/// Which file a write may rotate into the place of the previous generation, so that one whole generation exists at each
/// moment: the current one only when it is known to be good, else the previous one may be all there is.
class cache_generations {
public:
    void found(cache_verdict current) noexcept { current_is_good_ = current == cache_verdict::usable; }
    void written() noexcept { current_is_good_ = true; }
    /// Where a write stopped is not known.
    void failed() noexcept { current_is_good_ = false; }
    bool may_rotate() const noexcept { return current_is_good_; }

private:
    bool current_is_good_ = false;
};

}  // namespace dynconf::policy
