#pragma once

#include <dynconf/error.hpp>
#include <dynconf/key_ring.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace dynconf::policy {

/// The keys that one answer of etcd needs: a ring, and what a key_provider has to add. Each id is asked for once, and `most` ids
/// at all, whatever the answer is full of. What was found for it stays until it is opened, also where nobody keeps it.
class wanted_keys {
public:
    wanted_keys(key_ring own, std::size_t most) : keys_(std::move(own)), most_(most) {}

    /// Whether nothing is known of an id, and it was not asked for.
    bool is_new(const std::string& id) const;
    /// It is open from now on; beyond `most` it is not, and goes without.
    void ask_for(const std::string& id);
    /// Of an id that is new or open; else it came too late. A key that the ring does not take is none.
    void on_answer(const std::string& id, const result<sealing_key>& what);

    /// What is still to be answered.
    const std::set<std::string>& open() const noexcept { return open_; }
    bool complete() const noexcept { return open_.empty(); }

    const key_ring& keys() const noexcept { return keys_; }
    /// Why there is no key, as far as that is more than that the ring has none.
    std::optional<error> why_without(const std::string& id) const;

private:
    key_ring keys_;
    std::size_t most_;
    std::size_t asked_ = 0;
    std::set<std::string> open_;
    std::map<std::string, error> without_;
};

}  // namespace dynconf::policy
