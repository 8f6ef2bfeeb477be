#pragma once

#include "soak/judge.hpp"
#include "support/etcd_process.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace dynconf::test {

/// Threads that change many keys in each transaction, past the relays, and remember what etcd said of each. The keys lie
/// below "soak/a/" and "soak/b/"; each transaction also writes "soak/aa" between them and "z" behind, which nobody
/// watches.
class soak_writers {
public:
    soak_writers(etcd_cluster& cluster, unsigned threads, std::uint64_t seed);
    ~soak_writers() { stop(); }

    void stop();
    /// All that has ended up to now; each is given once.
    std::vector<written> take();
    /// The newest acknowledged revision.
    std::int64_t revision() const noexcept { return revision_; }

private:
    void run(unsigned number, std::uint64_t seed);
    static written compose(std::mt19937_64& random, std::string value);

    etcd_cluster& cluster_;
    std::atomic<bool> stop_{false};
    std::atomic<std::int64_t> revision_{0};
    std::mutex mutex_;
    std::vector<written> ended_;
    std::vector<std::thread> threads_;
};

/// `w` as one transaction at that member: its revision and time are filled in when it is acknowledged.
void execute(const etcd_process& member, written& w);

}  // namespace dynconf::test
