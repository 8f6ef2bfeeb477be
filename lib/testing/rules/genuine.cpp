#include "testing/rules/rules.hpp"

#include "testing/answers.hpp"

#include <algorithm>

namespace dynconf::testing {
namespace {

std::string flaw(const judged& run, const observer& o, const sight& s, const event& e) {
    if (!wants(o, e)) return "it has not asked for that";
    const revision_t r = e.kv.mod_revision;
    const timeline& t = run.happened;
    if (s.what == sight::kind::resync && e.type == event::kind::erase) return {};   // it went at any time before
    if (r <= t.model.first_revision()) return {};
    if (!t.reaches(r)) return t.broken.empty() ? "there was no such revision" : std::string();
    const auto& changes = t.model.changes(r);
    const auto c = std::find_if(changes.begin(), changes.end(), [&](const event& x) { return x.kv.key == e.kv.key; });
    if (c == changes.end()) return changes.empty() ? "nobody has written that" : "that revision did " + shown(changes);
    if (c->type != e.type || (e.type == event::kind::put && !same(e.kv, c->kv)))
        return "that revision did " + shown(*c) + (shown(*c) == shown(e) ? ", as " + shown(c->kv) + " and not " + shown(e.kv) : "");
    const auto by = maker(run, r);
    if (!by.empty() && run.past.operations[by.front()].called > s.at) return "it was written later";
    return {};
}

}  // namespace

void check_genuine(const judged& run, findings& found) {
    for (std::size_t i = 0; i < run.past.operations.size(); ++i) {
        const operation& o = run.past.operations[i];
        if (o.state == write_state::executed && o.answer && beyond_the_end(run, revision_of(*o.answer)))
            found.add(rule::genuine, "an answer of a revision that never was:" + run.tell.operations({i}), {i});
    }
    for (const observer& o : run.past.observers)
        for (const sight& s : o.seen) {
            const bool whole = s.what == sight::kind::snapshot || s.what == sight::kind::resync;
            if (whole && beyond_the_end(run, s.revision))
                found.add(rule::genuine, o.name + " at " + run.tell.moment(s.at) + ": the content of revision " + std::to_string(s.revision) + ", which never was");
            if (s.what != sight::kind::batch && s.what != sight::kind::resync) continue;
            for (const event& e : s.events)
                if (const std::string f = flaw(run, o, s, e); !f.empty())
                    found.add(rule::genuine, o.name + " at " + run.tell.moment(s.at) + ": " + shown(e) + " at revision "
                            + std::to_string(e.kv.mod_revision) + ": " + f + maker_in_words(run, e.kv.mod_revision),
                        maker(run, e.kv.mod_revision));
        }
}

}  // namespace dynconf::testing
