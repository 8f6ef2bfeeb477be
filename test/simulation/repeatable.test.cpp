#include "simulation/stage.hpp"

#include "support/catch.hpp"

using namespace dynconf::simulation_test;

namespace {

std::vector<std::string> trace_of(std::uint64_t seed) {
    std::vector<std::string> lines;
    stage s(seed, [&lines](const std::string& line) { lines.push_back(line); });
    const verdict v = s.play();
    for (const std::string& f : v.faults) lines.push_back(f);
    return lines;
}

}  // namespace

TEST_CASE("the same seed gives the same run, line by line", "[simulation]") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        INFO("seed " << seed);
        const auto once = trace_of(seed), again = trace_of(seed);
        std::size_t same = 0;
        while (same < once.size() && same < again.size() && once[same] == again[same]) ++same;
        INFO("they part after: " << (same == 0 ? std::string() : once[same - 1]));
        CHECK(same == once.size());
        CHECK(same == again.size());
        CHECK(once.size() > 100);
    }
}
