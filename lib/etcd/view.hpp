#pragma once

#include <dynconf/detail/facet.hpp>

#include "etcd/client_core.hpp"
#include "etcd/sealer.hpp"
#include "policy/key_space.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace dynconf::etcd {

/// How an operation sees etcd: through which core, which of its keys under which names, and how long a call may take.
class view {
public:
    using clock = client_core::clock;

    explicit view(const detail::call_origin& from) : core_(from.core), keys_(from.prefix), sealer_(from.sealer), limit_(from.timeout) {}
    /// All of etcd, by the client's own limits.
    explicit view(std::shared_ptr<client_core> core) : core_(std::move(core)) {}

    client_core& core() const noexcept { return *core_; }
    const std::shared_ptr<client_core>& shared_core() const noexcept { return core_; }
    const policy::key_space& keys() const noexcept { return keys_; }
    /// What is done to values; null: nothing.
    const std::shared_ptr<etcd::sealer>& sealer() const noexcept { return sealer_; }
    /// The same by etcd's own names.
    view whole() const {
        view all = *this;
        all.keys_ = policy::key_space();
        return all;
    }

    /// When a call that begins now has to be done; none: by the client's own limits.
    std::optional<clock::time_point> due() const {
        if (due_ || !limit_) return due_;
        return clock::after(*limit_);
    }
    /// The same, by the client's own limits where there are no others.
    clock::time_point end() const { return due().value_or(clock::now() + core_->options().total_timeout); }
    /// The same for an operation that begins now, and as a whole takes no longer than a call may.
    view for_one_operation() const {
        view bounded = *this;
        bounded.due_ = due();
        return bounded;
    }
    /// The same for calls that are of no use later than `then`, and together take no longer than one may.
    view until(clock::time_point then) const {
        view bounded = *this;
        if (then != clock::time_point::max()) bounded.due_ = std::min(then, end());
        return bounded;
    }

private:
    std::shared_ptr<client_core> core_;
    policy::key_space keys_;
    std::shared_ptr<etcd::sealer> sealer_;
    std::optional<std::chrono::milliseconds> limit_;
    std::optional<clock::time_point> due_;
};

}  // namespace dynconf::etcd
