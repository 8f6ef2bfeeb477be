#include "testing/simulation.hpp"

#include <algorithm>
#include <functional>

namespace dynconf::testing {

simulation::simulation(std::uint64_t seed)
    : own_(seed), clients_(own_.branch()), network_(std::make_shared<memory_network>()), here_(*this), io_(std::in_place, 1) {}

simulation::~simulation() { io_.reset(); }

std::uint64_t simulation::start_timer(time_point when, asio::steady_timer& sleeper) {
    const std::uint64_t number = ++timers_;
    order_.emplace_back(when, number);
    std::push_heap(order_.begin(), order_.end(), std::greater<>());
    sleepers_.emplace(number, &sleeper);
    return number;
}

std::optional<simulation::time_point> simulation::next() {
    while (!order_.empty() && !sleepers_.contains(order_.front().second)) {
        std::pop_heap(order_.begin(), order_.end(), std::greater<>());
        order_.pop_back();
    }
    if (order_.empty()) return std::nullopt;
    return order_.front().first;
}

void simulation::fire() {
    const auto found = sleepers_.find(order_.front().second);
    asio::steady_timer* const sleeper = found->second;
    sleepers_.erase(found);
    sleeper->cancel();
}

simulation::stopped simulation::run(const std::function<bool()>& done, time_point until) {
    for (;;) {
        io_->restart();
        if (after_each)
            while (io_->poll_one() != 0) after_each();
        else
            io_->poll();
        if (done()) return stopped::done;
        const auto when = next();
        if (!when && until == time_point::max()) return stopped::stuck;
        if (!when || *when > until) {
            now_ = std::max(now_, until);
            return when ? stopped::late : stopped::stuck;
        }
        now_ = std::max(now_, *when);
        fire();
    }
}

std::shared_ptr<transport::connector> simulation::make_connector(const asio::any_io_executor& executor, const client_options& options) {
    return std::make_shared<memory_connector>(executor, network_, options.connect_timeout);
}

}  // namespace dynconf::testing
