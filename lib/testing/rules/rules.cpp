#include "testing/rules/rules.hpp"

namespace dynconf::testing {

std::vector<const event*> wanted(const observer& o, const std::vector<event>& changes) {
    std::vector<const event*> all;
    for (const event& e : changes)
        if (wants(o, e)) all.push_back(&e);
    return all;
}

std::vector<const event*> owed(const judged& run, const observer& o, revision_t r, revision_t had, revision_t upto) {
    const kv_model& m = run.happened.model;
    auto all = wanted(o, m.changes(r));
    if (o.what != observer::kind::mirror) return all;
    std::erase_if(all, [&](const event* e) {
        const revision_t created = (e->type == event::kind::put ? e->kv : *e->prev_kv).create_revision;
        const key_value* now = m.find(e->kv.key, upto);
        return created > had && (!now || now->create_revision > created);
    });
    return all;
}

bool beyond_the_end(const judged& run, revision_t r) { return run.past.end && r > run.past.end->revision; }

std::vector<std::size_t> maker(const judged& run, revision_t r) {
    if (!run.happened.reaches(r) || r == run.happened.model.first_revision()) return {};
    const cause& c = run.happened.of(r);
    if (c.what != cause::kind::operation) return {};
    return {c.operation};
}

std::string maker_in_words(const judged& run, revision_t r) { return run.tell.operations(maker(run, r)); }

}  // namespace dynconf::testing
