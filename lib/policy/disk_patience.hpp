#pragma once

#include <atomic>
#include <chrono>

namespace dynconf::policy {

/// How long to wait for work that asks a disk: while the disk goes on answering, and while the work has no need of it.
/// A disk that hangs is told from one that is slow, and from a slow processor. Safe from two threads.
class disk_patience {
public:
    using clock = std::chrono::steady_clock;

    disk_patience(std::chrono::milliseconds silence, clock::time_point now) noexcept : silence_(silence), asked_(now) {}

    /// The disk is asked, or has answered and is asked for more.
    void asked(clock::time_point now) noexcept { asked_ = now; }
    /// What follows does not need it.
    void not_needed() noexcept { asked_ = clock::time_point::max(); }

    /// When to give up, unless this has moved on by then.
    clock::time_point due(clock::time_point now) const noexcept {
        const clock::time_point asked = asked_;
        return (asked == clock::time_point::max() ? now : asked) + silence_;
    }

private:
    const std::chrono::milliseconds silence_;
    std::atomic<clock::time_point> asked_;
};

}  // namespace dynconf::policy
