#include "policy/replica.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace dynconf::policy {

void replica::load(const std::vector<key_value>& content, revision_t revision, std::uint64_t cluster_id) {
    keys_.clear();
    keys_.reserve(content.size());
    for (const key_value& kv : content) keys_.emplace(kv.key, kv.mod_revision);
    revision_ = known_ = revision;
    cluster_id_ = cluster_id;
}

std::vector<event> replica::reload(std::vector<key_value> content, revision_t revision, std::uint64_t cluster_id) {
    const bool comparable = cluster_id == cluster_id_ && revision >= known_;
    std::unordered_map<std::string, revision_t> before = std::move(keys_);
    load(content, revision, cluster_id);

    std::vector<event> changes;
    for (key_value& kv : content) {
        const auto old = before.find(kv.key);
        const bool same = comparable && old != before.end() && old->second == kv.mod_revision;
        if (old != before.end()) before.erase(old);
        if (same) continue;
        event& e = changes.emplace_back();
        e.kv = std::move(kv);
    }
    for (auto& [key, mod_revision] : before) {
        event& e = changes.emplace_back();
        e.type = event::kind::erase;
        e.kv.key = key;
        e.kv.mod_revision = revision;
    }
    std::sort(changes.begin(), changes.end(), [](const event& a, const event& b) { return a.kv.key < b.kv.key; });
    return changes;
}

void replica::apply(const std::vector<event>& events, revision_t revision) {
    for (const event& e : events) {
        if (e.type == event::kind::erase)
            keys_.erase(e.kv.key);
        else
            keys_.insert_or_assign(e.kv.key, e.kv.mod_revision);
    }
    revision_ = revision;
    known_ = std::max(known_, revision);
}

std::vector<std::string> replica::differences(const std::vector<key_value>& other) const {
    std::vector<std::string> keys;
    std::unordered_set<std::string_view> seen;
    seen.reserve(other.size());
    for (const key_value& kv : other) {
        seen.insert(kv.key);
        const auto ours = keys_.find(kv.key);
        if (ours == keys_.end() || ours->second != kv.mod_revision) keys.push_back(kv.key);
    }
    for (const auto& [key, mod_revision] : keys_)
        if (!seen.contains(key)) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    return keys;
}

}  // namespace dynconf::policy
