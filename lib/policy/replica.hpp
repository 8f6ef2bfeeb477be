#pragma once

#include <dynconf/types.hpp>

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

    /// Everything up to here is applied.
    revision_t revision() const noexcept { return revision_; }
    std::uint64_t cluster_id() const noexcept { return cluster_id_; }
    std::size_t size() const noexcept { return keys_.size(); }

private:
    std::unordered_map<std::string, revision_t> keys_;   // key to mod_revision
    revision_t revision_ = 0;
    std::uint64_t cluster_id_ = 0;
};

}  // namespace dynconf::policy
