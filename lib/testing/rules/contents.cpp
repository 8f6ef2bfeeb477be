#include "testing/rules/rules.hpp"

#include "testing/answers.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

namespace dynconf::testing {
namespace {

using content = std::map<std::string, key_value, std::less<>>;

content by_key(const std::vector<key_value>& kvs) {
    content all;
    for (const key_value& kv : kvs) all[kv.key] = kv;
    return all;
}

void apply(content& to, const std::vector<event>& events) {
    for (const event& e : events) {
        if (e.type == event::kind::put) to[e.kv.key] = e.kv;
        else to.erase(e.kv.key);
    }
}

/// In which way it is not the other one; empty: in none.
std::string difference(const content& is, const content& ought) {
    std::string text;
    const auto add = [&text](const std::string& one) { text += (text.empty() ? "" : ", ") + one; };
    for (const auto& [key, kv] : is) {
        const auto o = ought.find(key);
        if (o == ought.end()) add(shown(kv) + ", which is not there");
        else if (!same(kv, o->second)) add(shown(kv) + " instead of " + shown(o->second));
    }
    for (const auto& [key, kv] : ought)
        if (!is.contains(key)) add("without " + shown(kv));
    return text;
}

content of_observer(const observer& o, const content& all) {
    content part;
    for (const auto& [key, kv] : all)
        if (std::any_of(o.ranges.begin(), o.ranges.end(), [&](const key_range& r) { return r.contains(key); })) part[key] = kv;
    return part;
}

content at(const judged& run, const observer& o, revision_t r) {
    content all;
    for (const key_range& range : o.ranges)
        for (const key_value* kv : run.happened.model.content(range, r)) all[kv->key] = *kv;
    return all;
}

/// A resync needs a reason.
std::string unfounded(const judged& run, const sight& s, std::optional<revision_t> had) {
    switch (s.why) {
        case mirror_step::reason::compacted: {
            if (had && s.revision < *had) return "went back";
            const auto& all = run.past.compactions;
            const bool needed = std::any_of(all.begin(), all.end(),
                [&](const compaction& c) { return c.called <= s.at && c.revision > had.value_or(0); });
            return needed ? "" : "no compaction made it necessary";
        }
        case mirror_step::reason::store_replaced: return "the store was not replaced";   // a history is of one
        case mirror_step::reason::repaired: return "the watch had lost something";
        case mirror_step::reason::key_missing: return "nothing is sealed here";
        case mirror_step::reason::none: break;
    }
    return "for no reason";
}

void check_one(const judged& run, const observer& o, findings& found) {
    content now;
    std::optional<revision_t> had;
    bool known = false, ended = false;
    const auto tell = [&](rule broken, const sight& s, const std::string& words) {
        found.add(broken, o.name + " at " + run.tell.moment(s.at) + ": " + words);
    };
    const auto whole = [&](rule broken, const sight& s, const std::string& what) {
        if (!run.happened.reaches(s.revision)) return;
        if (const std::string d = difference(now, at(run, o, s.revision)); !d.empty())
            tell(broken, s, what + " of revision " + std::to_string(s.revision) + " has " + d);
    };
    for (const sight& s : o.seen) {
        if (s.what == sight::kind::snapshot || (s.what == sight::kind::started && !s.content.empty())) {
            now = by_key(s.content);
            known = true;
            ended = false;
            if (s.what == sight::kind::snapshot) whole(rule::atomic, s, "the content");
        } else if (s.what == sight::kind::resync) {
            const std::string name = "resync to revision " + std::to_string(s.revision) + ": ";
            if (const std::string u = unfounded(run, s, had); !u.empty()) tell(rule::resync, s, name + u);
            apply(now, s.events);
            if (known) whole(rule::resync, s, "after the resync the content");
        } else if (s.what == sight::kind::batch) {
            apply(now, s.events);
        } else if (s.what == sight::kind::ended) {
            ended = true;
        }
        if (s.what == sight::kind::started) ended = false;
        else if (s.revision > 0) had = s.what == sight::kind::resync ? s.revision : std::max(had.value_or(0), s.revision);
    }
    if (!run.past.end || ended) return;
    if (!known) {
        if (o.what != observer::kind::watch) found.add(rule::final_content, o.name + ": has never had a content");
        return;
    }
    if (const std::string d = difference(now, of_observer(o, by_key(run.past.end->kvs))); !d.empty())
        found.add(rule::final_content, o.name + ": the content at the end has " + d);
}

}  // namespace

void check_contents(const judged& run, findings& found) {
    for (const observer& o : run.past.observers) check_one(run, o, found);
}

}  // namespace dynconf::testing
