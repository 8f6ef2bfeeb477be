#pragma once

#include <dynconf/txn.hpp>

#include <cstdint>
#include <random>
#include <string>
#include <utility>

namespace dynconf::test {

/// Calls of KV on few keys, "a" and on behind `prefix`: writes, reads and transactions, of which most depend on each other. What a call
/// writes is its own `value`.
class random_calls {
public:
    random_calls(std::mt19937_64& random, unsigned keys, std::string prefix = {}) : random_(random), keys_(keys), prefix_(std::move(prefix)) {}

    std::string key() { return prefix_ + static_cast<char>('a' + below(keys_)); }
    /// All of them, and whatever else is behind the prefix.
    key_range all() const { return prefix_.empty() ? key_range::all() : key_range::prefix(prefix_); }
    std::uint64_t below(std::uint64_t n) { return random_() % n; }

    op next(const std::string& value) {
        const auto kind = below(20);
        if (kind < 7) return op::put(key(), value, {.prev_kv = below(2) == 0});
        if (kind < 9) return op::delete_range(key_range::key(key()));
        if (kind < 10) return op::delete_range(key_range::interval(prefix_ + "a", key()), {.prev_kv = true});
        if (kind < 13) return op::range(below(2) == 0 ? all() : key_range::key(key()));
        if (kind < 14) return op::range(all(), {.read = consistency::serializable});
        if (kind < 15) return op::range(all(), {.limit = 2, .order = sort_order::descend, .target = sort_target::mod});
        const std::string k = key(), other = key();
        txn t;
        if (below(2) == 0) t.if_(version_of(k) < 3);
        else t.if_(value_of(k) < value);
        t.then(op::put(k, value)).then(op::range(all()));
        if (other != k) t.then(op::put(other, value));
        t.else_(op::delete_range(key_range::key(k), {.prev_kv = true}));
        return op::txn(std::move(t));
    }

private:
    std::mt19937_64& random_;
    unsigned keys_;
    std::string prefix_;
};

}  // namespace dynconf::test
