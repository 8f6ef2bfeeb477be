#include "testing/rules/rules.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>

namespace dynconf::testing {
namespace {

/// The transaction compares the claim, as `claim::held` does.
bool carries(const txn& t, const holding& h) {
    return std::any_of(t.compares().begin(), t.compares().end(), [&](const comparison& c) {
        return c.key == h.key && c.range_end.empty() && c.what == comparison::target::create_revision
            && c.is == comparison::relation::equal && c.number == h.token;
    });
}

std::string shown(const holding& h, const storyteller& tell) {
    return "client " + std::to_string(h.client) + " with token " + std::to_string(h.token) + " (from " + tell.moment(h.from)
        + (h.until ? " to " + tell.moment(*h.until) : " on") + ")";
}

}  // namespace

void check_exclusive(const judged& run, findings& found) {
    std::map<std::string, std::vector<const holding*>> locks;
    for (const holding& h : run.past.holdings) locks[h.name].push_back(&h);
    for (auto& [name, holders] : locks) {
        std::sort(holders.begin(), holders.end(), [](const holding* a, const holding* b) { return a->token < b->token; });
        // The last write of each against the first of the next: in etcd's order, which is the revisions'.
        const holding* before = nullptr;   // the last one that has written
        const holding* neighbour = nullptr;
        revision_t last = 0;
        for (const holding* h : holders) {
            if (neighbour && neighbour->token == h->token)
                found.add(rule::exclusive, "lock " + name + ": two holders with one token: " + shown(*neighbour, run.tell) + " and " + shown(*h, run.tell));
            neighbour = h;
            revision_t newest = last;
            const timeline& t = run.happened;
            for (revision_t r = t.model.first_revision() + 1; r <= t.last(); ++r) {
                const auto by = maker(run, r);
                if (by.empty()) continue;
                const auto* call = std::get_if<op::txn_op>(&run.past.operations[by.front()].what.what());
                if (!call || !carries(*call->what, *h)) continue;
                if (before && r < last)
                    found.add(rule::exclusive, "lock " + name + ": " + shown(*h, run.tell) + " has written before "
                            + shown(*before, run.tell) + " was done:" + run.tell.operations({by.front(), maker(run, last).front()}),
                        {by.front(), maker(run, last).front()});
                newest = std::max(newest, r);
            }
            if (newest > last) {
                last = newest;
                before = h;
            }
        }
    }
}

}  // namespace dynconf::testing
