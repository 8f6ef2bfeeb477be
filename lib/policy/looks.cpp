#include "policy/looks.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

namespace {

/// Rounds without sharing after two in a row that went wrong: something on the way does not let such a transaction pass.
constexpr unsigned long_rest = 40;

}  // namespace

void look_sharing::begin(std::vector<std::size_t> operations) {
    operations_ = std::move(operations);
    at_ = 0;
    trouble_ = false;
    stopped_ = rest_ > 0;
    if (rest_ > 0) --rest_;
}

std::optional<std::vector<std::size_t>> look_sharing::next() {
    if (stopped_) return std::nullopt;
    std::vector<std::size_t> part;
    part_at_ = at_;
    part_size_ = 0;
    for (; at_ < operations_.size(); ++at_) {
        const std::size_t size = operations_[at_];
        if (size > most_) continue;   // alone it is too large
        if (part_size_ + size > most_) break;
        part.push_back(at_);
        part_size_ += size;
    }
    if (part.empty()) return std::nullopt;
    return part;
}

void look_sharing::failed(const error_code& why) noexcept {
    if (why == server_errc::too_many_ops) {
        most_ = part_size_ / 2;   // this server's --max-txn-ops; it does not change while it runs
        at_ = part_at_;
        return;
    }
    trouble_ = true;
    // Permission for one range is missing: its owner finds out by itself and asks no more; the others get through next time.
    stopped_ = why != server_errc::permission_denied;
}

void look_sharing::ended(bool member_answered) noexcept {
    if (!member_answered) return;
    if (!trouble_) troubled_in_row_ = 0;
    else if (++troubled_in_row_ == 2) {
        troubled_in_row_ = 0;
        rest_ = long_rest;
    }
}

}  // namespace dynconf::policy
