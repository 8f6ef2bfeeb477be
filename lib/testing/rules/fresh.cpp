#include "testing/rules/rules.hpp"

#include "testing/evidence.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace dynconf::testing {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

struct time_span {
    time_point from;
    time_point to = time_point::max();
};

class freshness {
public:
    freshness(const judged& run, const evidence& known, const observer& who, findings& found)
        : run_(run), known_(known), who_(who), found_(found) {
        read();
    }

    void check() {
        if (live_.empty()) return;
        const timeline& t = run_.happened;
        for (revision_t r = t.model.first_revision() + 1; r <= t.last(); ++r) {
            if (wanted(who_, t.model.changes(r)).empty()) continue;
            if (const auto told = known_.told(r)) check(r, *told);
        }
        for (const auto& [at, l] : worst_)
            found_.add(rule::fresh, who_.name + ": live without revision " + std::to_string(l.revision) + " (" + shown(t.model.changes(l.revision))
                    + ") for " + std::to_string(duration_cast<milliseconds>(l.age).count()) + " ms after somebody had been told of it"
                    + maker_in_words(run_, l.revision), maker(run_, l.revision));
    }

private:
    struct late {
        revision_t revision;
        time_point::duration age;
    };

    void read() {
        bool has_content = who_.what == observer::kind::watch;
        for (const sight& s : who_.seen) {
            const bool live = !live_.empty() && live_.back().to == time_point::max();
            if (s.what == sight::kind::live && !live) {
                if (!has_content) found_.add(rule::fresh, who_.name + " at " + run_.tell.moment(s.at) + ": live before it has a content");
                live_.push_back({s.at});
            } else if ((s.what == sight::kind::stale || s.what == sight::kind::ended) && live) {
                live_.back().to = s.at;
            } else if (s.what == sight::kind::started) {
                if (s.revision > 0 && !s.content.empty()) has_content = true;
                if (s.revision > 0) cover(s.revision - 1, s.at);
            } else if (s.revision > 0) {
                has_content = true;
                cover(s.revision, s.at);
            }
        }
    }

    void cover(revision_t r, time_point at) {
        if (covered_.empty() || r > covered_.back().first) covered_.emplace_back(r, at);
    }

    void check(revision_t r, time_point told) {
        const auto c = std::lower_bound(covered_.begin(), covered_.end(), r,
            [](const auto& one, revision_t wanted_one) { return one.first < wanted_one; });
        time_point shown = c == covered_.end() ? time_point::max() : c->second;
        if (run_.past.end) shown = std::min(shown, run_.past.ended);
        else if (!who_.seen.empty()) shown = std::min(shown, who_.seen.back().at);   // what came later was not recorded
        if (!is_late(told, shown)) return;
        if (who_.what != observer::kind::watch && c != covered_.begin())
            shown = std::min(shown, undone(r, std::prev(c)->first, c == covered_.end() ? run_.happened.last() : c->first));
        const auto until = is_late(told, shown);
        if (!until) return;
        const auto age = *until - told;
        const auto [known, fresh] = worst_.emplace(*until, late{r, age});
        if (!fresh && known->second.age < age) known->second = {r, age};
    }

    /// Until when it was live without what had been told, if it was `shown` then and that is too late.
    std::optional<time_point> is_late(time_point told, time_point shown) const {
        auto span = std::lower_bound(live_.begin(), live_.end(), shown,
            [](const time_span& s, time_point t) { return s.from < t; });
        if (span == live_.begin()) return std::nullopt;
        --span;
        const time_point until = std::min(span->to, shown);
        return until - told > run_.options.max_staleness + run_.options.allowance ? std::optional(until) : std::nullopt;
    }

    /// Contents say nothing of what came and went, and a mirror need not: when that of revision `had` was right again, at `r` or later.
    time_point undone(revision_t r, revision_t had, revision_t next) const {
        const kv_model& m = run_.happened.model;
        if (!run_.happened.reaches(had)) return time_point::max();
        std::set<std::string> differ;
        for (revision_t at = had + 1; at <= std::min(next, run_.happened.last()); ++at) {
            for (const event* e : wanted(who_, m.changes(at))) {
                const key_value *before = m.find(e->kv.key, had), *now = m.find(e->kv.key, at);
                if (before && now ? are_one(*before, *now) : !before && !now) differ.erase(e->kv.key);
                else differ.insert(e->kv.key);
            }
            if (at >= r && differ.empty()) return known_.told(at).value_or(time_point::max());
        }
        return time_point::max();
    }

    /// Snapshots are of values; a mirror tells of each change of a key that stays.
    bool are_one(const key_value& a, const key_value& b) const {
        return who_.what == observer::kind::snapshots ? a.value == b.value : a.mod_revision == b.mod_revision;
    }

    const judged& run_;
    const evidence& known_;
    const observer& who_;
    findings& found_;
    std::vector<time_span> live_;
    std::vector<std::pair<revision_t, time_point>> covered_;   // up to this revision, from this moment on; both ascend
    std::map<time_point, late> worst_;                         // one for each moment at which it came to an end
};

}  // namespace

void check_fresh(const judged& run, findings& found) {
    const evidence known(run.past, evidence::belief::seen);
    for (const observer& o : run.past.observers) freshness(run, known, o, found).check();
}

}  // namespace dynconf::testing
