#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace dynconf::test {

/// How many the process has.
inline std::size_t threads() {
    const std::filesystem::directory_iterator all("/proc/self/task"), none;
    return static_cast<std::size_t>(std::distance(all, none));
}

}  // namespace dynconf::test
