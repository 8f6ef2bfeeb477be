#pragma once

#include "support/etcd_process.hpp"
#include "testing/history.hpp"

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace dynconf::test {

/// Threads that change many keys in each transaction, past the relays and past the library, and record what etcd said. The
/// keys lie below "soak/a/" and "soak/b/"; each transaction also writes "soak/aa" between them. Each value is written once.
class soak_writers {
public:
    soak_writers(etcd_cluster& cluster, unsigned threads, std::uint64_t seed);
    ~soak_writers() { stop(); }

    void stop();
    /// After stop(): what was asked for, and became of it.
    std::vector<testing::operation> take();
    /// The newest acknowledged revision.
    std::int64_t revision() const noexcept { return revision_; }

private:
    void run(unsigned number, std::uint64_t seed);

    etcd_cluster& cluster_;
    std::atomic<bool> stop_{false};
    std::atomic<std::int64_t> revision_{0};
    std::vector<std::vector<testing::operation>> ended_;   // of each thread
    std::vector<std::thread> threads_;
};

/// One transaction, at that member, and what became of it.
testing::operation write(const etcd_process& member, unsigned client, const std::vector<std::string>& puts, const std::string& value,
    const std::vector<std::string>& deletes = {});

}  // namespace dynconf::test
