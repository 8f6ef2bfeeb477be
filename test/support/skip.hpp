#pragma once

#include "support/catch.hpp"

#include <string>

namespace dynconf::test {

/// Says why the running test case is skipped; the report counts it as skipped unless it also fails.
void note_skip(std::string reason);

}  // namespace dynconf::test

/// Ends the running test case as skipped. Only in the body of a TEST_CASE: with Catch2 v2 it is a plain `return`.
#ifdef SKIP
#define SKIP_CASE(reason)                    \
    do {                                     \
        ::dynconf::test::note_skip(reason);  \
        SKIP(reason);                        \
    } while (false)
#else
#define SKIP_CASE(reason)                    \
    do {                                     \
        ::dynconf::test::note_skip(reason);  \
        WARN("skipped: " << (reason));       \
        return;                              \
    } while (false)
#endif
