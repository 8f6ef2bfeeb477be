#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace dynconf::test {

/// Requests about few keys and few leases, so that they meet: the same ones for the same seed. Those of which etcd leaves
/// the answer open are not among them.
class random_requests {
public:
    struct one {
        std::string path, body;
    };
    explicit random_requests(std::uint64_t seed) : random_(seed) {}
    /// `revision`: about where the store is.
    one next(std::int64_t revision);

private:
    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    std::string key();
    // A transaction that deletes without an end what it has put is taken by etcd, and can end it.
    std::string range(bool open_end = true);
    std::string range_options(std::int64_t revision);
    std::string put();
    std::string op(std::int64_t revision, int depth);
    std::string compare();
    std::string txn(std::int64_t revision, int depth);

    std::mt19937_64 random_;
};

}  // namespace dynconf::test
