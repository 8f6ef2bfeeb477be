#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

/// Keys that are in etcd as long as this process is there: how a service says where it is. They live by one lease, which is
/// kept alive; when it is lost a new one is granted and the keys are put again. `with_timeout` bounds each call to etcd, which is
/// tried again then. A handle; safe to use from any thread.
///
///     registration here(etcd, {{"/services/search/10.0.0.7:80", "{}"}}, 10s);
///     co_await here.run();   // until cancelled
class registration : public detail::facet<registration> {
public:
    using entries = std::vector<std::pair<std::string, std::string>>;

    /// Keys and values, put in one transaction; another process's keys are overwritten. `ttl` is rounded up to seconds. Throws
    /// std::invalid_argument without an entry, for an empty key (but in a view) or one that is there twice, and unless `ttl` is
    /// positive.
    DYNCONF_API registration(const client& c, entries what, std::chrono::milliseconds ttl);

    /// Registers, and stays so until it is cancelled: then the keys are deleted and the lease revoked, within 2 s if etcd can be
    /// reached, otherwise they end by the TTL. Fails only with what a retry does not heal, as server_errc::permission_denied. Each
    /// call is a registration of its own. A key that somebody else deletes or overwrites stays so until the lease is lost.
    /// Takes terminal and total cancellation.
    template <class Token = default_token>
    auto run(Token&& token = {}) {
        return detail::initiate<void>(std::forward<Token>(token),
            [f = origin_, i = impl_](detail::erased_handler<void> h) { start_run(f, i, std::move(h)); });
    }

    /// The lease by which the keys are there now, as far as is known; 0: they are not.
    DYNCONF_API lease_id lease() const noexcept;

    struct impl;

private:
    DYNCONF_API static void start_run(detail::call_origin, std::shared_ptr<impl>, detail::erased_handler<void>);

    std::shared_ptr<impl> impl_;
};

}  // namespace dynconf
