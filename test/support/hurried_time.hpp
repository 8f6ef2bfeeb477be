#pragma once

#include "transport/connector.hpp"
#include "transport/surroundings.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace dynconf::test {

/// The library's time on this thread, as long as this lives: the system's, moved ahead at will. Threads run at once. Its
/// connections are the system's, too, unless `connect` makes others.
class hurried_time final : public transport::surroundings {
public:
    using making = std::function<std::shared_ptr<transport::connector>(const boost::asio::any_io_executor&, const client_options&)>;

    explicit hurried_time(making connect = {}) : connect_(std::move(connect)), in_place_(*this) {}

    void move_ahead(std::chrono::milliseconds by) noexcept { ahead_ += by; }

    time_point now() const noexcept override { return std::chrono::steady_clock::now() + ahead_; }
    std::uint64_t start_timer(time_point when, boost::asio::steady_timer& sleeper) override {
        const std::uint64_t number = ++last_;
        auto& timer = timers_.try_emplace(number, sleeper.get_executor(), when - ahead_).first->second;
        timer.async_wait([this, number, &sleeper](const boost::system::error_code&) {
            if (timers_.erase(number) != 0) sleeper.cancel();
        });
        return number;
    }
    void stop_timer(std::uint64_t number) noexcept override { timers_.erase(number); }
    std::uint64_t random_bits() noexcept override { return ++last_; }
    std::shared_ptr<transport::connector> make_connector(const boost::asio::any_io_executor& executor, const client_options& options) override {
        return connect_ ? connect_(executor, options) : std::make_shared<transport::socket_connector>(executor, options);
    }

private:
    making connect_;
    std::chrono::milliseconds ahead_{0};
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, boost::asio::steady_timer> timers_;
    transport::surroundings::in_place in_place_;
};

}  // namespace dynconf::test
