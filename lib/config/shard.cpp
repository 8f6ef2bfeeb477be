#include "config/shard.hpp"

#include "config/wipe_value.hpp"

namespace dynconf::detail {

stored_entry::~stored_entry() {
    if (data.secret) wipe_value(data.content);
}

void shard::put(stored_ptr item) {
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = place(item->hash) & mask;
    while (slots_[i].item && !(slots_[i].hash == item->hash && slots_[i].item->name == item->name)) i = (i + 1) & mask;
    if (!slots_[i].item) ++size_;
    slots_[i].hash = item->hash;
    slots_[i].item = std::move(item);
}

bool shard::erase(const hashed_name& wanted) {
    if (!find(wanted)) return false;
    const std::size_t mask = slots_.size() - 1;
    std::size_t hole = place(wanted.hash) & mask;
    while (slots_[hole].hash != wanted.hash || slots_[hole].item->name != wanted.name) hole = (hole + 1) & mask;
    // Move back what only stood behind because the hole was taken.
    for (std::size_t i = (hole + 1) & mask; slots_[i].item; i = (i + 1) & mask) {
        const std::size_t from_home = (i - place(slots_[i].hash)) & mask;
        const std::size_t from_hole = (i - hole) & mask;
        if (from_home < from_hole) continue;
        slots_[hole] = std::move(slots_[i]);
        hole = i;
    }
    slots_[hole] = slot();
    --size_;
    return true;
}

void shard::grow() {
    std::vector<slot> old(slots_.empty() ? 8 : slots_.size() * 2);
    old.swap(slots_);
    const std::size_t mask = slots_.size() - 1;
    for (auto& s : old) {
        if (!s.item) continue;
        std::size_t i = place(s.hash) & mask;
        while (slots_[i].item) i = (i + 1) & mask;
        slots_[i] = std::move(s);
    }
}

}  // namespace dynconf::detail
