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

/// Whether what comes behind `had` may have been compacted by then. Of the compacted revision itself some servers have forgotten
/// the deletions.
bool compacted(const judged& run, const sight& s, std::optional<revision_t> had) {
    return std::any_of(run.past.compactions.begin(), run.past.compactions.end(),
        [&](const compaction& c) { return c.called <= s.at && c.revision > had.value_or(0); });
}

/// A resync needs a reason.
std::string unfounded(const judged& run, const sight& s, std::optional<revision_t> had) {
    switch (s.why) {
        case mirror_step::reason::compacted:
            if (had && s.revision < *had) return "went back";
            return compacted(run, s, had) ? "" : "no compaction made it necessary";
        case mirror_step::reason::store_replaced: return "the store was not replaced";   // a history is of one
        case mirror_step::reason::repaired: return "the watch had lost something";
        case mirror_step::reason::key_missing: return "nothing is sealed here";
        case mirror_step::reason::none: break;
    }
    return "for no reason";
}

/// And so does an end before the end of all.
std::string unfounded_end(const judged& run, const sight& s, std::optional<revision_t> had) {
    switch (s.end) {
        case ending::left:
        case ending::refused: break;
        case ending::history_lost: return compacted(run, s, had) ? "" : "no compaction made it necessary";
        case ending::failed: return "nothing made it necessary";
    }
    return {};
}

void check_one(const judged& run, const observer& o, findings& found) {
    content now;
    std::optional<revision_t> had;
    bool known = false, ended = false;
    const auto tell = [&](rule broken, const sight& s, const std::string& words) {
        found.add(broken, o.name + " at " + run.tell.moment(s.at) + ": " + words);
    };
    const auto whole = [&](rule broken, const sight& s, revision_t r, const std::string& what) {
        if (!run.happened.reaches(r)) return;
        if (const std::string d = difference(now, at(run, o, r)); !d.empty())
            tell(broken, s, what + " of revision " + std::to_string(r) + " has " + d);
    };
    auto next = run.past.lulls.begin();
    const auto rest = [&](const lull& l) {
        if (ended || !run.happened.reaches(l.revision) || (o.what == observer::kind::watch && !known)) return;
        const std::string d = known ? difference(now, at(run, o, l.revision)) : "never been there";
        if (!d.empty()) found.add(rule::final_content, o.name + ": while all was still, at " + run.tell.moment(l.at) + ", the content has " + d);
    };
    if (!o.seen.empty())
        while (next != run.past.lulls.end() && next->at < o.seen.front().at) ++next;
    for (const sight& s : o.seen) {
        for (; next != run.past.lulls.end() && next->at < s.at; ++next) rest(*next);
        const bool goes_on = s.what == sight::kind::started && o.what == observer::kind::mirror && s.revision > 0;
        if (s.what == sight::kind::snapshot || goes_on) {
            now = by_key(s.content);
            known = true;
            ended = false;
            if (goes_on) whole(rule::atomic, s, s.revision - 1, "what it goes on from, the content");
            else whole(rule::atomic, s, s.revision, "the content");
        } else if (s.what == sight::kind::resync) {
            const std::string name = "resync to revision " + std::to_string(s.revision) + ": ";
            if (const std::string u = unfounded(run, s, had); !u.empty()) tell(rule::resync, s, name + u);
            apply(now, s.events);
            if (known) whole(rule::resync, s, s.revision, "after the resync the content");
        } else if (s.what == sight::kind::batch) {
            apply(now, s.events);
        } else if (s.what == sight::kind::ended) {
            if (const std::string u = unfounded_end(run, s, had); !u.empty())
                tell(rule::resync, s, "ended behind revision " + std::to_string(had.value_or(0)) + ": " + u);
            ended = true;
        }
        if (s.what == sight::kind::started) {
            ended = false;
            had = s.revision > 0 ? std::optional(s.revision - 1) : std::nullopt;
        } else if (s.revision > 0) {
            had = s.what == sight::kind::resync ? s.revision : std::max(had.value_or(0), s.revision);
        }
    }
    for (; next != run.past.lulls.end(); ++next) rest(*next);
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
