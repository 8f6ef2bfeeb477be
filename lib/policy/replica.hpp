#pragma once

#include <dynconf/types.hpp>

#include "policy/looks.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dynconf::policy {

/// Which keys a follower holds, each at which revision: enough to turn a reload into the changes it brings.
class replica {
public:
    /// Takes a whole load of `cluster_id` as the new content and returns what differs: puts of new and changed keys,
    /// erases of gone ones, in key order. An erase carries `revision`. Nothing that is the same is returned. Where the
    /// revisions are not comparable (another cluster, or a store that went back) every key counts as changed.
    std::vector<event> reload(std::vector<key_value> content, revision_t revision, std::uint64_t cluster_id);
    /// The first load: no diff, the caller takes the content itself.
    void load(const std::vector<key_value>& content, revision_t revision, std::uint64_t cluster_id);
    void apply(const std::vector<event>& events, revision_t revision);

    /// `other` is the whole content without values: the keys at which the two differ, in order.
    std::vector<std::string> differences(const std::vector<key_value>& other) const;

    /// Whether nothing of etcd's content was changed after known(), as far as the look saw: no key has a later revision, and
    /// there are as many as here.
    bool unchanged(const look& seen) const noexcept {
        return seen.after == known_ && !seen.changed && seen.count == static_cast<std::int64_t>(keys_.size());
    }
    /// What is held of this key is not good: a reload brings it whatever its revision.
    void doubt(const std::string& key) {
        if (const auto at = keys_.find(key); at != keys_.end()) at->second = 0;
    }
    /// etcd's content at this revision is this one, although nothing happened to it since revision().
    void unchanged_until(revision_t revision) noexcept { known_ = std::max(known_, revision); }

    /// The last that was applied.
    revision_t revision() const noexcept { return revision_; }
    /// Nothing up to here is missing.
    revision_t known() const noexcept { return known_; }
    std::uint64_t cluster_id() const noexcept { return cluster_id_; }
    std::size_t size() const noexcept { return keys_.size(); }

private:
    std::unordered_map<std::string, revision_t> keys_;   // key to mod_revision
    revision_t revision_ = 0;
    revision_t known_ = 0;
    std::uint64_t cluster_id_ = 0;
};

}  // namespace dynconf::policy
