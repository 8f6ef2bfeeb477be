#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace dynconf::test {

/// scripts/figures asks for the whole figure (DYNCONF_TEST_FULL=1) where the suite shows a short one.
inline bool in_full() {
    const char* text = std::getenv("DYNCONF_TEST_FULL");
    return text && *text;
}
/// How long a test goes on that could do so for ever: DYNCONF_TEST_SECONDS, or so long.
inline std::chrono::seconds lasting(std::chrono::seconds otherwise) {
    const char* text = std::getenv("DYNCONF_TEST_SECONDS");
    return text && *text ? std::chrono::seconds(std::max(1, std::atoi(text))) : otherwise;
}

}  // namespace dynconf::test
