#pragma once

#include <dynconf/log.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace dynconf::policy {

/// Keeps a fault that repeats from filling the log. The first record of a fault passes, then at most one a window, which
/// grows from `first_window` to `last_window`; what was held back is counted. A fault that was quiet for `last_window`
/// counts as new. Two records are of the same fault when event and fields agree; fields that only measure (revision,
/// pause_ms, keys) do not count. Records below `warning`, which tell of recoveries, always pass.
class log_limiter {
public:
    using time_point = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds first_window{1};
    static constexpr std::chrono::seconds last_window{60};
    static constexpr std::size_t most_faults = 128;   ///< Remembered; of more, the longest quiet is forgotten.

    /// How many were held back before this one; none: hold this one back.
    std::optional<std::uint64_t> admit(const log_record& record, time_point now);

private:
    struct fault {
        time_point seen;
        time_point passes;   // no other before
        std::chrono::seconds window;
        std::uint64_t held = 0;
    };

    void make_room();

    std::map<std::string, fault> faults_;
};

}  // namespace dynconf::policy
