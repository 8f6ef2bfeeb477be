// The search on large histories: what is right is found to be, and each lie in an answer is found.

#include "support/catch.hpp"
#include "unit/testing/random_run.hpp"

#include <random>

using namespace dynconf;
using namespace dynconf::test;

namespace {

std::string first_of(const std::vector<violation>& all) {
    return all.empty() ? "" : std::string(name_of(all.front().broken)) + ": " + all.front().words;
}

/// Some answer is another one now; false where nothing could be changed.
bool lie(history& h, std::mt19937_64& random) {
    for (int tries = 0; tries < 1'000; ++tries) {
        operation& o = h.operations[random() % h.operations.size()];
        if (!o.answer) continue;
        if (auto* r = std::get_if<range_response>(&*o.answer); r && !r->kvs.empty() && !r->more) {
            key_value& kv = r->kvs[random() % r->kvs.size()];
            if (random() % 2 == 0) kv.value = "lie";
            else kv.version += 1;
            return true;
        }
        // Of these a call without an outcome may make another truth.
        if (std::any_of(h.operations.begin(), h.operations.end(), [](const operation& x) { return !x.answer; })) continue;
        if (auto* d = std::get_if<delete_response>(&*o.answer)) {
            d->deleted = d->deleted == 0 ? 1 : d->deleted - 1;
            return true;
        }
        if (auto* t = std::get_if<txn_response>(&*o.answer)) {
            t->succeeded = !t->succeeded;
            return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("random runs: 10 000 calls of 8 clients, hundreds of them without an answer", "[checker]") {
    for (const bool watched : {true, false})
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            const history h = random_run{.unknown_per_mille = 30, .watched = watched, .seed = seed}.make();
            INFO("seed " << seed << (watched ? ", watched" : ", not watched"));
            CHECK(first_of(check(h)) == "");
        }
}

TEST_CASE("random runs: a single lie is found", "[checker]") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        history h = random_run{.calls = 300, .unknown_per_mille = seed % 3 == 0 ? 0u : 50u, .watched = seed % 2 == 0, .seed = seed}.make();
        INFO("seed " << seed);
        REQUIRE(first_of(check(h)) == "");
        std::mt19937_64 random(seed);
        REQUIRE(lie(h, random));
        const std::string told = first_of(check(h));
        INFO(told);
        CHECK(told.starts_with("linearizable: "));
    }
}

TEST_CASE("random runs: a watch that drops, doubles, tears or swaps revisions is found out", "[checker]") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        history h = random_run{.calls = 300, .unknown_per_mille = 50, .watched = true, .seed = seed}.make();
        std::mt19937_64 random(seed);
        auto& seen = h.observers.front().seen;
        const std::size_t i = 1 + random() % (seen.size() - 2);
        INFO("seed " << seed << ", sight " << i);
        const auto expect = [&](std::initializer_list<rule> rules) {
            const auto all = check(h);
            INFO(first_of(all));
            REQUIRE_FALSE(all.empty());
            CHECK(std::find(rules.begin(), rules.end(), all.front().broken) != rules.end());
        };
        switch (seed % 4) {
            case 0:
                seen.erase(seen.begin() + static_cast<std::ptrdiff_t>(i));
                expect({rule::complete});
                break;
            case 1:
                seen.insert(seen.begin() + static_cast<std::ptrdiff_t>(i) + 1, seen[i]);
                expect({rule::unique});
                break;
            case 2:
                std::swap(seen[i], seen[i + 1]);
                expect({rule::ordered, rule::complete});
                break;
            default:
                if (seen[i].events.size() < 2) break;
                seen[i].events.pop_back();
                expect({rule::atomic});
        }
    }
}
