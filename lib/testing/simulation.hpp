#pragma once

#include "testing/memory_network.hpp"
#include "testing/seeded_random.hpp"
#include "transport/surroundings.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dynconf::testing {

/// Time that passes only when nothing is left to do at the present one, chance that comes from a seed, connections in
/// memory: for all that uses its io_context on the thread that made it. The same seed gives the same run.
class simulation final : public transport::surroundings {
public:
    explicit simulation(std::uint64_t seed);
    ~simulation() override;
    simulation(const simulation&) = delete;
    simulation& operator=(const simulation&) = delete;

    asio::io_context& io() noexcept { return *io_; }
    memory_network& network() noexcept { return *network_; }
    seeded_random& random() noexcept { return own_; }

    enum class stopped { done, late, stuck };
    /// Until `done` says so, `until`, or nothing is left that could happen.
    stopped run(const std::function<bool()>& done, time_point until);
    /// Called after each handler of the io_context.
    std::function<void()> after_each;

    time_point now() const noexcept override { return now_; }
    std::uint64_t start_timer(time_point when, asio::steady_timer& sleeper) override;
    void stop_timer(std::uint64_t number) noexcept override { sleepers_.erase(number); }
    std::uint64_t random_bits() noexcept override { return clients_.bits(); }
    std::shared_ptr<transport::connector> make_connector(const asio::any_io_executor&, const client_options&) override;

private:
    /// When the next timer ends.
    std::optional<time_point> next();
    void fire();

    time_point now_{std::chrono::hours(1'000)};
    seeded_random own_;
    seeded_random clients_;
    std::uint64_t timers_ = 0;
    std::vector<std::pair<time_point, std::uint64_t>> order_;            // a heap, the earliest first; stopped ones stay
    std::unordered_map<std::uint64_t, asio::steady_timer*> sleepers_;    // by number
    std::shared_ptr<memory_network> network_;
    in_place here_;
    std::optional<asio::io_context> io_;   // goes first: what it destroys stops its timers
};

}  // namespace dynconf::testing
