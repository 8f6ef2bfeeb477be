#include "policy/write_pacing.hpp"

namespace dynconf::policy {

void write_pacing::changed(time_point now) noexcept {
    confirmed_ = true;
    if (!changed_) changed_ = now;
}

void write_pacing::begun(time_point now) noexcept {
    busy_ = true;
    confirmed_ = false;
    outdated_ = false;
    tried_ = now;
    changed_.reset();
    retry_.reset();
}

void write_pacing::succeeded(time_point now) noexcept {
    busy_ = false;
    written_ = now;
}

void write_pacing::failed(time_point now) noexcept {
    busy_ = false;
    retry_ = now + std::max(every_, after_failure);
}

std::optional<write_pacing::time_point> write_pacing::due() const noexcept {
    if (busy_) return std::nullopt;
    std::optional<time_point> next;
    const auto at = [&next](time_point t) { next = next ? std::min(*next, t) : t; };
    if (changed_) at(*changed_ + std::min(settle, every_));
    if (retry_) at(*retry_);
    if (written_ && confirmed_ && renew_.count() > 0) at(*written_ + renew_);
    if (written_ && outdated_) at(*written_ + outdated_for);
    if (next && tried_) next = std::max(*next, *tried_ + every_);
    return next;
}

}  // namespace dynconf::policy
