#include "testing/rules/rules.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace dynconf::testing {
namespace {

/// By which claims the writes were guarded: their revisions, in order.
class guards {
public:
    explicit guards(const judged& run) {
        const timeline& t = run.happened;
        for (revision_t r = t.model.first_revision() + 1; r <= t.last(); ++r) {
            const cause& c = t.of(r);
            if (c.what == cause::kind::operation) add(run.past.operations[c.operation], r);
        }
    }
    const std::vector<revision_t>& of(const holding& h) const {
        static const std::vector<revision_t> none;
        for (const auto& key : {h.key, std::string()})   // said so, or compared as `claim::held` does
            if (const auto found = all_.find({key, h.token}); found != all_.end()) return found->second;
        return none;
    }

private:
    void add(const operation& o, revision_t r) {
        if (o.guard != 0) return all_[{std::string(), o.guard}].push_back(r);
        const auto* t = std::get_if<op::txn_op>(&o.what.what());
        if (!t) return;
        for (const comparison& c : t->what->compares())
            if (c.range_end.empty() && c.what == comparison::target::create_revision && c.is == comparison::relation::equal)
                all_[{c.key, c.number}].push_back(r);
    }

    std::map<std::pair<std::string, revision_t>, std::vector<revision_t>> all_;   // by key, if it was compared, and token
};

std::string shown(const holding& h, const storyteller& tell) {
    return "client " + std::to_string(h.client) + " with token " + std::to_string(h.token) + " (from " + tell.moment(h.from)
        + (h.until ? " to " + tell.moment(*h.until) : " on") + ")";
}

/// Two who believe to hold one lock at once.
void check_overlap(const judged& run, const std::string& name, std::vector<const holding*> holders, findings& found) {
    std::sort(holders.begin(), holders.end(), [](const holding* a, const holding* b) { return a->from < b->from; });
    const auto end = [](const holding& h) { return h.until.value_or(time_point::max()); };
    const holding* longest = nullptr;
    for (const holding* h : holders) {
        if (longest && std::min(end(*longest), end(*h)) - h->from > run.options.allowance)
            found.add(rule::exclusive, "lock " + name + ": two hold it at once: " + shown(*longest, run.tell) + " and " + shown(*h, run.tell));
        if (!longest || end(*h) > end(*longest)) longest = h;
    }
}

}  // namespace

void check_exclusive(const judged& run, findings& found) {
    if (run.past.holdings.empty()) return;
    const guards guarded(run);
    std::map<std::string, std::vector<const holding*>> locks;
    for (const holding& h : run.past.holdings) locks[h.name].push_back(&h);
    for (auto& [name, holders] : locks) {
        check_overlap(run, name, holders, found);
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
            for (const revision_t r : guarded.of(*h)) {
                if (before && r < last)
                    found.add(rule::exclusive, "lock " + name + ": " + shown(*h, run.tell) + " has written before "
                            + shown(*before, run.tell) + " was done:" + run.tell.operations({maker(run, r).front(), maker(run, last).front()}),
                        {maker(run, r).front(), maker(run, last).front()});
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
