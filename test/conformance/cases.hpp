#pragma once

#include "conformance/target.hpp"

#include <span>

namespace dynconf::test {

/// What an etcd does, whichever it is. Each begins with an empty one.
struct conformance_case {
    const char* name;
    void (*run)(target&);
};

std::span<const conformance_case> conformance_cases();

}  // namespace dynconf::test
