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

std::string_view to_string(cache_verdict verdict) noexcept {
    switch (verdict) {
        case cache_verdict::not_read: return "not read";
        case cache_verdict::usable: return "usable";
        case cache_verdict::missing: return "missing";
        case cache_verdict::unreadable: return "unreadable";
        case cache_verdict::not_private: return "not private";
        case cache_verdict::damaged: return "damaged";
        case cache_verdict::unknown_format: return "unknown format";
        case cache_verdict::other_ranges: return "other ranges";
        case cache_verdict::too_old: return "too old";
        case cache_verdict::not_opened: return "not opened";
        case cache_verdict::not_sealed: return "not sealed";
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
