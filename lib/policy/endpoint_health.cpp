#include "policy/endpoint_health.hpp"

#include <algorithm>
#include <cassert>

namespace dynconf::policy {

namespace {

/// The first round through the endpoints makes a try at each, at once. It is paid for by skipping the shortest pauses,
/// up to this many: with five endpoints the first minute of an outage then still has at most ten tries.
constexpr std::size_t most_skipped = 2;

}  // namespace

endpoint_health::endpoint_health(std::size_t count, backoff_options options, random_source random)
    : options_(options), random_(std::move(random)), outage_(options_, random_) {
    for (std::size_t i = 0; i < count; ++i) add();
}

std::size_t endpoint_health::add() {
    order_.push_back(all_.size());
    all_.push_back(member{backoff(options_, random_)});
    return all_.size() - 1;
}

std::optional<std::size_t> endpoint_health::first_up(bool suspects) const noexcept {
    for (const std::size_t i : order_)
        if (is_up(i) && (suspects || !all_[i].suspect)) return i;
    return std::nullopt;
}

std::size_t endpoint_health::longest_untried() const noexcept {
    std::size_t best = all_.size();
    for (const std::size_t i : order_)
        if (!all_[i].retired && (best == all_.size() || all_[i].tried_at < all_[best].tried_at)) best = i;
    return best;
}

std::size_t endpoint_health::choose() noexcept {
    assert(!all_.empty());
    if (is_up(current_)) return current_;
    if (const auto up = first_up(false)) return current_ = *up;
    std::optional<std::size_t> up;
    for (const std::size_t i : order_)
        if (is_up(i) && (!up || all_[i].failed_at < all_[*up].failed_at)) up = i;
    if (up) return current_ = *up;
    for (const std::size_t i : order_)
        if (all_[i].answers && !all_[i].retired) return i;
    return longest_untried();
}

std::size_t endpoint_health::next_after(std::size_t index) const noexcept {
    const auto here = static_cast<std::size_t>(std::find(order_.begin(), order_.end(), index) - order_.begin());
    for (std::size_t step = 1; step < order_.size(); ++step) {
        const std::size_t i = order_[(here + step) % order_.size()];
        if (is_up(i)) return i;
    }
    return index;
}

void endpoint_health::return_to_first() noexcept {
    if (const auto up = first_up()) current_ = *up;
}

void endpoint_health::prefer(const std::vector<std::size_t>& first) {
    order_ = first;
    for (std::size_t i = 0; i < all_.size(); ++i)
        if (std::find(first.begin(), first.end(), i) == first.end()) order_.push_back(i);
}

bool endpoint_health::failed(std::size_t index, time_point began, time_point now) {
    member& m = all_[index];
    if (began <= m.failed_at || began < m.good_since) return false;
    m.failed_at = m.tried_at = now;
    m.answers = false;
    if (!m.up) return false;
    m.up = false;
    m.suspect = true;
    if (m.probe_at <= now) m.probe_at = now + m.ejections.failed(now);   // else it came back for a moment only
    choose();   // now: the current one may be back before somebody asks
    if (all_down()) outage_begins(now);
    return true;
}

void endpoint_health::outage_begins(time_point now) {
    if (outage_probe_at_ > now) return;   // the last one was over for a moment only
    for (std::size_t i = 1; i < std::min(count(), most_skipped + 1); ++i) outage_.failed(now);
    outage_probe_at_ = now + outage_.failed(now);
}

bool endpoint_health::succeeded(std::size_t index, time_point began, time_point now) {
    const bool readmitted = probe_worked(index, began, now);
    if (all_[index].up) all_[index].suspect = false;
    return readmitted;
}

bool endpoint_health::probe_worked(std::size_t index, time_point began, time_point now) {
    member& m = all_[index];
    m.good_since = std::max(m.good_since, began);
    if (!m.up && began < m.failed_at) return false;   // the answer was on its way before the member failed
    m.ejections.succeeded(now);
    if (m.up) return false;
    m.up = true;
    m.answers = false;
    outage_.succeeded(now);
    return true;
}

std::optional<endpoint_health::probe> endpoint_health::next_probe() const noexcept {
    if (count() == 0) return std::nullopt;
    if (all_down()) return probe{longest_untried(), outage_probe_at_};
    std::optional<probe> next;
    for (std::size_t i = 0; i < all_.size(); ++i)
        if (!all_[i].up && !all_[i].retired && (!next || all_[i].probe_at < next->when)) next = probe{i, all_[i].probe_at};
    return next;
}

void endpoint_health::probe_started(std::size_t index, time_point now) {
    member& m = all_[index];
    m.tried_at = now;
    if (all_down()) outage_probe_at_ = now + outage_.failed(now);
    else m.probe_at = now + m.ejections.failed(now);
}

void endpoint_health::retire(std::size_t index) {
    if (all_[index].retired || count() == 1) return;
    all_[index].retired = true;
    if (all_down()) outage_begins(all_[index].tried_at);
}

void endpoint_health::restore(std::size_t index) noexcept { all_[index].retired = false; }

bool endpoint_health::all_down() const noexcept { return !first_up(); }

std::size_t endpoint_health::count() const noexcept {
    return static_cast<std::size_t>(std::count_if(all_.begin(), all_.end(), [](const member& m) { return !m.retired; }));
}

}  // namespace dynconf::policy
