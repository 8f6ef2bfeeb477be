#include "testing/rules/rules.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

namespace dynconf::testing {
namespace {

/// From when on somebody has known of a revision; ascends with the revisions.
class first_sights {
public:
    explicit first_sights(const history& h) {
        for (const operation& o : h.operations)
            if (o.state == write_state::executed && o.answer)
                std::visit([&](const auto& a) { add(a.header.revision, o.returned); },
                    static_cast<const op_response::variant&>(*o.answer));
        for (const observer& o : h.observers)
            for (const sight& s : o.seen)
                if (s.what != sight::kind::started && s.revision > 0) add(s.revision, s.at);
        std::optional<time_point> first;
        for (auto s = at_.rbegin(); s != at_.rend(); ++s) s->second = *(first = std::min(first.value_or(s->second), s->second));
    }

    /// When it had surely been made; none: nobody has ever seen it.
    std::optional<time_point> of(revision_t r) const {
        const auto s = at_.lower_bound(r);
        return s == at_.end() ? std::nullopt : std::optional(s->second);
    }

private:
    void add(revision_t r, time_point at) {
        const auto [s, fresh] = at_.emplace(r, at);
        if (!fresh) s->second = std::min(s->second, at);
    }

    std::map<revision_t, time_point> at_;
};

}  // namespace

void check_leases(const judged& run, findings& found) {
    if (run.past.leases.empty()) return;
    const first_sights seen(run.past);
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
            const auto gone = seen.of(end->second);
            // etcd began to count after the call was made.
            if (!gone || *gone + run.options.allowance >= l.called + std::chrono::seconds(l.ttl)) continue;
            found.add(rule::lease, name + ": " + testing::shown(t.model.changes(end->second)) + " at revision " + std::to_string(end->second)
                + ", known at " + run.tell.moment(*gone) + ", though at " + run.tell.moment(l.called) + " it was given "
                + std::to_string(l.ttl) + " s");
        } else if (l.state == write_state::executed && t.broken.empty()) {
            // Whoever asks after the answer must not find a key of it.
            revision_t later = 0;
            for (const operation& o : run.past.operations)
                if (o.called > l.returned && o.state == write_state::executed && o.answer)
                    std::visit([&](const auto& a) { later = std::max(later, a.header.revision); },
                        static_cast<const op_response::variant&>(*o.answer));
            if (later == 0 || !t.reaches(later)) continue;
            for (const key_value* kv : t.model.content(key_range::all(), later))
                if (kv->lease == l.id)
                    found.add(rule::lease, name + " was revoked at " + run.tell.moment(l.returned) + ", and " + testing::shown(*kv)
                        + " is still there at revision " + std::to_string(later));
        }
    }
}

}  // namespace dynconf::testing
