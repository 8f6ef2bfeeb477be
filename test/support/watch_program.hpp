#pragma once

#include "support/child_process.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace dynconf::test {

/// `dynconf watch --json` as a child, with its lines and the moments they were read. Start it from a thread that outlives
/// it; the lines may be asked for from any.
class watch_program {
public:
    struct line {
        std::chrono::steady_clock::time_point at;
        std::string text;
    };

    watch_program(const std::string& tool, std::vector<std::string> arguments);
    ~watch_program();
    watch_program(const watch_program&) = delete;
    watch_program& operator=(const watch_program&) = delete;

    child_process& process() noexcept { return *process_; }
    /// All up to now; a last line that was cut off is among them once the program has ended.
    std::vector<line> lines() const;
    /// Those from the given one on.
    std::vector<line> lines_from(std::size_t first) const;
    /// SIGTERM, its end and the end of its output; the exit status.
    std::optional<int> end(std::chrono::steady_clock::duration limit);

    /// Waits for a line of at least that revision; an empty `type` is any.
    bool await(const std::string& type, std::int64_t revision, std::chrono::steady_clock::duration limit) const;
    /// Waits until that is the last state it has told.
    bool await_state(const std::string& state, std::chrono::steady_clock::duration limit) const;

private:
    void read(int from);

    std::optional<child_process> process_;
    std::thread reader_;
    mutable std::mutex mutex_;
    std::vector<line> lines_;
};

}  // namespace dynconf::test
