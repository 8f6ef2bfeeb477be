#include "testing/rules/rules.hpp"

#include "testing/answers.hpp"

#include <algorithm>

namespace dynconf::testing {

void check_previous(const judged& run, findings& found) {
    const timeline& t = run.happened;
    for (const observer& o : run.past.observers)
        for (const sight& s : o.seen) {
            if (s.what != sight::kind::batch) continue;
            for (const event& e : s.events) {
                const revision_t r = e.kv.mod_revision;
                if ((!o.prev_kv && !e.prev_kv) || !t.reaches(r) || r == t.model.first_revision()) continue;
                const key_value* ought = t.model.find(e.kv.key, r - 1);
                // etcd reads the previous value when it sends the event, and leaves out what it has compacted.
                const bool forgotten = std::any_of(run.past.compactions.begin(), run.past.compactions.end(),
                    [&](const compaction& c) { return c.called <= s.at && c.revision >= r; });
                if (!e.prev_kv && (!ought || forgotten)) continue;
                if (e.prev_kv && ought && same(*e.prev_kv, *ought)) continue;
                found.add(rule::previous, o.name + " at " + run.tell.moment(s.at) + ": " + shown(e) + " at revision " + std::to_string(r)
                        + ": before it " + (e.prev_kv ? shown(*e.prev_kv) : "nothing") + " instead of " + (ought ? shown(*ought) : "nothing")
                        + maker_in_words(run, r),
                    maker(run, r));
            }
        }
}

}  // namespace dynconf::testing
