#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>

#include <boost/system/error_condition.hpp>

#include <type_traits>

namespace dynconf {

/// What an error means, whoever said it and in whatever words: `e.code() == condition::permission_denied`. A code can fit
/// several conditions, or none.
enum class condition {
    /// The same call may work a moment later without anybody's help: the member was at fault, not the request. The client
    /// has tried already what it could. Whether a write was executed is another question: `error::in_doubt`.
    retryable = 1,
    timeout,              ///< A limit of time passed, here or at the server.
    canceled,             ///< By the caller, or the server is going away.
    no_leader,            ///< The cluster has no quorum, or is electing.
    not_found,            ///< No such key, lease, member, user, role, grant or call.
    already_exists,       ///< Such a lease, member, user or role is there.
    compacted,            ///< The wanted history is gone.
    future_revision,      ///< The member has not come that far: it lags behind, or never will.
    invalid_request,      ///< No server would take it.
    too_many_operations,  ///< In one transaction.
    too_large,            ///< The request or the answer is larger than allowed.
    overloaded,           ///< Too many requests.
    no_space,             ///< The database's quota is used up.
    unauthenticated,      ///< Who calls is not known: no, a wrong or an old login.
    permission_denied,    ///< Who calls is known and may not.
    not_supported,        ///< The server or member does not offer this.
};

DYNCONF_API const boost::system::error_category& condition_category() noexcept;

inline boost::system::error_condition make_error_condition(condition c) noexcept {
    return {static_cast<int>(c), condition_category()};
}

}  // namespace dynconf

template <> struct boost::system::is_error_condition_enum<dynconf::condition> : std::true_type {};

namespace dynconf {

/// condition::retryable
inline bool is_retryable(const error_code& code) noexcept { return code == condition::retryable; }

}  // namespace dynconf
