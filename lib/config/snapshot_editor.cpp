#include "config/snapshot_data.hpp"

#include <algorithm>

namespace dynconf::detail {

std::size_t shard_count_for(std::size_t names) noexcept { return names <= 2'000 ? 64 : names <= 20'000 ? 256 : 1024; }

snapshot_editor::snapshot_editor(snapshot base, std::size_t expected_names) : base_(std::move(base)) {
    if (const auto& data = snapshot_access::data(base_)) next_ = *data;
    if (next_.shards.empty()) {
        next_.shards.resize(shard_count_for(expected_names));
        next_.views.resize(next_.shards.size());
    }
    owned_.resize(next_.shards.size());
}

edit snapshot_editor::set(std::string_view name, entry e) {
    const hashed_name wanted(name);
    const auto* present = next_.find(wanted);
    const bool same_content = present && present->data.content == e.content;
    if (same_content && present->data == e) return edit::none;

    if (!present) ++next_.size;
    const auto index = next_.shard_of(wanted.hash);
    owned(index).put(stored_ptr(new stored_entry(wanted.hash, name, std::move(e))));
    refresh(index);
    return same_content ? edit::metadata : edit::content;
}

bool snapshot_editor::erase(std::string_view name) {
    const hashed_name wanted(name);
    if (!next_.find(wanted)) return false;
    const auto index = next_.shard_of(wanted.hash);
    owned(index).erase(wanted);
    refresh(index);
    --next_.size;
    return true;
}

const entry* snapshot_editor::find(std::string_view name) const noexcept {
    const auto* found = next_.find(hashed_name(name));
    return found ? &found->data : nullptr;
}

edit snapshot_editor::difference() const {
    static const snapshot_data nothing;
    const auto& base = snapshot_access::data(base_);
    edit most = edit::none;
    for_each_difference(base ? *base : nothing, next_, [&](const stored_entry* x, const stored_entry* y) {
        if (!x || !y || !(x->data.content == y->data.content)) most = edit::content;
        else if (!(x->data == y->data)) most = edit::metadata;
        return most != edit::content;
    });
    return most;
}

snapshot snapshot_editor::commit(revision_t revision, origin from, std::uint64_t serial) && {
    // Grow only: a set that hovers around a limit would otherwise be rebuilt again and again.
    if (const auto wanted = shard_count_for(next_.size); wanted > next_.shards.size()) reshard(wanted);
    next_.revision = revision;
    next_.from = from;
    next_.serial = serial;
    owned_.clear();
    return snapshot_access::make(std::make_shared<const snapshot_data>(std::move(next_)));
}

shard& snapshot_editor::owned(std::size_t index) {
    auto& mine = owned_[index];
    if (!mine) {
        const auto& shared = next_.shards[index];
        mine = shared ? std::make_shared<shard>(*shared) : std::make_shared<shard>();
        next_.shards[index] = mine;
    }
    return *mine;
}

void snapshot_editor::reshard(std::size_t count) {
    snapshot_data wider;
    wider.shards.resize(count);
    std::vector<std::shared_ptr<shard>> made(count);
    next_.each([&](const stored_entry& e) {
        auto& in = made[wider.shard_of(e.hash)];
        if (!in) in = std::make_shared<shard>();
        in->put(stored_ptr(&e));
    });
    std::copy(made.begin(), made.end(), wider.shards.begin());
    next_.shards = std::move(wider.shards);
    next_.views.assign(count, shard::view());
    owned_ = std::move(made);
    for (std::size_t i = 0; i < count; ++i)
        if (owned_[i]) refresh(i);
}

}  // namespace dynconf::detail
