#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace dynconf::detail {

/// Whom a facet calls, what it puts before its keys, and how long each of its calls may take.
struct call_origin {
    DYNCONF_API explicit call_origin(const client& c);

    std::shared_ptr<etcd::client_core> core;
    std::string prefix;                                 ///< See client::within.
    std::shared_ptr<etcd::sealer> sealer;               ///< See client::sealed; null: values are as etcd has them.
    std::optional<std::chrono::milliseconds> timeout;   ///< None: client_options::total_timeout.
};

DYNCONF_API void require_positive(std::chrono::milliseconds limit);

/// What all facets have in common.
template <class Facet>
class facet {
public:
    /// The same facet with another limit: a call made through it takes no longer, with all its tries and pauses, and then
    /// fails with errc::deadline_exceeded. In place of `client_options::total_timeout`, longer or shorter; a single try is
    /// bounded by `client_options::request_timeout` as well, except for what works long at the member itself
    /// (`maintenance` says which). An operation that waits by its nature, as that for a lock, says that it bounds each of
    /// its calls to etcd and not the wait. Throws std::invalid_argument unless it is positive.
    ///
    ///     auto one = co_await store.with_timeout(3s).range(key);
    Facet with_timeout(std::chrono::milliseconds limit) const {
        require_positive(limit);
        Facet other = static_cast<const Facet&>(*this);
        static_cast<facet&>(other).origin_.timeout = limit;
        return other;
    }

protected:
    explicit facet(const client& c) : origin_(c) {}
    explicit facet(call_origin from) : origin_(std::move(from)) {}

    call_origin origin_;
};

}  // namespace dynconf::detail
