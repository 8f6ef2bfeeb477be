#pragma once

#include "config/shard.hpp"

#include <dynconf/config/snapshot.hpp>
#include <dynconf/config/value.hpp>
#include <dynconf/types.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf::detail {

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
    std::vector<shard_ptr> shards;   // a power of two of them, or none
    std::vector<shard::view> views;  // of the same shards, for readers: one step less

    std::size_t shard_of(std::size_t hash) const noexcept { return (hash >> 8) & (shards.size() - 1); }

    const stored_entry* find(const hashed_name& name) const noexcept {
        return views.empty() ? nullptr : views[shard_of(name.hash)].find(name);
    }

    /// Calls `fn(const stored_entry&)` for each, in no order.
    template <class Fn> void each(Fn&& fn) const {
        for (const auto& s : shards)
            if (s) s->each([&](const stored_entry& e) { return fn(e), true; });
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
    void refresh(std::size_t index) noexcept { next_.views[index] = owned_[index]->look(); }
    void reshard(std::size_t count);

    snapshot base_;
    snapshot_data next_;
    std::vector<std::shared_ptr<shard>> owned_;  // the shards of next_ that are ours to change; null elsewhere
};

/// Calls `visit(const stored_entry* before, const stored_entry* after)` for each name whose stored entry is not the
/// very same object in both; one of the two is null for a name that only the other has. False from it ends the walk.
template <class Visit> void for_each_difference(const snapshot_data& before, const snapshot_data& after, Visit visit) {
    const auto walk = [&](const shard* a, const shard* b) {
        const auto differs = [&](const stored_entry& e) {
            const stored_entry* other = after.find(hashed_name(e));
            return other == &e || visit(&e, other);
        };
        const auto is_new = [&](const stored_entry& e) {
            return before.find(hashed_name(e)) || visit(static_cast<const stored_entry*>(nullptr), &e);
        };
        return (!a || a->each(differs)) && (!b || b->each(is_new));
    };
    if (before.shards.size() == after.shards.size()) {
        for (std::size_t i = 0; i < before.shards.size(); ++i) {
            if (before.shards[i] == after.shards[i]) continue;
            if (!walk(before.shards[i].get(), after.shards[i].get())) return;
        }
    } else {
        for (const auto& s : before.shards)
            if (!walk(s.get(), nullptr)) return;
        for (const auto& s : after.shards)
            if (!walk(nullptr, s.get())) return;
    }
}

}  // namespace dynconf::detail
