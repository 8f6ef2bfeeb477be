#include "testing/evidence.hpp"

#include "testing/answers.hpp"

#include "wire/overloaded.hpp"

#include <algorithm>
#include <variant>

namespace dynconf::testing {

evidence::evidence(const history& h, belief observers) : first_(h.start.revision), last_(h.start.revision) {
    for (const operation& o : h.operations)
        if (o.state == write_state::executed && o.answer) {
            answered(*o.answer);
            told_at(revision_of(*o.answer), o.returned);
        }
    for (const lull& l : h.lulls) {
        reaches(l.revision);
        told_at(l.revision, l.at);
    }
    if (h.end) {
        reaches(h.end->revision);
        for (const key_value& kv : h.end->kvs) add(kv);
    }
    if (observers != belief::none)
        for (const observer& o : h.observers) seen(o);
    if (observers != belief::all) passages_.clear();
    std::optional<time_point> first;
    for (auto t = told_.rbegin(); t != told_.rend(); ++t) t->second = *(first = std::min(first.value_or(t->second), t->second));
}

std::optional<time_point> evidence::told(revision_t r) const {
    const auto t = told_.lower_bound(r);
    return t == told_.end() ? std::nullopt : std::optional(t->second);
}

void evidence::told_at(revision_t r, time_point at) {
    const auto [t, fresh] = told_.emplace(r, at);
    if (!fresh) t->second = std::min(t->second, at);
}

const evidence::changes* evidence::of(revision_t r) const {
    const auto found = all_.find(r);
    return found == all_.end() ? nullptr : &found->second;
}

void evidence::answered(const op_response& answer) {
    std::visit(wire::overloaded{
        [&](const range_response& a) {
            for (const key_value& kv : a.kvs) add(kv);
        },
        [&](const put_response& a) {
            if (a.prev_kv) add(*a.prev_kv);
        },
        [&](const delete_response& a) {
            for (const key_value& kv : a.prev_kvs) add(kv);
        },
        [&](const txn_response& a) {
            for (const op_response& r : a.responses) answered(r);
        },
    }, static_cast<const op_response::variant&>(answer));
    reaches(revision_of(answer));
}

void evidence::seen(const observer& o) {
    passage p{&o, {}, {}};
    bool begun = false;   // a stretch whose first revision is known
    for (const sight& s : o.seen) {
        for (const event& e : s.events)   // what a resync has erased went at any time before
            if (s.what != sight::kind::resync || e.type == event::kind::put) add(e);
        for (const key_value& kv : s.content) add(kv);
        if (s.what == sight::kind::started || s.what == sight::kind::snapshot || s.what == sight::kind::resync) {
            begun = s.revision > 0 && o.what != observer::kind::snapshots;
            const revision_t last = s.what == sight::kind::started ? s.revision - 1 : s.revision;
            if (begun) p.over.emplace_back(last + 1, last);
        } else if (s.what == sight::kind::batch) {
            for (const event& e : s.events) p.keys[e.kv.mod_revision].insert(e.kv.key);
        }
        if (s.what == sight::kind::started || s.revision <= first_) continue;
        reaches(s.revision);
        told_at(s.revision, s.at);
        if (begun) p.over.back().second = std::max(p.over.back().second, s.revision);
    }
    if (o.what != observer::kind::mirror) passages_.push_back(std::move(p));   // that one need not have seen all: rules.hpp, owed()
}

bool evidence::agrees(revision_t r, const std::vector<event>& made) const {
    for (const passage& p : passages_) {
        if (std::none_of(p.over.begin(), p.over.end(), [r](const auto& o) { return o.first <= r && r <= o.second; })) continue;
        const auto seen = p.keys.find(r);
        for (const event& e : made)
            if (wants(*p.who, e) && (seen == p.keys.end() || !seen->second.contains(e.kv.key))) return false;
    }
    return true;
}

void evidence::add(const key_value& kv) {
    event e;
    e.kv = kv;
    add(e);
}

void evidence::add(const event& e) {
    if (e.prev_kv) add(*e.prev_kv);
    const revision_t r = e.kv.mod_revision;
    if (r <= first_) return;
    reaches(r);
    all_[r].emplace(e.kv.key, e);
}

}  // namespace dynconf::testing
