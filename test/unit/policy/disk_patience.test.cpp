#include "policy/disk_patience.hpp"

#include "support/catch.hpp"

using namespace std::chrono_literals;
using dynconf::policy::disk_patience;

TEST_CASE("a disk that is silent is given up, one that goes on answering is not", "[policy][cache]") {
    const disk_patience::clock::time_point start = disk_patience::clock::time_point() + 1000h;
    disk_patience p(2s, start);
    CHECK(p.due(start) == start + 2s);
    CHECK(p.due(start + 5s) == start + 2s);
    p.asked(start + 1s);
    CHECK(p.due(start + 2s) == start + 3s);
    p.not_needed();   // however long that takes
    CHECK(p.due(start + 3s) > start + 3s);
    CHECK(p.due(start + 100s) > start + 100s);
    p.asked(start + 100s);   // another file
    CHECK(p.due(start + 101s) == start + 102s);
}
