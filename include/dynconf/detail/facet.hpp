#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>

#include <chrono>
#include <memory>
#include <optional>

namespace dynconf::detail {

/// Whom a facet calls, and how long each of its calls may take.
struct call_origin {
    DYNCONF_API explicit call_origin(const client& c);

    std::shared_ptr<etcd::client_core> core;
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
    /// (`maintenance` says which). Throws std::invalid_argument unless it is positive.
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

    call_origin origin_;
};

}  // namespace dynconf::detail
