#include <dynconf/condition.hpp>

#include "policy/retry.hpp"

#include <boost/asio/error.hpp>

#include <initializer_list>

namespace dynconf {
namespace {

bool any_of(const error_code& code, std::initializer_list<error_code> these) noexcept {
    for (const error_code& one : these)
        if (code == one) return true;
    return false;
}

bool fits(const error_code& code, condition meaning) noexcept {
    using enum server_errc;
    switch (meaning) {
    case condition::retryable: return code.failed() && (policy::member_is_unfit(code) || policy::token_was_refused(code));
    case condition::timeout:
        return any_of(code, {errc::deadline_exceeded, errc::not_acknowledged, grpc_errc::deadline_exceeded, deadline_exceeded, timeout,
                             timeout_leader_failure, timeout_connection_lost, timeout_applied_index, boost::asio::error::timed_out});
    case condition::canceled: return any_of(code, {boost::asio::error::operation_aborted, grpc_errc::canceled, canceled});
    case condition::no_leader: return any_of(code, {no_leader, not_leader, leader_changed, timeout_leader_failure});
    case condition::not_found:
        return any_of(code, {key_not_found, lease_not_found, member_not_found, user_not_found, role_not_found, role_not_granted,
                             permission_not_granted, errc::unknown_name, errc::not_supported, grpc_errc::not_found});
    case condition::already_exists:
        return any_of(code, {lease_exists, member_exists, peer_url_exists, user_exists, role_exists, grpc_errc::already_exists});
    case condition::compacted: return any_of(code, {compacted, errc::history_lost});
    case condition::future_revision: return code == future_revision;
    case condition::invalid_request:
        return any_of(code, {errc::invalid_argument, errc::invalid_endpoint, empty_key, value_provided, lease_provided, duplicate_key,
                             too_many_ops, invalid_sort_option, lease_ttl_too_large, member_bad_urls, role_empty, permission_not_given,
                             request_too_large, wrong_downgrade_version_format, invalid_downgrade_target_version,
                             grpc_errc::invalid_argument});
    case condition::too_many_operations: return code == too_many_ops;
    case condition::too_large: return any_of(code, {request_too_large, errc::response_too_large});
    case condition::overloaded: return code == too_many_requests;
    case condition::no_space: return code == no_space;
    case condition::unauthenticated:
        return any_of(code, {auth_failed, invalid_auth_token, user_empty, auth_old_revision, grpc_errc::unauthenticated});
    case condition::permission_denied: return any_of(code, {permission_denied, grpc_errc::permission_denied});
    case condition::not_supported:
        return any_of(code, {errc::not_supported, errc::gateway_disabled, not_capable, not_supported_for_learner, grpc_errc::unimplemented});
    }
    return false;
}

std::string_view text(condition meaning) noexcept {
    switch (meaning) {
    case condition::retryable: return "may work when it is tried again";
    case condition::timeout: return "a limit of time has passed";
    case condition::canceled: return "canceled";
    case condition::no_leader: return "the cluster has no leader";
    case condition::not_found: return "not found";
    case condition::already_exists: return "exists already";
    case condition::compacted: return "the wanted revisions have been compacted";
    case condition::future_revision: return "the wanted revision is not there yet";
    case condition::invalid_request: return "no server would take this request";
    case condition::too_many_operations: return "too many operations in one transaction";
    case condition::too_large: return "too large";
    case condition::overloaded: return "too many requests";
    case condition::no_space: return "the database is full";
    case condition::unauthenticated: return "not, or no longer, logged in";
    case condition::permission_denied: return "not permitted";
    case condition::not_supported: return "not offered here";
    }
    return "unknown condition";
}

struct category final : boost::system::error_category {
    const char* name() const noexcept override { return "dynconf condition"; }
    std::string message(int value) const override { return std::string(text(static_cast<condition>(value))); }
    bool equivalent(const error_code& code, int value) const noexcept override { return fits(code, static_cast<condition>(value)); }
};

}  // namespace

const boost::system::error_category& condition_category() noexcept {
    static const category one;
    return one;
}

}  // namespace dynconf
