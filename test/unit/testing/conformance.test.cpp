#include "conformance/cases.hpp"
#include "support/catch.hpp"

// The cases that real etcds pass (test/conformance/conformance.test.cpp), on the fake one of each version.

using namespace dynconf::test;

TEST_CASE("fake etcd: does what an etcd does") {
    for (const char* version : {"3.4.23", "3.4.42", "3.5.16", "3.5.30", "3.5.33", "3.6.14", "3.7.1"})
        each_conformance_case([&](const conformance_case& c) {
            INFO("etcd " << version << ", " << c.name);
            fake_target t(version, c.settings);
            c.run(t);
        });
}
