#include "policy/first_change.hpp"

#include "support/catch.hpp"

#include <map>
#include <random>

using namespace dynconf;
using policy::first_change;

namespace {

/// The past of one key: at these revisions it got this mod_revision, or 0 for a deletion.
using past = std::map<revision_t, revision_t>;

revision_t mod_at(const past& p, revision_t at) {
    const auto next = p.upper_bound(at);
    return next == p.begin() ? 0 : std::prev(next)->second;
}

struct answer {
    revision_t at;
    int reads;
};

answer search(const past& p, revision_t since, revision_t newest) {
    first_change change(since, newest, mod_at(p, newest));
    REQUIRE_FALSE(change.nonsense());
    int reads = 0;
    if (!change.none_yet())
        while (const auto revision = change.next()) {
            REQUIRE(*revision > since);
            REQUIRE(*revision < newest);
            REQUIRE(++reads < 70);
            change.read(*revision, mod_at(p, *revision));
        }
    return {change.at(), reads};
}

}  // namespace

TEST_CASE("first change: none while the key is as it was", "[policy]") {
    const first_change change(5, 900, 5);
    CHECK(change.none_yet());
    CHECK_FALSE(change.nonsense());
}

TEST_CASE("first change: a single one costs one read, the next revision none", "[policy]") {
    CHECK(search({{5, 5}, {800, 800}}, 5, 900).at == 800);
    CHECK(search({{5, 5}, {800, 800}}, 5, 900).reads == 1);
    CHECK(search({{5, 5}, {6, 6}}, 5, 900).at == 6);
    CHECK(search({{5, 5}, {6, 6}}, 5, 900).reads == 0);
}

TEST_CASE("first change: a deletion is one, even when the key was made anew", "[policy]") {
    CHECK(search({{5, 5}, {40, 0}}, 5, 900).at == 40);
    CHECK(search({{5, 5}, {40, 0}, {41, 41}, {700, 700}}, 5, 900).at == 40);
    CHECK(search({{5, 5}, {40, 40}, {41, 0}}, 5, 900).at == 40);
}

TEST_CASE("first change: a store that went back says so", "[policy]") {
    CHECK(first_change(50, 40, 0).nonsense());
    CHECK(first_change(50, 90, 40).nonsense());
}

TEST_CASE("first change: the same as a walk through every revision, in few reads", "[policy]") {
    std::mt19937 random(7);
    const auto below = [&](int n) { return static_cast<revision_t>(random() % static_cast<unsigned>(n)); };
    for (int round = 0; round < 3000; ++round) {
        const revision_t since = 1 + below(50);
        const revision_t newest = since + 1 + below(5000);
        past p{{since, since}};
        for (auto changes = 1 + below(6); changes > 0; --changes) {
            const revision_t at = since + 1 + below(static_cast<int>(newest - since));
            p[at] = below(3) == 0 ? 0 : at;
        }
        const answer found = search(p, since, newest);
        CHECK(found.at == std::next(p.begin())->first);
        CHECK(found.reads <= 15);
    }
}
