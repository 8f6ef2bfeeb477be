#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace dynconf::policy {

/// When one lease has to be kept alive, how long it surely lives, and when it is lost. All times are those at which a
/// request was sent: etcd counts from its arrival, so the lease ends there a little later than here.
class lease_clock {
public:
    using time_point = std::chrono::steady_clock::time_point;
    using duration = std::chrono::steady_clock::duration;

    enum class loss : std::uint8_t {
        none,
        not_found,     ///< etcd did not know it from the start.
        expired,       ///< Its time has passed, and nobody had tried.
        revoked,       ///< etcd does not know it any more, before its time.
        unreachable,   ///< Its time has passed, and what was tried has failed.
    };

    /// As granted, by the answer to a request that was sent at `asked`.
    lease_clock(std::chrono::seconds ttl, time_point asked) noexcept;
    /// One of which nothing is known: to be kept alive at once. The first answer has to come within `patience`.
    static lease_clock unknown(time_point now, duration patience) noexcept;

    /// When to send the next keep-alive: a third of the TTL after the last one that was acknowledged.
    time_point due() const noexcept { return due_; }
    /// Half of that time has passed: it may come along when another lease is due.
    bool may_come_along(time_point now) const noexcept;
    /// Without an acknowledgement it counts as lost from then on: a tenth of the TTL, 1 s at most, before it can end.
    time_point safe_until() const noexcept { return safe_until_; }
    /// A try may take half of the time that is left, so that there is a next one.
    duration try_limit(time_point now) const noexcept;

    /// A request that was sent at `sent` was answered.
    void acknowledged(std::chrono::seconds ttl, time_point sent) noexcept;
    /// etcd does not know the lease.
    void gone(time_point now) noexcept;
    /// A try failed. The next one follows at once where another of the `endpoints` is up, and has not had its turn in this
    /// round of tries; else after a quarter of the time left. One that only came along is tried again when it is due.
    void failed(time_point now, bool another_is_up, std::size_t endpoints) noexcept;

    /// Once something else than `none`, for ever so.
    loss lost(time_point now) noexcept;

private:
    lease_clock() = default;

    std::chrono::seconds ttl_{0};   // 0: not known yet
    time_point renewed_{};
    time_point due_{};
    time_point safe_until_{};
    bool tried_in_vain_ = false;    // since the last acknowledgement
    std::size_t in_this_round_ = 0;
    loss lost_ = loss::none;
};

}  // namespace dynconf::policy
