#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::test {

/// A program that a test started. Signals go to it alone, and only until it was reaped. It dies with the thread that
/// started it, however that ends: start it from one that outlives it.
class child_process {
public:
    /// File descriptors that become the program's; -1 is /dev/null.
    struct streams {
        int in = -1;
        int out = -1;
        int err = -1;
    };

    /// argv[0] is looked up in PATH unless it holds a slash. Status 127 when it cannot be executed.
    child_process(const std::vector<std::string>& argv, streams io, std::vector<std::string> environment);
    child_process(child_process&& other) noexcept;
    child_process& operator=(child_process&& other) noexcept;
    ~child_process();

    pid_t pid() const noexcept { return pid_; }
    bool running() noexcept;
    void signal(int number) noexcept;
    /// SIGSTOP; back when all its threads stand still. Goes on by SIGCONT.
    void stop() noexcept;
    /// The exit status, 128 + number for a death by signal; nothing when it goes on past `limit`.
    std::optional<int> wait(std::chrono::steady_clock::duration limit) noexcept;
    /// SIGKILL, and waits.
    void kill() noexcept;

private:
    pid_t pid_ = -1;  // -1: reaped
    int status_ = 0;
};

/// This process's environment without the variables whose names start with `prefix`.
std::vector<std::string> environment_without(std::string_view prefix);

struct program_output {
    int status = 0;  ///< As child_process::wait(); -1 when it had to be killed at the limit.
    std::string out;
    std::string err;
};

/// Runs a program to its end.
program_output run_program(const std::vector<std::string>& argv, std::string_view input = {},
    std::vector<std::string> environment = environment_without("DYNCONF_"),
    std::chrono::steady_clock::duration limit = std::chrono::seconds(30));

}  // namespace dynconf::test
