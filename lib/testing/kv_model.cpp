#include "testing/kv_model.hpp"

#include "wire/overloaded.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <variant>

namespace dynconf::testing {
namespace {

constexpr revision_t newest = INT64_MAX;

template <class T>
bool related(const T& a, comparison::relation is, const T& b) {
    switch (is) {
        case comparison::relation::equal: return a == b;
        case comparison::relation::not_equal: return a != b;
        case comparison::relation::less: return a < b;
        case comparison::relation::greater: return a > b;
    }
    return false;
}

bool fits(const comparison& c, const key_value& kv) {
    switch (c.what) {
        case comparison::target::version: return related(kv.version, c.is, c.number);
        case comparison::target::create_revision: return related(kv.create_revision, c.is, c.number);
        case comparison::target::mod_revision: return related(kv.mod_revision, c.is, c.number);
        case comparison::target::lease: return related(kv.lease, c.is, c.number);
        case comparison::target::value: return related(kv.value, c.is, c.bytes);
    }
    return false;
}

key_range range_of(const comparison& c) {
    return key_range::raw(c.key, c.range_end);
}

bool passes(const range_options& o, const key_value& kv) {
    return (o.min_mod_revision == 0 || kv.mod_revision >= o.min_mod_revision)
        && (o.max_mod_revision == 0 || kv.mod_revision <= o.max_mod_revision)
        && (o.min_create_revision == 0 || kv.create_revision >= o.min_create_revision)
        && (o.max_create_revision == 0 || kv.create_revision <= o.max_create_revision);
}

bool sorts_before(sort_target by, const key_value& a, const key_value& b) {
    switch (by) {
        case sort_target::key: return a.key < b.key;
        case sort_target::version: return a.version < b.version;
        case sort_target::create: return a.create_revision < b.create_revision;
        case sort_target::mod: return a.mod_revision < b.mod_revision;
        case sort_target::value: return a.value < b.value;
    }
    return false;
}

}  // namespace

kv_model::kv_model(const known_state& start) : first_(start.revision) {
    for (const key_value& kv : start.kvs) {
        keys_[kv.key].push_back(kv);
        mix(kv);
    }
}

void kv_model::mix(const key_value& kv) noexcept {
    if (kv.version == 0 && kv.mod_revision != 0) return;   // deleted: no part of the content
    std::uint64_t h = std::hash<std::string>()(kv.key);
    const auto add = [&h](std::uint64_t part) {
        h ^= part;
        h *= 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    };
    add(std::hash<std::string>()(kv.value));
    add(static_cast<std::uint64_t>(kv.create_revision));
    add(static_cast<std::uint64_t>(kv.mod_revision));
    add(static_cast<std::uint64_t>(kv.version));
    add(static_cast<std::uint64_t>(kv.lease));
    fingerprint_ ^= h;
}

const key_value* kv_model::find(std::string_view key, revision_t at) const {
    const auto k = keys_.find(key);
    if (k == keys_.end()) return nullptr;
    const auto after = std::upper_bound(k->second.begin(), k->second.end(), at,
        [](revision_t r, const key_value& kv) { return r < kv.mod_revision; });
    if (after == k->second.begin()) return nullptr;
    const key_value& found = *std::prev(after);
    return found.version == 0 && found.mod_revision > first_ ? nullptr : &found;
}

std::vector<const key_value*> kv_model::content(const key_range& range, revision_t at) const {
    std::vector<const key_value*> all;
    for (auto k = keys_.lower_bound(range.first()); k != keys_.end() && range.contains(k->first); ++k)
        if (const key_value* kv = find(k->first, at)) all.push_back(kv);
    return all;
}

void kv_model::change(running& r, event e) {
    key_value now = e.kv;
    if (e.type == event::kind::erase) now.version = 0;
    if (e.prev_kv) mix(*e.prev_kv);
    mix(now);
    keys_[e.kv.key].push_back(std::move(now));
    r.changes.push_back(std::move(e));
}

void kv_model::unwind(const std::vector<event>& changes) {
    for (auto e = changes.rbegin(); e != changes.rend(); ++e) {
        const auto k = keys_.find(e->kv.key);
        mix(k->second.back());
        if (e->prev_kv) mix(*e->prev_kv);
        k->second.pop_back();
        if (k->second.empty()) keys_.erase(k);
    }
}

void kv_model::undo() {
    unwind(changes_.back());
    changes_.pop_back();
}

kv_model::step kv_model::execute(const op& call) {
    const auto path = choose(call, revision());
    running r{revision()};
    step done;
    std::size_t next = 0;
    done.refused = !run(call, path, next, r, done.answer);
    if (done.refused) {
        unwind(r.changes);
        return done;
    }
    done.changed = !r.changes.empty();
    if (done.changed) changes_.push_back(std::move(r.changes));
    std::visit([&](auto& a) { a.header.revision = revision(); }, static_cast<op_response::variant&>(done.answer));
    return done;
}

bool kv_model::end_lease(lease_id id) {
    running r{revision()};
    std::vector<std::string> attached;
    for (const auto& [key, v] : keys_)
        if (v.back().lease == id && find(key, newest)) attached.push_back(key);
    delete_response ignored;
    for (std::string& key : attached) erase(key_range::key(std::move(key)), {}, r, ignored);
    if (r.changes.empty()) return false;
    changes_.push_back(std::move(r.changes));
    return true;
}

std::optional<op_response> kv_model::read(const op& call, revision_t at) {
    running r{at};
    op_response answer;
    std::size_t next = 0;
    if (!run(call, choose(call, at), next, r, answer)) return std::nullopt;
    std::visit([&](auto& a) { a.header.revision = at; }, static_cast<op_response::variant&>(answer));
    return answer;
}

// etcd, too, chooses the branches of all levels before it executes any of them.
std::vector<bool> kv_model::choose(const op& call, revision_t base) const {
    std::vector<bool> path;
    if (const auto* t = std::get_if<op::txn_op>(&call.what())) choose(*t->what, base, path);
    return path;
}

void kv_model::choose(const txn& t, revision_t base, std::vector<bool>& path) const {
    const bool held =
        std::all_of(t.compares().begin(), t.compares().end(), [&](const comparison& c) { return holds(c, base); });
    path.push_back(held);
    for (const op& o : held ? t.success() : t.failure())
        if (const auto* inner = std::get_if<op::txn_op>(&o.what())) choose(*inner->what, base, path);
}

bool kv_model::holds(const comparison& c, revision_t base) const {
    const auto found = content(range_of(c), base);
    if (found.empty()) return c.what != comparison::target::value && fits(c, {});
    return std::all_of(found.begin(), found.end(), [&](const key_value* kv) { return fits(c, *kv); });
}

bool kv_model::run(const op& call, const std::vector<bool>& path, std::size_t& next, running& r, op_response& answer) {
    return std::visit(wire::overloaded{
        [&](const op::range_op& o) {
            range_response a;
            const bool done = range(o, r, a);
            answer = std::move(a);
            return done;
        },
        [&](const op::put_op& o) {
            put_response a;
            const bool done = put(o, r, a);
            answer = std::move(a);
            return done;
        },
        [&](const op::delete_op& o) {
            delete_response a;
            erase(o.range, o.options, r, a);
            answer = std::move(a);
            return true;
        },
        [&](const op::txn_op& o) {
            txn_response a;
            a.succeeded = path[next++];
            for (const op& inner : a.succeeded ? o.what->success() : o.what->failure()) {
                op_response part;
                if (!run(inner, path, next, r, part)) return false;
                a.responses.push_back(std::move(part));
            }
            answer = std::move(a);
            return true;
        },
    }, call.what());
}

bool kv_model::range(const op::range_op& call, const running& r, range_response& answer) const {
    const range_options& o = call.options;
    if (o.revision > r.now()) return false;
    auto found = content(call.range, o.revision > 0 ? o.revision : r.now());
    answer.count = static_cast<std::int64_t>(found.size());
    if (o.count_only) return true;
    std::erase_if(found, [&](const key_value* kv) { return !passes(o, *kv); });
    if (o.order == sort_order::descend)
        std::stable_sort(found.begin(), found.end(), [&](const key_value* a, const key_value* b) { return sorts_before(o.target, *b, *a); });
    else if (o.target != sort_target::key)
        std::stable_sort(found.begin(), found.end(), [&](const key_value* a, const key_value* b) { return sorts_before(o.target, *a, *b); });
    if (o.limit > 0 && found.size() > static_cast<std::size_t>(o.limit)) {
        found.resize(static_cast<std::size_t>(o.limit));
        answer.more = true;
    }
    for (const key_value* kv : found) {
        answer.kvs.push_back(*kv);
        if (o.keys_only) answer.kvs.back().value.clear();
    }
    return true;
}

bool kv_model::put(const op::put_op& call, running& r, put_response& answer) {
    const key_value* before = find(call.key, newest);
    if (!before && (call.options.ignore_value || call.options.ignore_lease)) return false;
    event e;
    e.kv.key = call.key;
    e.kv.value = call.options.ignore_value ? before->value : call.value;
    e.kv.lease = call.options.ignore_lease ? before->lease : call.options.lease;
    e.kv.mod_revision = r.base + 1;
    e.kv.create_revision = before ? before->create_revision : r.base + 1;
    e.kv.version = before ? before->version + 1 : 1;
    if (before) e.prev_kv = *before;
    if (call.options.prev_kv) answer.prev_kv = e.prev_kv;
    change(r, std::move(e));
    return true;
}

void kv_model::erase(const key_range& range, const delete_options& options, running& r, delete_response& answer) {
    for (const key_value* kv : content(range, newest)) {
        event e;
        e.type = event::kind::erase;
        e.kv.key = kv->key;
        e.kv.mod_revision = r.base + 1;
        e.prev_kv = *kv;
        ++answer.deleted;
        if (options.prev_kv) answer.prev_kvs.push_back(*kv);
        change(r, std::move(e));
    }
}

}  // namespace dynconf::testing
