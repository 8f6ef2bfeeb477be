#include "policy/token_state.hpp"

#include <utility>

namespace dynconf::policy {

token_state::answer token_state::next(time_point now) {
    if (!has_credentials_) return send{{}, 0};
    if (valid_) return send{token_, number_};
    if (flying_) return wait{};
    if (failed_ && now - failed_at_ < cool_off_) return refuse{failure_};
    flying_ = true;
    return fetch{};
}

void token_state::fetched(secret token) noexcept {
    token_ = std::move(token);
    ++number_;
    valid_ = true;
    flying_ = false;
    failed_ = false;
}

void token_state::not_enabled() noexcept { fetched({}); }

void token_state::fetch_failed(error why, time_point now) {
    failure_ = std::move(why);
    failed_at_ = now;
    failed_ = true;
    flying_ = false;
}

}  // namespace dynconf::policy
