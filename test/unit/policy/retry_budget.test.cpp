#include "policy/retry_budget.hpp"

#include "support/catch.hpp"

using namespace dynconf;
using policy::retry_budget;

namespace {

int retries_left(retry_budget b) {
    int n = 0;
    while (b.take()) ++n;
    return n;
}

}  // namespace

TEST_CASE("retry budget: full at first, one for each retry, a part for each success, never more than the most", "[policy]") {
    struct { double most; double per_success; int taken; int successes; int left; } const rows[] = {
        {20, 0.1, 0, 0, 20},
        {20, 0.1, 0, 1000, 20},
        {20, 0.1, 5, 0, 15},
        {20, 0.1, 20, 0, 0},
        {20, 0.1, 20, 9, 0},
        {20, 0.1, 20, 10, 1},    // ten tenths are one
        {20, 0.1, 20, 105, 10},
        {20, 0.1, 20, 10'000, 20},
        {20, 1.0, 3, 1, 18},
        {0, 0.1, 0, 100, 0},     // no retries at all
        {0.5, 0.1, 0, 100, 0},
        {3, 0, 3, 1000, 0},      // so many and no more
    };
    for (const auto& r : rows) {
        INFO(r.most << " most, " << r.per_success << " each, " << r.taken << " taken, " << r.successes << " worked");
        retry_budget b(retry_budget_options{r.most, r.per_success});
        for (int i = 0; i < r.taken; ++i) CHECK(b.take());
        for (int i = 0; i < r.successes; ++i) b.first_try_worked();
        CHECK(retries_left(b) == r.left);
    }
}

TEST_CASE("retry budget: what was refused costs nothing", "[policy]") {
    retry_budget b(retry_budget_options{1, 0.5});
    CHECK(b.take());
    for (int i = 0; i < 10; ++i) CHECK_FALSE(b.take());
    b.first_try_worked();
    CHECK_FALSE(b.take());
    b.first_try_worked();
    CHECK(b.take());
}
