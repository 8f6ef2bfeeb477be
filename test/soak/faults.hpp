#pragma once

#include "soak/judge.hpp"
#include "support/etcd_process.hpp"
#include "support/relay.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace dynconf::test {

/// Faults of members and of the wires to them, chosen by a seed; each lasts for a while and is undone again. For the
/// thread that started the cluster.
class soak_faults {
public:
    using clock = std::chrono::steady_clock;
    using counts = std::map<std::string, unsigned>;

    soak_faults(etcd_cluster& cluster, std::uint64_t seed);

    /// Of the relays, one before each member.
    std::vector<std::string> endpoints() const;
    /// Undoes what is over, and begins something when it is time. `revision`: the newest that a writer has seen.
    void step(clock::time_point now, std::int64_t revision, watch_judge& judge);
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
    void compact(std::int64_t revision, watch_judge& judge);
    void undo_process(std::size_t i);
    std::chrono::milliseconds between(int least, int most);

    etcd_cluster& cluster_;
    std::vector<target> targets_;
    std::mt19937_64 random_;
    clock::time_point next_;
    counts done_;
};

}  // namespace dynconf::test
