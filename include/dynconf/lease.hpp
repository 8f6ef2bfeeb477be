#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

struct lease_grant_response {
    response_header header;
    lease_id id = 0;
    std::chrono::seconds ttl{0};   ///< As granted: etcd raises a short one (2 s is the least by default).
    /// Without a keep-alive it surely lives until then.
    std::chrono::steady_clock::time_point good_until{};
};

struct lease_keep_alive_response {
    response_header header;
    std::chrono::seconds ttl{0};   ///< That it has from now on.
};

struct lease_time_to_live_response {
    response_header header;
    std::chrono::seconds ttl{0};           ///< What is left.
    std::chrono::seconds granted_ttl{0};
    std::vector<std::string> keys;         ///< That live by it and are in the view, if they were asked for; in no order.
};

/// A key that was put with a lease of its own.
struct leased_put_response {
    put_response put;
    lease_grant_response lease;
};

/// Leases: keys put with one (`put_options::lease`) are deleted by etcd when it ends. A handle; safe to use from any thread.
///
/// Operations complete with `void(error_code, Response)`, or throw `exception` with the default token, and take `terminal`
/// cancellation; those that change nothing take `total` as well. A lease that etcd does not know, any more or at all, is
/// server_errc::lease_not_found. Leases belong to no view (client::within), only the keys that live by them do.
class leases : public detail::facet<leases> {
public:
    DYNCONF_API explicit leases(const client& c);

    /// A new lease that ends after `ttl` without a keep-alive; rounded up to a whole second. errc::invalid_argument unless it
    /// is positive; server_errc::lease_ttl_too_large. Without an `id` the client draws one: then a lost answer is asked for
    /// again, and no lease is left behind by a call that fails or is cancelled as long as etcd can be reached within 2 s.
    /// With one a lost answer leaves `error::in_doubt`; server_errc::lease_exists.
    template <class Token = default_token>
    auto grant(std::chrono::milliseconds ttl, lease_id id = 0, Token&& token = {}) {
        return detail::initiate_write<lease_grant_response>(std::forward<Token>(token),
            [f = origin_, ttl, id](detail::erased_handler<lease_grant_response> h) { start_grant(f, ttl, id, std::move(h)); });
    }

    /// Ends a lease, and deletes its keys. Repeated when an answer was lost; that etcd does not know it by then is no error.
    template <class Token = default_token>
    auto revoke(lease_id id, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [f = origin_, id](detail::erased_handler<void> h) { start_revoke(f, id, std::move(h)); });
    }

    /// What is left of a lease; with `keys`, who lives by it.
    template <class Token = default_token>
    auto time_to_live(lease_id id, bool keys = false, Token&& token = {}) {
        return detail::initiate<lease_time_to_live_response>(std::forward<Token>(token),
            [f = origin_, id, keys](detail::erased_handler<lease_time_to_live_response> h) {
                start_time_to_live(f, id, keys, std::move(h));
            });
    }

    /// All leases of the cluster.
    template <class Token = default_token>
    auto list(Token&& token = {}) {
        return detail::initiate<std::vector<lease_id>>(std::forward<Token>(token),
            [f = origin_](detail::erased_handler<std::vector<lease_id>> h) { start_list(f, std::move(h)); });
    }

    /// Puts a key that lives for `ttl`: grants a lease and puts the key with it. When the put fails or is cancelled the lease is
    /// revoked again, unless etcd cannot be reached for 2 s; then it ends by its TTL.
    template <class Token = default_token>
    auto put_with_ttl(std::string key, std::string value, std::chrono::milliseconds ttl, Token&& token = {}) {
        return detail::initiate_write<leased_put_response>(std::forward<Token>(token),
            [f = origin_, key = std::move(key), value = std::move(value), ttl](detail::erased_handler<leased_put_response> h) mutable {
                start_put_with_ttl(f, std::move(key), std::move(value), ttl, std::move(h));
            });
    }

    /// One keep-alive: the lease has its whole TTL again. server_errc::lease_not_found also where etcd answers that it has none
    /// left. Repeated when an answer was lost; cancelled, it may have been executed.
    template <class Token = default_token>
    auto keep_alive_once(lease_id id, Token&& token = {}) {
        return detail::initiate<lease_keep_alive_response>(std::forward<Token>(token),
            [f = origin_, id](detail::erased_handler<lease_keep_alive_response> h) { start_keep_alive_once(f, id, std::move(h)); });
    }

    /// Keeps a lease alive, by a keep-alive each third of its TTL, together with all others of this client, until it is
    /// cancelled, which leaves the lease alone, or the lease is lost. It then fails with the cause:
    ///  - errc::lease_revoked: etcd does not know it any more, before its time;
    ///  - errc::lease_unreachable: what was tried, at all endpoints, has failed until its time was up; it may live on or not;
    ///  - errc::lease_expired: its time is up and nobody had tried, because the process stood still;
    ///  - server_errc::lease_not_found: etcd did not know it from the start.
    /// Its time is up a tenth of the TTL (1 s at most) before it ends at etcd, so that there is time to stop what relies on it;
    /// it is counted from when the last keep-alive that was acknowledged was sent. Of `with_timeout` it takes only how long to
    /// ask for a TTL that is not known yet.
    template <class Token = default_token>
    auto keep_alive(lease_id id, Token&& token = {}) {
        return detail::initiate<void>(std::forward<Token>(token),
            [f = origin_, id](detail::erased_handler<void> h) { start_keep_alive(f, id, std::move(h)); });
    }
    /// The same for one that was just granted: its time is known before the first keep-alive.
    template <class Token = default_token>
    auto keep_alive(const lease_grant_response& granted, Token&& token = {}) {
        return detail::initiate<void>(std::forward<Token>(token),
            [f = origin_, id = granted.id, ttl = granted.ttl, until = granted.good_until](detail::erased_handler<void> h) {
                start_keep_alive_granted(f, id, ttl, until, std::move(h));
            });
    }

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_grant(origin, std::chrono::milliseconds, lease_id, detail::erased_handler<lease_grant_response>);
    DYNCONF_API static void start_revoke(origin, lease_id, detail::erased_handler<void>);
    DYNCONF_API static void start_time_to_live(origin, lease_id, bool, detail::erased_handler<lease_time_to_live_response>);
    DYNCONF_API static void start_list(origin, detail::erased_handler<std::vector<lease_id>>);
    DYNCONF_API static void start_put_with_ttl(origin, std::string, std::string, std::chrono::milliseconds,
                                               detail::erased_handler<leased_put_response>);
    DYNCONF_API static void start_keep_alive_once(origin, lease_id, detail::erased_handler<lease_keep_alive_response>);
    DYNCONF_API static void start_keep_alive(origin, lease_id, detail::erased_handler<void>);
    DYNCONF_API static void start_keep_alive_granted(origin, lease_id, std::chrono::seconds, std::chrono::steady_clock::time_point,
                                                     detail::erased_handler<void>);
};

}  // namespace dynconf
