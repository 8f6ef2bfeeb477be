#pragma once

#include <dynconf/config/rejection.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace dynconf::detail {

/// One key as etcd has it, and what stands in for it where the schema refused that.
struct kept_key {
    struct text {
        std::string value;
        revision_t mod_revision = 0;
        friend bool operator==(const text&, const text&) = default;
    };
    std::string key;
    std::optional<text> now;         ///< Nothing: deleted, which the schema refused.
    std::optional<text> last_good;   ///< The last accepted text; only when the schema refused `now`.
    bool refused = false;

    kept_key() = default;
    kept_key(const kept_key&) = default;
    kept_key(kept_key&&) = default;
    kept_key& operator=(const kept_key&) = default;
    kept_key& operator=(kept_key&&) = default;
    /// The texts are wiped: which of them are secret is not known here.
    ~kept_key();

    friend bool operator==(const kept_key&, const kept_key&) = default;
};

using kept_key_ptr = std::shared_ptr<const kept_key>;

/// All of it at one moment.
struct kept_image {
    revision_t revision = 0;
    std::uint64_t cluster_id = 0;     ///< 0: nobody can go on from here; all has to be read again.
    std::vector<kept_key_ptr> keys;   ///< In no order; each key once.
};

/// The texts of all keys that a source delivered, whether the schema knows them or not, for a later start. One thread at
/// a time.
class kept_content {
public:
    kept_content() = default;
    explicit kept_content(kept_image from);

    /// The whole content; `refused` are the schema's refusals of it. Of a key whose value is unreadable the text before stays.
    void load(const std::vector<key_value>& all, revision_t revision, std::uint64_t cluster_id,
              const std::vector<rejection>& refused);
    void apply(const std::vector<event>& events, revision_t revision, std::uint64_t cluster_id,
               const std::vector<rejection>& refused);
    /// What was restored was judged again, perhaps by another schema: these are its refusals.
    void judged_again(const std::vector<rejection>& refused);

    /// The content of `cluster_id` at `revision` is still this one. Whether that is news.
    bool unchanged_until(revision_t revision, std::uint64_t cluster_id) noexcept;

    revision_t revision() const noexcept { return revision_; }
    /// Whether etcd has the key.
    bool contains(std::string_view key) const;

    /// A consistent copy that later changes leave alone: costs a pointer for each key.
    kept_image image() const;
    /// As etcd has it, for a source to go on from; of cluster 0 where it cannot.
    known_content known() const;
    /// What to serve: each key's last accepted text, or what there is.
    std::vector<key_value> good() const;
    /// What was refused after it: applied to good(), it is refused again, and reported.
    std::vector<event> refused_since() const;

private:
    void put(std::string key, std::optional<kept_key::text> now, bool refused);
    /// What is kept is not what etcd has where values could not be read.
    std::uint64_t store_to_go_on_with() const noexcept { return unreadable_.empty() ? cluster_id_ : 0; }

    std::unordered_map<std::string_view, kept_key_ptr> keys_;   // the keys are views into the values
    revision_t revision_ = 0;
    std::uint64_t cluster_id_ = 0;
    std::unordered_set<std::string> unreadable_;   // keys
};

}  // namespace dynconf::detail
