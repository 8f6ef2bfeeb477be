#pragma once

#include <dynconf/options.hpp>

#include <chrono>
#include <functional>

namespace dynconf::policy {

/// Uniform in [0, 1).
using random_source = std::function<double()>;

/// The pauses between tries. Time comes in as steady time points, chance through `random`.
class backoff {
public:
    using time_point = std::chrono::steady_clock::time_point;

    backoff(backoff_options options, random_source random);

    /// A try failed at `now`: how long to wait before the next one.
    std::chrono::milliseconds failed(time_point now);
    /// A try worked at `now`. The pause starts over once this has held for `options.healthy`.
    void succeeded(time_point now) noexcept;

private:
    backoff_options options_;
    random_source random_;
    unsigned failures_ = 0;
    bool up_ = false;
    time_point up_since_{};
};

/// Seeded from the operating system, one generator a thread.
random_source system_random();

}  // namespace dynconf::policy
