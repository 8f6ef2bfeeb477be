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
    std::map<time_point, revision_t> newest;   // of the answers to all that was called then or later
    for (const operation& o : run.past.operations)
        if (o.state == write_state::executed && o.answer) newest[o.called] = std::max(newest[o.called], revision_of(*o.answer));
    revision_t so_far = 0;
    for (auto n = newest.rbegin(); n != newest.rend(); ++n) n->second = so_far = std::max(so_far, n->second);
    std::map<lease_id, time_point> revoked;   // at the earliest
    for (const lease_operation& l : run.past.leases) {
        if (l.what != lease_operation::kind::revoke || l.state == write_state::not_executed) continue;
        const auto [first, fresh] = revoked.emplace(l.id, l.called);
        if (!fresh) first->second = std::min(first->second, l.called);
    }
    for (const lease_operation& l : run.past.leases) {
        const std::string name = "lease " + std::to_string(l.id);
        const auto end = ends.find(l.id);
        if (l.what != lease_operation::kind::revoke) {
            if (l.state != write_state::executed || l.ttl <= 0 || end == ends.end()) continue;
            const auto gone = seen.told(end->second);
            if (const auto r = revoked.find(l.id); r != revoked.end() && (!gone || r->second <= *gone)) continue;
            // etcd began to count after the call was made.
            if (!gone || *gone + run.options.allowance >= l.called + std::chrono::seconds(l.ttl)) continue;
            found.add(rule::lease, name + ": " + shown(t.model.changes(end->second)) + " at revision " + std::to_string(end->second)
                + ", known at " + run.tell.moment(*gone) + ", though at " + run.tell.moment(l.called) + " it was given "
                + std::to_string(l.ttl) + " s");
        } else if (l.state == write_state::executed && t.broken.empty()) {
            // Whoever asks after the answer must not find a key of it.
            const auto after = newest.upper_bound(l.returned);
            const revision_t later = after == newest.end() ? 0 : after->second;
            if (later == 0 || !t.reaches(later)) continue;
            for (const key_value* kv : t.model.content(key_range::all(), later))
                if (kv->lease == l.id)
                    found.add(rule::lease, name + " was revoked at " + run.tell.moment(l.returned) + ", and " + shown(*kv)
                        + " is still there at revision " + std::to_string(later));
        }
    }
}

}  // namespace dynconf::testing
