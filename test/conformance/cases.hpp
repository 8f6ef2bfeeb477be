#pragma once

#include "conformance/target.hpp"

#include <span>

namespace dynconf::test {

/// What an etcd does, whichever it is. Each begins with an empty one.
struct conformance_case {
    const char* name;
    void (*run)(target&);
    target_settings settings = {};
};

std::span<const conformance_case> kv_cases();
std::span<const conformance_case> watch_cases();    ///< And of leases.
std::span<const conformance_case> server_cases();   ///< Users, members, maintenance, the form of requests.

/// All of them, each on what `with` makes.
template <class F>
void each_conformance_case(F&& with) {
    for (const auto cases : {kv_cases(), watch_cases(), server_cases()})
        for (const conformance_case& c : cases) with(c);
}

}  // namespace dynconf::test
