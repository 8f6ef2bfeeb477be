#include "policy/token_state.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

namespace {

constexpr unsigned most_times_four = 3;   // 34 minutes by default: a hundred thousand logins at fifty a second

}  // namespace

token_state::answer token_state::next(time_point now) {
    if (!has_credentials_) return send{{}, 0};
    if (valid_) return send{token_, number_};
    if (flying_) return wait{};
    if (failed_ && now - failed_at_ < cool_off_) return refuse{failure_};
    flying_ = true;
    return fetch{patience_ * (1 << 2 * std::min(too_late_, most_times_four))};
}

bool token_state::is_to_be_questioned(generation number, time_point now) noexcept {
    if (!valid_ || number != number_ || token_.empty() || now < question_at_) return false;
    question_at_ = now + question_pause;
    return true;
}

void token_state::fetched(secret token) noexcept {
    token_ = std::move(token);
    ++number_;
    valid_ = true;
    flying_ = false;
    failed_ = false;
    too_late_ = 0;
    may_be_lost_ = true;
}

void token_state::not_enabled() noexcept { fetched({}); }

void token_state::fetch_failed(error why, bool too_late, time_point now) {
    too_late_ = too_late ? too_late_ + 1 : 0;
    failure_ = std::move(why);
    failed_at_ = now;
    failed_ = true;
    flying_ = false;
}

}  // namespace dynconf::policy
