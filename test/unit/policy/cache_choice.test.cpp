#include "policy/cache_choice.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using policy::judge;

namespace {

using ranges = std::vector<key_range>;
const auto now = std::chrono::system_clock::time_point(std::chrono::hours(400'000));
const ranges app{key_range::prefix("/app/"), key_range::key("/shared/Key")};

}  // namespace

TEST_CASE("which copy on disk is usable", "[policy][cache]") {
    struct row { const char* what; ranges have; std::chrono::seconds age, max_age; cache_verdict expected; };
    const row table[] = {
        {"fresh", app, 0s, 60s, cache_verdict::usable},
        {"just old enough to be used", app, 60s, 60s, cache_verdict::usable},
        {"one second older", app, 61s, 60s, cache_verdict::too_old},
        {"years old, without a limit", app, std::chrono::hours(100'000), 0s, cache_verdict::usable},
        {"the largest limit there is", app, std::chrono::hours(100'000), std::chrono::seconds::max(), cache_verdict::usable},
        {"from the future", app, -std::chrono::hours(10), 60s, cache_verdict::usable},
        {"of another root", ranges{key_range::prefix("/other/")}, 0s, 60s, cache_verdict::other_ranges},
        {"of a part", ranges{key_range::prefix("/app/")}, 0s, 60s, cache_verdict::other_ranges},
        {"of more", ranges{app[0], app[1], key_range::key("/z")}, 0s, 60s, cache_verdict::other_ranges},
        {"of nothing", ranges{}, 0s, 60s, cache_verdict::other_ranges},
        {"the same first key, another end", ranges{key_range::interval("/app/", "/app1"), app[1]}, 0s, 60s, cache_verdict::other_ranges},
        {"of other keys, and old", ranges{}, 100s, 60s, cache_verdict::other_ranges},
    };
    for (const row& r : table) {
        INFO(r.what);
        policy::cache_facts have;
        have.ranges = r.have;
        have.as_of = now - r.age;
        policy::cache_demands want;
        want.ranges = app;
        want.now = now;
        want.max_age = r.max_age;
        CHECK(judge(have, want) == r.expected);
    }
}

TEST_CASE("a bad file never takes the place of a good previous one", "[policy][cache]") {
    for (int v = 0; v <= static_cast<int>(cache_verdict::too_old); ++v) {
        const auto verdict = static_cast<cache_verdict>(v);
        INFO(static_cast<int>(verdict));
        policy::cache_generations g;
        CHECK_FALSE(g.may_rotate());
        g.found(verdict);
        CHECK(g.may_rotate() == (verdict == cache_verdict::usable));
        g.written();
        CHECK(g.may_rotate());
        g.failed();   // perhaps between two steps
        CHECK_FALSE(g.may_rotate());
    }
}
