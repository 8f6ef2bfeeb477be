#include "policy/backoff.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

namespace dynconf::policy {

backoff::backoff(backoff_options options, random_source random) : options_(options), random_(std::move(random)) {}

std::chrono::milliseconds backoff::failed(time_point now) {
    if (up_ && now - up_since_ >= options_.healthy) failures_ = 0;
    up_ = false;
    const auto first = static_cast<double>(options_.first.count());
    const auto most = static_cast<double>(options_.most.count());
    if (first <= 0) return std::chrono::milliseconds(0);   // nothing that could grow; 0 times an overflow is no number
    const double grown = std::min(most, first * std::pow(options_.factor, failures_));
    if (grown < most) ++failures_;   // no further: the power would overflow after days of failures
    const double left = 1.0 - std::clamp(options_.jitter, 0.0, 1.0) * random_();
    return std::chrono::milliseconds(std::max(std::int64_t{1}, static_cast<std::int64_t>(grown * left)));   // a pause all the same
}

void backoff::succeeded(time_point now) noexcept {
    if (up_) return;
    up_ = true;
    up_since_ = now;
}

random_source system_random() {
    return [] {
        thread_local std::mt19937_64 generator{std::random_device{}()};
        return std::uniform_real_distribution<double>{}(generator);
    };
}

}  // namespace dynconf::policy
