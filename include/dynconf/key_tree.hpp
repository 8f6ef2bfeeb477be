#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/types.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dynconf {

/// Keys as a tree of their parts. A node may be a key and have keys below it. Nothing of a key is lost: a leading, doubled or
/// trailing separator makes a part with an empty name, and `kv->key` is the exact key. Whoever may write a key decides how many
/// parts it has: past `most_depth` the rest of it, separators and all, is the name of one part, so that neither the tree nor its
/// JSON can be too deep to be walked through.
struct key_tree {
    static constexpr std::size_t most_depth = 100;   ///< Levels of nodes below the root.

    std::map<std::string, key_tree> children;   ///< By the part of the key up to the next separator, or by the rest of it.
    std::optional<key_value> kv;                ///< When there is a key that ends here.

    DYNCONF_API static key_tree of(std::span<const key_value> kvs, char separator = '/');

    /// The node of a key, or of the part of one that is less than `most_depth` deep; null when there is none.
    DYNCONF_API const key_tree* find(std::string_view key, char separator = '/') const;

    /// `{"children": {name: node, ...}, "key": ..., "value": ..., "mod_revision": ..., "version": ..., "lease": ...}`, of which a
    /// node has what applies. Where a key or value is no UTF-8 the member is called `key_base64`, `value_base64`; a name
    /// that is none stands as "base64:" and its base64.
    DYNCONF_API nlohmann::json to_json() const;
};

}  // namespace dynconf
