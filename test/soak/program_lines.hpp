#pragma once

#include "testing/history.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::test {

/// What `dynconf watch --json` prints, line by line, as what a mirror has seen.
class program_lines {
public:
    using time_point = testing::time_point;

    /// With the ranges that the program watches. `to` has to live longer.
    explicit program_lines(testing::observer& to) : to_(to) { to_.what = testing::observer::kind::mirror; }

    void take(time_point at, std::string_view line);
    /// Lines that nobody can make sense of.
    const std::vector<std::string>& faults() const noexcept { return faults_; }

    struct figures {
        std::size_t revisions = 0, resyncs = 0, times_not_live = 0;
        std::chrono::milliseconds longest_not_live{0};
    };
    const figures& seen() const noexcept { return figures_; }

private:
    void state(time_point at, const std::string& now);

    testing::observer& to_;
    std::vector<std::string> faults_;
    figures figures_;
    std::string state_;
    std::optional<time_point> not_live_since_;
};

}  // namespace dynconf::test
