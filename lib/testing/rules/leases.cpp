#include "testing/rules/rules.hpp"

#include "testing/answers.hpp"
#include "testing/evidence.hpp"

#include <algorithm>
#include <chrono>
#include <map>

namespace dynconf::testing {

void check_leases(const judged& run, findings& found) {
    if (run.past.leases.empty()) return;
    const evidence seen(run.past, evidence::belief::seen);
    const timeline& t = run.happened;
    std::map<lease_id, revision_t> ends;
    for (revision_t r = t.model.first_revision() + 1; r <= t.last(); ++r)
        if (t.of(r).what == cause::kind::lease_end) ends[t.of(r).lease] = r;
    for (const lease_operation& l : run.past.leases) {
        const std::string name = "lease " + std::to_string(l.id);
        const auto end = ends.find(l.id);
        const bool revoked = std::any_of(run.past.leases.begin(), run.past.leases.end(), [&](const lease_operation& o) {
            return o.id == l.id && o.what == lease_operation::kind::revoke && o.state != write_state::not_executed;
        });
        if (l.what != lease_operation::kind::revoke) {
            if (l.state != write_state::executed || l.ttl <= 0 || end == ends.end() || revoked) continue;
            const auto gone = seen.told(end->second);
            // etcd began to count after the call was made.
            if (!gone || *gone + run.options.allowance >= l.called + std::chrono::seconds(l.ttl)) continue;
            found.add(rule::lease, name + ": " + shown(t.model.changes(end->second)) + " at revision " + std::to_string(end->second)
                + ", known at " + run.tell.moment(*gone) + ", though at " + run.tell.moment(l.called) + " it was given "
                + std::to_string(l.ttl) + " s");
        } else if (l.state == write_state::executed && t.broken.empty()) {
            // Whoever asks after the answer must not find a key of it.
            revision_t later = 0;
            for (const operation& o : run.past.operations)
                if (o.called > l.returned && o.state == write_state::executed && o.answer) later = std::max(later, revision_of(*o.answer));
            if (later == 0 || !t.reaches(later)) continue;
            for (const key_value* kv : t.model.content(key_range::all(), later))
                if (kv->lease == l.id)
                    found.add(rule::lease, name + " was revoked at " + run.tell.moment(l.returned) + ", and " + shown(*kv)
                        + " is still there at revision " + std::to_string(later));
        }
    }
}

}  // namespace dynconf::testing
