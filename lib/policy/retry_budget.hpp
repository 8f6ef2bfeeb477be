#pragma once

#include <dynconf/options.hpp>

#include <algorithm>

namespace dynconf::policy {

/// How many retries the calls of a client may still make: a bucket of tokens that is full at first. It keeps a client
/// whose every call fails from multiplying its load on a cluster that is in trouble.
class retry_budget {
public:
    explicit retry_budget(const retry_budget_options& options) noexcept : options_(options), tokens_(options.most) {}

    /// The first try of a call worked.
    void first_try_worked() noexcept { tokens_ = std::min(options_.most, tokens_ + options_.per_success); }
    /// May a call try again? That costs one token.
    bool take() noexcept {
        // What tenths add up to is a little less than their sum.
        if (tokens_ < 1.0 - 1e-9) return false;
        tokens_ = std::max(0.0, tokens_ - 1.0);
        return true;
    }

private:
    retry_budget_options options_;
    double tokens_;
};

}  // namespace dynconf::policy
