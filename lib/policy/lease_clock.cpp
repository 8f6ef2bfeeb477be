#include "policy/lease_clock.hpp"

#include <algorithm>

namespace dynconf::policy {

using namespace std::chrono_literals;

namespace {

constexpr lease_clock::duration shortest_pause = 50ms;
constexpr lease_clock::duration most_margin = 1s;

}  // namespace

lease_clock::lease_clock(std::chrono::seconds ttl, time_point asked) noexcept : renewed_(asked) { acknowledged(ttl, asked); }

lease_clock lease_clock::unknown(time_point now, duration patience) noexcept {
    lease_clock c;
    c.renewed_ = c.due_ = now;
    c.safe_until_ = now + patience;
    return c;
}

bool lease_clock::may_come_along(time_point now) const noexcept { return now >= std::min(due_, renewed_ + duration(ttl_) / 6); }

lease_clock::duration lease_clock::try_limit(time_point now) const noexcept {
    return std::max(shortest_pause, (safe_until_ - now) / 2);
}

void lease_clock::acknowledged(std::chrono::seconds ttl, time_point sent) noexcept {
    if (ttl_ != 0s && sent < renewed_) return;   // overtaken by a later one
    ttl_ = ttl;
    renewed_ = sent;
    const duration whole = ttl;
    due_ = sent + whole / 3;
    safe_until_ = sent + whole - std::min(whole / 10, most_margin);
    tried_in_vain_ = false;
    in_this_round_ = 0;
}

void lease_clock::gone(time_point now) noexcept {
    if (lost(now) == loss::none) lost_ = ttl_ == 0s ? loss::not_found : loss::revoked;
}

void lease_clock::failed(time_point now, bool another_is_up, std::size_t endpoints) noexcept {
    tried_in_vain_ = true;
    if (now < due_) return;   // it came along, and is not to make the others' pause shorter
    // What fails before it is sent, as a token that cannot be had, fails at all of them in no time.
    const bool at_once = another_is_up && ++in_this_round_ < endpoints;
    if (!at_once) in_this_round_ = 0;
    due_ = at_once ? now : now + std::max(shortest_pause, (safe_until_ - now) / 4);
}

lease_clock::loss lease_clock::lost(time_point now) noexcept {
    if (lost_ == loss::none && now >= safe_until_)
        lost_ = tried_in_vain_ || ttl_ == 0s ? loss::unreachable : loss::expired;
    return lost_;
}

}  // namespace dynconf::policy
