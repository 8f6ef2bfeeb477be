#pragma once

#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include "etcd/lease_keeper.hpp"
#include "etcd/view.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dynconf::etcd {

/// A place in the queue for a lock or an election, made as Go's concurrency package makes it: a key "name/lease in hex" that
/// lives by the lease. The one with the lowest create_revision has what all want; each other one waits for the deletion of the
/// next before it. One attempt. On the core's strand; what says so, from any thread once the attempt has worked.
class contender {
public:
    using clock = transport::clock;

    contender(const view& through, std::string_view name, std::string value);

    /// Joins the queue and waits for its turn, all until `due`. When it fails nothing is left behind, if etcd can be reached;
    /// that may take 2 s more.
    asio::awaitable<result<void>> enter(std::chrono::milliseconds ttl, clock::time_point due);
    /// False, and nothing is left behind, when there is a queue.
    asio::awaitable<result<bool>> try_enter(std::chrono::milliseconds ttl);
    asio::awaitable<result<void>> proclaim(std::string value);
    /// Fails when it was lost before. A second time it does nothing.
    asio::awaitable<result<void>> leave();
    asio::awaitable<error> until_lost() { return kept_->until_lost(); }
    /// Why it is lost by now, if it is.
    const std::optional<error>& loss() { return kept_->loss(); }

    const std::shared_ptr<client_core>& core() const noexcept { return through_.shared_core(); }
    // From any thread.
    const std::string& key() const noexcept { return key_; }
    lease_id lease() const noexcept { return lease_; }
    revision_t token() const noexcept { return token_; }
    bool valid() const noexcept { return kept_ && kept_->alive(); }
    comparison held() const;

    /// A handle for many threads; what was not given up by the end of the last one is dropped in the background.
    static std::shared_ptr<contender> share(std::unique_ptr<contender> made);

private:
    asio::awaitable<result<void>> get_lease(std::chrono::milliseconds ttl, clock::time_point due);
    /// True: there is nobody before it.
    asio::awaitable<result<bool>> join_queue(clock::time_point due);
    asio::awaitable<result<void>> wait_for_turn(clock::time_point due);
    /// Until that key was deleted, after `revision`, or there may be another reason to look again.
    asio::awaitable<result<void>> wait_for_end_of(const std::string& key, revision_t revision, clock::time_point due);
    asio::awaitable<void> give_up();

    view through_;
    std::string prefix_;
    std::string value_;
    std::string key_;
    lease_id lease_ = 0;   // 0: there is none, or not any more
    revision_t token_ = 0;
    std::unique_ptr<kept_lease> kept_;
    bool left_ = false;
};

/// The queue of a name, the oldest first; `limit` 0: all.
asio::awaitable<result<range_response>> range_queue(const view& through, std::string_view name, std::int64_t limit);

/// The oldest of the queue; none when it is empty.
asio::awaitable<result<std::optional<key_value>>> head_of_queue(const view& through, std::string_view name);

}  // namespace dynconf::etcd
