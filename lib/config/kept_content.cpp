#include "config/kept_content.hpp"

#include <dynconf/secret.hpp>

#include <algorithm>
#include <utility>

namespace dynconf::detail {

namespace {

/// Which writes of which keys were refused.
class refusals {
public:
    explicit refusals(const std::vector<rejection>& all) {
        for (const rejection& r : all) at_.emplace(r.key, r.revision);
    }
    bool contain(std::string_view key, revision_t revision) const {
        const auto [first, last] = at_.equal_range(key);
        return std::any_of(first, last, [revision](const auto& r) { return r.second == revision; });
    }

private:
    std::unordered_multimap<std::string_view, revision_t> at_;   // views into the rejections
};

key_value pair(const std::string& key, const kept_key::text& text) {
    key_value kv;
    kv.key = key;
    kv.value = text.value;
    kv.mod_revision = text.mod_revision;
    return kv;
}

}  // namespace

kept_key::~kept_key() {
    for (std::optional<text>* t : {&now, &last_good})
        if (*t) wipe((*t)->value);
}

kept_content::kept_content(kept_image from) : revision_(from.revision), cluster_id_(from.cluster_id) {
    keys_.reserve(from.keys.size());
    for (kept_key_ptr& k : from.keys) {
        const std::string_view key = k->key;
        keys_.insert_or_assign(key, std::move(k));
    }
}

void kept_content::put(std::string key, std::optional<kept_key::text> now, bool refused) {
    const auto old = keys_.find(key);
    auto next = std::make_shared<kept_key>();
    if (refused && old != keys_.end())
        next->last_good = old->second->refused ? old->second->last_good : old->second->now;
    if (old != keys_.end()) keys_.erase(old);
    if (!now && !next->last_good) return;
    next->key = std::move(key);
    next->now = std::move(now);
    next->refused = refused;
    const std::string_view name = next->key;
    keys_.emplace(name, std::move(next));
}

void kept_content::load(const std::vector<key_value>& all, revision_t revision, std::uint64_t cluster_id,
                        const std::vector<rejection>& refused) {
    kept_content before = std::exchange(*this, {});
    const refusals by_schema(refused);
    keys_.reserve(all.size());
    for (const key_value& kv : all) {
        if (kv.unreadable) {
            if (auto old = before.keys_.extract(kv.key)) keys_.insert(std::move(old));
            unreadable_.insert(kv.key);
            continue;
        }
        const bool no = by_schema.contain(kv.key, kv.mod_revision);
        if (no)
            if (auto old = before.keys_.extract(kv.key)) keys_.insert(std::move(old));
        put(kv.key, kept_key::text{kv.value, kv.mod_revision}, no);
    }
    for (const rejection& r : refused) {   // required, and not there any more
        if (r.revision == 0 || keys_.contains(r.key)) continue;
        if (auto old = before.keys_.extract(r.key)) {
            keys_.insert(std::move(old));
            put(r.key, std::nullopt, true);
        }
    }
    revision_ = revision;
    cluster_id_ = cluster_id;
}

void kept_content::apply(const std::vector<event>& events, revision_t revision, std::uint64_t cluster_id,
                         const std::vector<rejection>& refused) {
    const refusals by_schema(refused);
    for (const event& e : events) {
        if (e.kv.unreadable) {
            unreadable_.insert(e.kv.key);
            continue;
        }
        unreadable_.erase(e.kv.key);
        std::optional<kept_key::text> now;
        if (e.type == event::kind::put) now.emplace(kept_key::text{e.kv.value, e.kv.mod_revision});
        put(e.kv.key, std::move(now), by_schema.contain(e.kv.key, e.kv.mod_revision));
    }
    revision_ = revision;
    cluster_id_ = cluster_id;
}

void kept_content::judged_again(const std::vector<rejection>& refused) {
    const refusals by_schema(refused);
    std::vector<kept_key> changed;
    for (const auto& [key, k] : keys_) {
        kept_key next = *k;
        next.refused = by_schema.contain(key, k->now ? k->now->mod_revision : revision_);
        if (!next.refused || (k->last_good && by_schema.contain(key, k->last_good->mod_revision))) next.last_good.reset();
        if (!(next == *k)) changed.push_back(std::move(next));
    }
    for (kept_key& k : changed) {
        keys_.erase(k.key);
        if (!k.now && !k.last_good) continue;
        auto next = std::make_shared<const kept_key>(std::move(k));
        const std::string_view key = next->key;
        keys_.emplace(key, std::move(next));
    }
}

bool kept_content::unchanged_until(revision_t revision, std::uint64_t cluster_id) noexcept {
    if (cluster_id != cluster_id_ || revision <= revision_) return false;
    revision_ = revision;
    return true;
}

bool kept_content::contains(std::string_view key) const {
    const auto at = keys_.find(key);
    return at != keys_.end() && at->second->now;
}

kept_image kept_content::image() const {
    kept_image all;
    all.revision = revision_;
    all.cluster_id = store_to_go_on_with();
    all.keys.reserve(keys_.size());
    for (const auto& [key, k] : keys_) all.keys.push_back(k);
    return all;
}

known_content kept_content::known() const {
    known_content all;
    all.revision = revision_;
    all.cluster_id = store_to_go_on_with();
    all.kvs.reserve(keys_.size());
    for (const auto& [key, k] : keys_)
        if (k->now) all.kvs.push_back(pair(k->key, *k->now));
    return all;
}

std::vector<key_value> kept_content::good() const {
    std::vector<key_value> all;
    all.reserve(keys_.size());
    for (const auto& [key, k] : keys_) all.push_back(pair(k->key, k->last_good ? *k->last_good : *k->now));
    return all;
}

std::vector<event> kept_content::refused_since() const {
    std::vector<event> all;
    for (const auto& [key, k] : keys_) {
        if (!k->last_good) continue;
        event& e = all.emplace_back();
        if (k->now) {
            e.kv = pair(k->key, *k->now);
        } else {
            e.type = event::kind::erase;
            e.kv.key = k->key;
            e.kv.mod_revision = revision_;
        }
    }
    return all;
}

}  // namespace dynconf::detail
