#include <dynconf/testing/simulated_world.hpp>

#include "testing/simulation.hpp"
#include "transport/clock.hpp"

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <stdexcept>
#include <utility>

namespace dynconf::testing {

simulated_world::simulated_world(std::uint64_t seed) : simulation_(std::make_unique<simulation>(seed)) {}
simulated_world::~simulated_world() = default;

simulated_world::executor_type simulated_world::get_executor() const noexcept { return simulation_->io().get_executor(); }
simulated_world::clock::time_point simulated_world::now() const noexcept { return simulation_->now(); }
std::uint64_t simulated_world::random_bits() noexcept { return simulation_->random().bits(); }

void simulated_world::run(std::function<asio::awaitable<void>()> body, clock::duration limit) {
    // Of its own: when the run ends early, the coroutine outlives it.
    struct ending {
        bool there = false;
        std::exception_ptr thrown;
    };
    const auto end = std::make_shared<ending>();
    asio::co_spawn(simulation_->io(), std::move(body), [end](std::exception_ptr thrown) {
        end->there = true;
        end->thrown = std::move(thrown);
    });
    switch (simulation_->run([&end] { return end->there; }, now() + limit)) {
    case simulation::stopped::done: break;
    case simulation::stopped::late: throw std::runtime_error("the coroutine did not end within its simulated time");
    case simulation::stopped::stuck: throw std::runtime_error("the coroutine waits for something that nobody will do");
    }
    if (end->thrown) std::rethrow_exception(end->thrown);
}

void simulated_world::run_for(clock::duration time) {
    simulation_->run([] { return false; }, now() + time);
}

asio::awaitable<void> simulated_world::sleep(clock::duration time) {
    transport::timer sleeper(get_executor(), now() + time);
    co_await sleeper.async_wait(transport::as_result);
}

}  // namespace dynconf::testing
