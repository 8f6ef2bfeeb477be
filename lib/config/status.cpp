#include <dynconf/config/status.hpp>
#include <dynconf/config/subscription.hpp>

#include <utility>

namespace dynconf {

std::string_view to_string(config_state state) noexcept {
    switch (state) {
        case config_state::stopped: return "stopped";
        case config_state::starting: return "starting";
        case config_state::live: return "live";
        case config_state::stale: return "stale";
        case config_state::local: return "local";
    }
    return "?";
}

subscription& subscription::operator=(subscription&& other) noexcept {
    if (this != &other) {
        cancel();
        registration_ = std::move(other.registration_);
    }
    return *this;
}

void subscription::cancel() noexcept {
    if (const auto r = std::exchange(registration_, nullptr)) r->cancel();
}

}  // namespace dynconf
