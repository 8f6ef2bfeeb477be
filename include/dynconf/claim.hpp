#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace dynconf {

namespace etcd { class contender; }

/// Why a claim is held no more.
struct claim_loss {
    claim_loss() {}   // no aggregate: see docs/design.md, "g++ 12"

    error cause;
};

/// How long to live without keep-alives, and how long to wait.
struct claim_options {
    static constexpr std::chrono::milliseconds forever = std::chrono::milliseconds::max();

    /// Rounded up to seconds. When its holder dies the claim is free again after that.
    std::chrono::milliseconds ttl{10'000};
    /// For the whole of it, etcd's answers included: errc::not_acquired when others have not left by then, and
    /// errc::deadline_exceeded when etcd has not answered. Nothing is left in etcd then; to see to that may take 2 s more.
    std::chrono::milliseconds wait_timeout{forever};
};

/// What the holder of a lock and the leader of an election have in common: a key of their own in etcd, the oldest of its
/// queue, which lives by a lease that is kept alive. A handle; copies are the same claim. Safe to use from any thread.
///
/// A claim can be lost at any time: etcd gives it to the next one when the lease has ended, whatever this process thinks.
/// So a write that relies on it carries it as guard: etcd compares, and refuses what comes from a former holder.
///
///     co_await store.guarded_by(mine).put("/counter", "7");   // errc::not_held: somebody else has it by now
///     auto done = co_await store.commit(txn().if_(mine).then(op::put("/counter", "7")));   // done.succeeded
///
/// When the last handle is destroyed the claim is given up in the background.
class DYNCONF_API claim {
public:
    /// None.
    claim() = default;
    explicit operator bool() const noexcept { return impl_ != nullptr; }

    /// The rest is for one that is there.

    /// The key: name, slash, and the lease in hexadecimal digits; named as in the view in which it was claimed.
    const std::string& key() const noexcept;
    lease_id lease() const noexcept;
    /// The fencing token, which grows from holder to holder: the create_revision of the key. For systems other than etcd,
    /// which refuse what comes with a lower one than they have seen.
    revision_t token() const noexcept;
    /// Holds as long as the claim does, as etcd sees it, in a transaction of whichever view (client::within).
    comparison held() const;
    operator comparison() const { return held(); }
    /// Whether it is surely held at this moment, as far as this process can tell without asking. False at once when the
    /// process stood still for too long.
    bool valid() const noexcept;

    /// Waits until the claim is lost, or was given up (errc::not_held). See `leases::keep_alive` for the causes, and for how
    /// long before the end a loss is told. Takes terminal and total cancellation.
    template <class Token = default_token>
    auto lost(Token&& token = {}) const {
        return detail::initiate<claim_loss>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<claim_loss> h) { start_lost(i, std::move(h)); });
    }

    /// Runs `work`, and cancels it when the claim is lost; once it has ended, throws `exception` with the cause of the loss,
    /// also of one that nobody could tell because `work` blocked the thread. What `work` throws passes through; a cancellation
    /// reaches it. It runs on a strand of its own upon the caller's executor. Needs no handle that outlives the call.
    boost::asio::awaitable<void> protect(boost::asio::awaitable<void> work) const;

protected:
    explicit claim(std::shared_ptr<etcd::contender> i) noexcept : impl_(std::move(i)) {}
    static void start_leave(std::shared_ptr<etcd::contender>, detail::erased_handler<void>);

    std::shared_ptr<etcd::contender> impl_;

private:
    static void start_lost(std::shared_ptr<etcd::contender>, detail::erased_handler<claim_loss>);
};

}  // namespace dynconf
