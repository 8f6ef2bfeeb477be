#pragma once

#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace dynconf::policy {

/// What a linearizable read of a follower's keys has shown.
struct look {
    revision_t after = 0;     ///< It asked for keys that changed later than this.
    bool changed = false;     ///< There was one.
    std::int64_t count = 0;   ///< All keys there were.
};

/// Whether a follower's look is to go along with the next probe. While the store moves on without touching the follower's
/// keys, that saves the request which would have to follow the probe. While the store rests nothing has to be asked, and
/// a look makes etcd walk all those keys.
class look_along {
public:
    /// A look has proven it: the store has moved on, and none of the keys with it.
    void moved() noexcept { probes_left_ = most_at_rest; }
    /// A probe has found the revision that was known.
    void rested() noexcept { if (probes_left_ > 0) --probes_left_; }

    bool wanted() const noexcept { return probes_left_ > 0; }

private:
    /// Fewer, and a store that moves now and then would cost a request of its own each time it does.
    static constexpr unsigned most_at_rest = 8;

    unsigned probes_left_ = 0;
};

/// Puts the looks that go along with a probe into transactions: one round for each probe. Whoever is left out takes its
/// look by itself.
class look_sharing {
public:
    /// The looks that are wanted, each by the number of its operations, which stay together.
    void begin(std::vector<std::size_t> operations);
    /// The numbers of those that make up the next transaction; nothing: the round is over.
    std::optional<std::vector<std::size_t>> next();
    /// That transaction was refused, or not answered.
    void failed(const error_code& why) noexcept;
    /// The round is over. `member_answered`: a transaction, or the probe without looks that was asked instead; else what
    /// failed was the member.
    void ended(bool member_answered) noexcept;

private:
    std::vector<std::size_t> operations_;
    std::size_t at_ = 0;         // the first that was not asked
    std::size_t part_at_ = 0;    // the first of the last transaction
    std::size_t part_size_ = 0;  // its operations
    std::size_t most_ = 64;      // operations in one; etcd's --max-txn-ops is 128 by default
    bool stopped_ = false;       // for this round
    bool trouble_ = false;       // in this round
    unsigned troubled_in_row_ = 0;
    unsigned rest_ = 0;          // rounds in which nothing is shared
};

}  // namespace dynconf::policy
