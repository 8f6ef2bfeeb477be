#include "testing/rules/rules.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
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
    freshness(const judged& run, const observer& who, findings& found) : run_(run), who_(who), found_(found) { read(); }

    void check() {
        if (live_.empty()) return;
        const timeline& t = run_.happened;
        for (revision_t r = t.model.first_revision() + 1; r <= t.last(); ++r) {
            const cause& c = t.of(r);
            if (c.what != cause::kind::operation) continue;
            const operation& o = run_.past.operations[c.operation];
            if (o.state == write_state::executed && !wanted(who_, t.model.changes(r)).empty()) check(r, o.returned, c.operation);
        }
        for (const auto& [at, l] : worst_)
            found_.add(rule::fresh, who_.name + ": live without revision " + std::to_string(l.revision) + " for "
                    + std::to_string(duration_cast<milliseconds>(l.age).count()) + " ms after it was acknowledged"
                    + run_.tell.operations({l.by}), {l.by});
    }

private:
    struct late {
        revision_t revision;
        time_point::duration age;
        std::size_t by;
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

    void check(revision_t r, time_point acknowledged, std::size_t by) {
        const auto c = std::lower_bound(covered_.begin(), covered_.end(), r,
            [](const auto& one, revision_t wanted_one) { return one.first < wanted_one; });
        time_point shown = c == covered_.end() ? time_point::max() : c->second;
        if (run_.past.end) shown = std::min(shown, run_.past.ended);
        else if (!who_.seen.empty()) shown = std::min(shown, who_.seen.back().at);   // what came later was not recorded
        auto span = std::lower_bound(live_.begin(), live_.end(), shown,
            [](const time_span& s, time_point t) { return s.from < t; });
        if (span == live_.begin()) return;
        --span;
        const time_point seen_live = std::min(span->to, shown);
        const auto age = seen_live - acknowledged;
        if (age <= run_.options.max_staleness + run_.options.allowance) return;
        const auto [known, fresh] = worst_.emplace(seen_live, late{r, age, by});
        if (!fresh && known->second.age < age) known->second = {r, age, by};
    }

    const judged& run_;
    const observer& who_;
    findings& found_;
    std::vector<time_span> live_;
    std::vector<std::pair<revision_t, time_point>> covered_;   // up to this revision, from this moment on; both ascend
    std::map<time_point, late> worst_;                         // one for each moment at which it came to an end
};

}  // namespace

void check_fresh(const judged& run, findings& found) {
    for (const observer& o : run.past.observers) freshness(run, o, found).check();
}

}  // namespace dynconf::testing
