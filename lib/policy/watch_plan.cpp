#include "policy/watch_plan.hpp"

#include "policy/retry.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace dynconf::policy {

watch_plan::watch_plan(const options& how, random_source random)
    : how_(how), random_(std::move(random)), backoff_(how.backoff, random_) {}

/// 20 % more or less, and not nothing of a millisecond.
std::chrono::milliseconds watch_plan::jittered(std::chrono::milliseconds d) const {
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(static_cast<double>(d.count()) * (0.8 + 0.4 * random_()))));
}

watch_plan::time_point watch_plan::open_at() const noexcept {
    if (opening_) return time_point::max();
    if (!serving_) return std::max(not_before_, idle_ ? change_due_ : time_point::min());
    if (suspected_) return not_before_;
    return std::max({std::min(change_due_, rotate_at_), not_replaced_before_, not_before_});
}

watch_plan::time_point watch_plan::wake_at() const noexcept {
    return serving_ && !probing_ ? std::min(open_at(), probe_at_) : open_at();
}

watch_plan::action watch_plan::next(time_point now) const noexcept {
    if (now >= open_at()) return action::open;
    if (serving_ && !probing_ && now >= probe_at_) return action::probe;
    return action::rest;
}

void watch_plan::change(time_point due) noexcept { change_due_ = std::min(change_due_, due); }

void watch_plan::change_soon(time_point now) noexcept {
    constexpr std::chrono::milliseconds most(100);
    change(serving_ ? now + std::min(2 * took_, most) : now);
}

watch_plan::time_point watch_plan::distrust(time_point now) noexcept {
    if (!serving_ || now < on_trial_until_) return distrusted_at_;
    distrusted_at_ = now;
    suspected_ = distrusted_ = true;
    return now;
}

void watch_plan::begin_trial(time_point now) noexcept {
    const bool long_ago = now - how_.longest_trial >= on_trial_until_;
    trial_ = trial_.count() == 0 || long_ago ? how_.trial : std::min(2 * trial_, how_.longest_trial);
    on_trial_until_ = now + trial_;
}

void watch_plan::caught_up() noexcept {
    not_replaced_before_ = on_trial_until_ = time_point::min();
    trial_ = std::chrono::milliseconds(0);
}

void watch_plan::probe_soon(time_point now) noexcept { probe_at_ = std::min(probe_at_, now); }

void watch_plan::opening(time_point now) noexcept {
    opening_ = true;
    opening_since_ = now;
    idle_ = false;
    if (change_due_ <= now) change_due_ = time_point::max();
}

void watch_plan::opened(time_point now, bool behind) noexcept {
    opening_ = false;
    took_ = std::chrono::duration_cast<std::chrono::milliseconds>(now - opening_since_);
    backoff_.succeeded(now);
    if (!serving_) served_since_ = now;
    if (!serving_ || suspected_) probe_at_ = suspected_ ? now : now + how_.probe_every;
    serving_ = true;
    suspected_ = false;
    rotate_at_ = how_.rotate_after.count() > 0 ? now + jittered(how_.rotate_after) : time_point::max();
    // etcd sends a watch its history at the next beat of a timer of 100 ms, and on a slow link that takes its time, as the
    // confirmations did: replaced sooner and sooner, streams would be confirmed and never deliver.
    if (behind) not_replaced_before_ = now + std::max(std::chrono::milliseconds(150), 2 * took_);
    else caught_up();
    if (std::exchange(distrusted_, false) && behind) begin_trial(now);
}

std::chrono::milliseconds watch_plan::open_failed(time_point now, const error_code& why) {
    opening_ = false;
    const auto pause = pause_after(now, why);
    // What serves goes on; a change or rotation that was due still is.
    if (serving_) change(now);
    return pause;
}

std::chrono::milliseconds watch_plan::lost(time_point now, const error_code& why) {
    serving_ = suspected_ = distrusted_ = false;
    rotate_at_ = probe_at_ = time_point::max();
    if (!opening_) change_due_ = time_point::max();   // the next one serves all; one that was asked for before does not
    return pause_after(now, why);
}

void watch_plan::nothing_wanted() noexcept {
    serving_ = opening_ = suspected_ = distrusted_ = false;
    idle_ = true;
    rotate_at_ = probe_at_ = time_point::max();
}

void watch_plan::closed() noexcept {
    nothing_wanted();
    probing_ = false;
    change_due_ = time_point::max();
}

std::chrono::milliseconds watch_plan::pause_after(time_point now, const error_code& why) {
    // A server that confirms each watch and then ends it must not be asked in a tight loop.
    if (served_since_ != time_point::max() && now - served_since_ >= how_.backoff.healthy) {
        failed_in_row_ = 0;
        token_renewed_ = false;
        served_since_ = now;   // once, or what fails beside a stream that serves would be the first failure each time
    }
    if (!serving_) served_since_ = time_point::max();
    std::chrono::milliseconds pause(0);
    const bool unfit = member_is_unfit(why);
    // A fresh token deserves one try at once. Every endpoint gets one, too; after each round of them comes a pause.
    const bool renew = token_was_refused(why) && !std::exchange(token_renewed_, true);
    const bool round_over = ++failed_in_row_ % std::max<std::size_t>(how_.endpoints, 1) == 0 || !unfit;
    if (round_over && !renew) pause = needs_patience(why) ? jittered(how_.slow_retry) : backoff_.failed(now);
    not_before_ = now + pause;
    return pause;
}

void watch_plan::probing(time_point now) noexcept {
    probing_ = true;
    probe_at_ = now + how_.probe_every;
}

void watch_plan::probe_answered() noexcept {
    probing_ = false;
    failed_probes_ = 0;
}

void watch_plan::probe_failed(time_point now) {
    probing_ = false;
    suspected_ = serving_;
    // The next stream is probed as soon as it serves: where reads fail and watches do not, that would be a tight loop.
    if (++failed_probes_ > how_.endpoints) not_before_ = std::max(not_before_, now + backoff_.failed(now));
}

}  // namespace dynconf::policy
