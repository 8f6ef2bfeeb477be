#pragma once

#include "testing/history.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::testing {

/// etcd's KV as a value, with all of its revisions: what a call is answered and what it changes. Steps can be undone, so
/// that a search may try them.
class kv_model {
public:
    explicit kv_model(const known_state& start);

    revision_t first_revision() const noexcept { return first_; }
    revision_t revision() const noexcept { return first_ + static_cast<revision_t>(changes_.size()); }

    struct step {
        bool refused = false;      ///< etcd would have answered with an error; nothing has changed then.
        bool changed = false;      ///< There is a new revision.
        op_response answer;
    };
    /// Executes one call. A lease that it names counts as there.
    step execute(const op& call);
    /// Deletes the keys of a lease; whether there were any.
    bool end_lease(lease_id id);
    /// A new revision of others, who change nothing here.
    void pass() { changes_.emplace_back(); }
    /// What a call that only reads is answered as of a revision; none: an error.
    std::optional<op_response> read(const op& call, revision_t at);
    /// Takes the newest revision back.
    void undo();

    /// The key as of a revision from first_revision() to revision(), or null.
    const key_value* find(std::string_view key, revision_t at) const;
    /// All of a range as of a revision, in order of the keys.
    std::vector<const key_value*> content(const key_range& range, revision_t at) const;
    bool knows(std::string_view key) const { return keys_.contains(key); }
    /// What a revision above first_revision() changed, with previous values.
    const std::vector<event>& changes(revision_t at) const { return changes_[index(at)]; }
    /// Of the content: equal ones have equal numbers.
    std::uint64_t fingerprint() const noexcept { return fingerprint_; }

private:
    struct running {   // a call under way
        revision_t base;   // it reads this one, and makes the next
        std::vector<event> changes = {};
        revision_t now() const noexcept { return changes.empty() ? base : base + 1; }
    };

    std::size_t index(revision_t at) const noexcept { return static_cast<std::size_t>(at - first_ - 1); }
    bool run(const op& call, const std::vector<bool>& path, std::size_t& next, running& r, op_response& answer);
    std::vector<bool> choose(const op& call, revision_t base) const;
    void choose(const txn& t, revision_t base, std::vector<bool>& path) const;
    bool holds(const comparison& c, revision_t base) const;
    bool range(const op::range_op& call, const running& r, range_response& answer) const;
    bool put(const op::put_op& call, running& r, put_response& answer);
    void erase(const key_range& range, const delete_options& options, running& r, delete_response& answer);
    void change(running& r, event e);
    void unwind(const std::vector<event>& changes);
    void mix(const key_value& kv) noexcept;

    using versions = std::vector<key_value>;   // by mod_revision; version 0: deleted

    std::map<std::string, versions, std::less<>> keys_;
    std::vector<std::vector<event>> changes_;
    revision_t first_;
    std::uint64_t fingerprint_ = 0;
};

}  // namespace dynconf::testing
