#pragma once

#include "policy/longest_wait.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace dynconf::policy {

/// When to write a copy of something that changes. Time comes in as steady time points.
class write_pacing {
public:
    using time_point = std::chrono::steady_clock::time_point;
    using duration = std::chrono::milliseconds;

    /// A write takes along what changes within `settle` of the first change.
    static constexpr duration settle{1'000};
    /// The pause after a failure, unless something changes before.
    static constexpr duration after_failure{60'000};

    /// How long a copy that is right, but says less than is known, may stay so.
    static constexpr duration outdated_for{600'000};

    /// At most one write in `every`; what was confirmed is written again each `renew` (zero: never).
    write_pacing(duration every, duration renew) noexcept
        : every_(std::clamp(every, duration(0), longest_wait)), renew_(std::clamp(renew, duration(0), longest_wait)) {}

    /// The copy of `age` was read and need not be written.
    void loaded(time_point now, duration age) noexcept { written_ = now - age; }
    void changed(time_point now) noexcept;
    /// Unchanged, and known to be so: a copy may be renewed by it.
    void confirmed() noexcept { confirmed_ = true; }
    /// Unchanged, but more is known of it: worth the last write, and one now and then before.
    void outdated() noexcept { outdated_ = true; }

    /// A write of all there is begins; what changes meanwhile is for the next one.
    void begun(time_point now) noexcept;
    void succeeded(time_point now) noexcept;
    void failed(time_point now) noexcept;

    /// Something is not on disk.
    bool dirty() const noexcept { return changed_ || retry_ || outdated_; }
    /// When to write next; nothing while there is no need, or a write is under way.
    std::optional<time_point> due() const noexcept;

private:
    duration every_;
    duration renew_;
    bool busy_ = false;
    bool confirmed_ = false;
    bool outdated_ = false;
    std::optional<time_point> changed_;   // the first change that no write has begun with
    std::optional<time_point> retry_;     // the last write failed
    std::optional<time_point> tried_;     // when the last write began
    std::optional<time_point> written_;   // as of when the copy is
};

}  // namespace dynconf::policy
