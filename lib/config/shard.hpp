#pragma once

#include <dynconf/config/snapshot.hpp>
#include <dynconf/config/value.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <cstddef>
#include <functional>
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

/// An entry under its name; shared by every generation that has it.
struct stored_entry : boost::intrusive_ref_counter<stored_entry> {
    stored_entry(std::size_t h, std::string_view n, entry e) : hash(h), name(n), data(std::move(e)) {}
    stored_entry(const stored_entry&) = delete;
    stored_entry& operator=(const stored_entry&) = delete;
    /// A secret is wiped.
    ~stored_entry();

    std::size_t hash;
    std::string name;
    entry data;
};

using stored_ptr = boost::intrusive_ptr<const stored_entry>;

/// A name with its hash, so that one hash finds both the shard and the slot.
struct hashed_name {
    std::size_t hash;
    std::string_view name;

    explicit hashed_name(std::string_view n) noexcept : hash(std::hash<std::string_view>{}(n)), name(n) {}
    explicit hashed_name(const stored_entry& e) noexcept : hash(e.hash), name(e.name) {}
};

/// A small set of entries: open addressing, the hash kept in the slot, so that a lookup touches one slot and the entry.
class shard {
public:
    struct slot {
        std::size_t hash = 0;
        stored_ptr item;
    };

    /// What a lookup needs, to be kept where the reader is anyway. Valid until the shard changes.
    struct view {
        const slot* slots = nullptr;
        std::size_t mask = 0;

        const stored_entry* find(const hashed_name& wanted) const noexcept {
            if (!slots) return nullptr;
            // never full, so an empty slot ends every search
            for (std::size_t i = place(wanted.hash) & mask; slots[i].item; i = (i + 1) & mask)
                if (slots[i].hash == wanted.hash && slots[i].item->name == wanted.name) return slots[i].item.get();
            return nullptr;
        }
    };

    view look() const noexcept { return slots_.empty() ? view() : view{slots_.data(), slots_.size() - 1}; }
    const stored_entry* find(const hashed_name& wanted) const noexcept { return look().find(wanted); }
    std::size_t size() const noexcept { return size_; }

    /// Puts in, or replaces.
    void put(stored_ptr item);
    /// Whether it was there.
    bool erase(const hashed_name& wanted);

    /// Calls `fn(const stored_entry&)` for each; false from it ends the walk, and is the answer.
    template <class Fn> bool each(Fn&& fn) const {
        for (const auto& s : slots_)
            if (s.item && !fn(*s.item)) return false;
        return true;
    }

private:
    // The shard is chosen by lower bits.
    static constexpr std::size_t place(std::size_t hash) noexcept { return hash >> 20; }
    void grow();

    std::vector<slot> slots_;  // none, or a power of two
    std::size_t size_ = 0;
};

}  // namespace dynconf::detail
