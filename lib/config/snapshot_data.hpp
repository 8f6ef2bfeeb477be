#pragma once

#include <dynconf/config/snapshot.hpp>
#include <dynconf/config/value.hpp>
#include <dynconf/types.hpp>

#include <boost/unordered/unordered_flat_set.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf::detail {

/// One setting as a snapshot keeps it.
struct entry {
    value content;
    provenance from;
    bool secret = false;

    friend bool operator==(const entry&, const entry&) = default;
};

struct stored_entry {
    std::size_t hash;
    std::string name;
    entry data;
};

/// A name with its hash, so that one hash finds both the shard and the slot.
struct hashed_name {
    std::size_t hash;
    std::string_view name;

    explicit hashed_name(std::string_view n) noexcept : hash(std::hash<std::string_view>{}(n)), name(n) {}
    explicit hashed_name(const stored_entry& e) noexcept : hash(e.hash), name(e.name) {}
};

using stored_ptr = std::shared_ptr<const stored_entry>;

struct stored_hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(const hashed_name& n) const noexcept { return n.hash; }
    std::size_t operator()(const stored_ptr& e) const noexcept { return e->hash; }
};

struct stored_equal {
    using is_transparent = void;
    bool operator()(const stored_ptr& a, const stored_ptr& b) const noexcept { return a->name == b->name; }
    bool operator()(const hashed_name& a, const stored_ptr& b) const noexcept { return a.name == b->name; }
    bool operator()(const stored_ptr& a, const hashed_name& b) const noexcept { return a->name == b.name; }
};

using shard = boost::unordered_flat_set<stored_ptr, stored_hash, stored_equal>;
/// Null for an empty shard.
using shard_ptr = std::shared_ptr<const shard>;

/// 64 up to 2 000 names, 256 up to 20 000, 1024 above: copying one shard and the table of shards then cost alike.
std::size_t shard_count_for(std::size_t names) noexcept;

/// What a snapshot points to. Immutable once published; shards are shared between generations.
struct snapshot_data {
    revision_t revision = 0;
    origin from = origin::none;
    std::uint64_t serial = 0;
    std::size_t size = 0;
    std::vector<shard_ptr> shards;  // a power of two of them

    // The set takes its group from the highest bits and its tag from the lowest byte; the shard comes from between.
    std::size_t shard_of(std::size_t hash) const noexcept { return (hash >> 8) & (shards.size() - 1); }

    const stored_entry* find(const hashed_name& name) const noexcept {
        if (shards.empty()) return nullptr;
        const auto& in = shards[shard_of(name.hash)];
        if (!in) return nullptr;
        const auto at = in->find(name);
        return at == in->end() ? nullptr : at->get();
    }
};

/// The door between handles and their data.
class snapshot_access {
public:
    static snapshot make(std::shared_ptr<const snapshot_data> data) { return snapshot(std::move(data)); }
    /// Null for a default-made snapshot.
    static const std::shared_ptr<const snapshot_data>& data(const snapshot& s) noexcept { return s.data_; }
};

/// How far an edit went.
enum class edit : std::uint8_t {
    none,
    metadata,  ///< Revisions, origins or marks differ, no value does: subscribers need not hear of it.
    content,   ///< A value differs, or a name came or went.
};

/// Makes the next snapshot from one before it; shards nobody touches are shared. Used by one thread at a time.
class snapshot_editor {
public:
    /// `expected_names` saves the re-sharding of a large first load.
    explicit snapshot_editor(snapshot base, std::size_t expected_names = 0);

    /// Puts or replaces; what equals the present entry changes nothing and copies nothing.
    edit set(std::string_view name, entry e);
    /// Whether the name was there.
    bool erase(std::string_view name);

    /// As of the edits so far.
    const entry* find(std::string_view name) const noexcept;
    std::size_t size() const noexcept { return next_.size; }

    /// The net difference from the base: a value that was changed and changed back is none.
    edit difference() const;
    bool changed() const { return difference() == edit::content; }

    /// Ends the edit.
    snapshot commit(revision_t revision, origin from, std::uint64_t serial) &&;

private:
    shard& owned(std::size_t index);
    void reshard(std::size_t count);

    snapshot base_;
    snapshot_data next_;
    std::vector<std::shared_ptr<shard>> owned_;  // the shards of next_ that are ours to change; null elsewhere
};

/// Calls `visit(const stored_entry* before, const stored_entry* after)` for each name whose stored entry is not the
/// very same object in both; one of the two is null for a name that only the other has. False from it ends the walk.
template <class Visit> void for_each_difference(const snapshot_data& before, const snapshot_data& after, Visit visit) {
    const auto walk = [&](const shard* a, const shard* b, const auto& find_in_b, const auto& find_in_a) {
        if (a)
            for (const auto& e : *a) {
                const stored_entry* other = find_in_b(hashed_name(*e));
                if (other != e.get() && !visit(static_cast<const stored_entry*>(e.get()), other)) return false;
            }
        if (b)
            for (const auto& e : *b)
                if (!find_in_a(hashed_name(*e)) &&
                    !visit(static_cast<const stored_entry*>(nullptr), static_cast<const stored_entry*>(e.get())))
                    return false;
        return true;
    };
    const auto find_after = [&](const hashed_name& n) { return after.find(n); };
    const auto find_before = [&](const hashed_name& n) { return before.find(n); };
    if (before.shards.size() == after.shards.size()) {
        for (std::size_t i = 0; i < before.shards.size(); ++i) {
            if (before.shards[i] == after.shards[i]) continue;
            if (!walk(before.shards[i].get(), after.shards[i].get(), find_after, find_before)) return;
        }
    } else {
        for (const auto& s : before.shards)
            if (!walk(s.get(), nullptr, find_after, find_before)) return;
        for (const auto& s : after.shards)
            if (!walk(nullptr, s.get(), find_after, find_before)) return;
    }
}

}  // namespace dynconf::detail
