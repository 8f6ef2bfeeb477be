#pragma once

#include <dynconf/lease.hpp>

#include "etcd/lease_keeper.hpp"
#include "etcd/view.hpp"

#include <chrono>

namespace dynconf::etcd {

/// See leases::grant(). One with an id of its own choice (0) is of no use later than `wanted_until`: it then ends as a
/// cancelled one does, with errc::deadline_exceeded.
asio::awaitable<result<lease_grant_response>> grant_lease(const view& through, std::chrono::milliseconds ttl, lease_id id = 0,
                                                          client_core::clock::time_point wanted_until = client_core::clock::time_point::max());

asio::awaitable<result<void>> revoke_lease(const view& through, lease_id id);

/// Revokes what an operation that failed or was cancelled would leave behind: whether the caller was cancelled or not, trying
/// for 2 s at most. Otherwise the lease ends by its TTL.
asio::awaitable<void> drop_lease(client_core& core, lease_id id);

/// When a lease that was granted is to be kept alive.
policy::lease_clock clock_of(const lease_grant_response& granted) noexcept;

}  // namespace dynconf::etcd
