#pragma once

#include "transport/clock.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace dynconf::transport {

/// Calls `on_expiry`, on the executor, unless it is disarmed or destroyed in time. To bound I/O: let it close the socket.
class deadline {
public:
    deadline(const boost::asio::any_io_executor& executor, std::function<void()> on_expiry)
        : state_(std::make_shared<state>(executor, std::move(on_expiry))) {}
    deadline(const deadline&) = delete;
    deadline& operator=(const deadline&) = delete;
    ~deadline() { disarm(); }

    void expires_at(clock::time_point due) {
        disarm();
        state_->expired = false;
        state_->sleeper.expires_at(due);
        state_->sleeper.async_wait([s = state_, turn = state_->turn](const boost::system::error_code&) {
            if (turn != s->turn) return;   // disarmed, perhaps after the timer had fired already
            s->expired = true;
            s->on_expiry();
        });
    }
    void expires_after(std::chrono::milliseconds d) { expires_at(clock::after(d)); }

    void disarm() {
        ++state_->turn;
        state_->sleeper.cancel();
    }

    bool expired() const noexcept { return state_->expired; }

private:
    struct state {
        state(const boost::asio::any_io_executor& executor, std::function<void()> f)
            : sleeper(executor), on_expiry(std::move(f)) {}
        timer sleeper;
        std::function<void()> on_expiry;
        unsigned turn = 0;
        bool expired = false;
    };

    std::shared_ptr<state> state_;
};

}  // namespace dynconf::transport
