#pragma once

#include "support/etcd_process.hpp"
#include "support/relay.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace dynconf::test {

/// Faults of members and of the wires to them, chosen by a seed; each lasts for a while and is undone again. For the
/// thread that started the cluster.
class random_faults {
public:
    using clock = std::chrono::steady_clock;
    using counts = std::map<std::string, unsigned>;

    /// A compaction up to that revision is about to be asked for.
    using compacting = std::function<void(clock::time_point, std::int64_t revision)>;

    /// `pace`: 2 makes all of them come twice as soon and last half as long.
    random_faults(etcd_cluster& cluster, std::uint64_t seed, int pace = 1);

    /// Of the relays, one before each member.
    std::vector<std::string> endpoints() const;
    /// Undoes what is over, and begins something when it is time. `revision`: the newest that a writer has seen.
    void step(clock::time_point now, std::int64_t revision, const compacting& told);
    /// Undoes everything; back when all members are healthy.
    void heal();
    const counts& done() const noexcept { return done_; }

private:
    struct target {
        std::unique_ptr<relay> wire;
        std::optional<clock::time_point> wire_until, process_until;
        bool stopped = false;   ///< SIGSTOP, to be continued; otherwise ended, to be started.
    };

    void harm_wire(target& t, clock::time_point until);
    void harm_process(std::size_t i, clock::time_point until);
    void compact(std::int64_t revision, const compacting& told);
    void undo_process(std::size_t i);
    std::chrono::milliseconds between(int least, int most);

    etcd_cluster& cluster_;
    std::vector<target> targets_;
    std::mt19937_64 random_;
    int pace_;
    clock::time_point next_;
    counts done_;
};

}  // namespace dynconf::test
