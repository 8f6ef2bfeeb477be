#include "policy/retry.hpp"

#include <boost/asio/error.hpp>

namespace dynconf::policy {

bool token_was_refused(const error_code& code) noexcept {
    return code == server_errc::invalid_auth_token      // expired, revoked, or issued by another store
        || code == server_errc::user_empty              // auth was switched on
        || code == server_errc::auth_old_revision;      // users or roles changed since it was issued
}

bool member_is_unfit(const error_code& code) noexcept {
    if (code.category() == server_category()) {
        switch (static_cast<server_errc>(code.value())) {
            case server_errc::no_leader:
            case server_errc::not_leader:
            case server_errc::leader_changed:
            case server_errc::stopped:
            case server_errc::timeout:
            case server_errc::timeout_leader_failure:
            case server_errc::timeout_connection_lost:
            case server_errc::timeout_applied_index:
            case server_errc::unhealthy:
            case server_errc::not_supported_for_learner:
            case server_errc::too_many_requests:
            case server_errc::canceled:
            case server_errc::deadline_exceeded: return true;
            default: return false;
        }
    }
    if (code.category() == grpc_category()) {
        switch (static_cast<grpc_errc>(code.value())) {
            case grpc_errc::canceled:            // "grpc: the client connection is closing": the gateway shuts down
            case grpc_errc::unknown:             // 3.4 says so for a deadline without a leader
            case grpc_errc::deadline_exceeded:
            case grpc_errc::internal:            // "server closed the stream without sending trailers"
            case grpc_errc::resource_exhausted:  // 429 without etcd's words: a proxy that limits the rate
            case grpc_errc::unavailable: return true;
            default: return false;
        }
    }
    if (code.category() == dynconf_category()) {
        switch (static_cast<errc>(code.value())) {
            case errc::no_endpoint_available:    // a host name without addresses; or for the token alone all were tried
            case errc::discovery_failed:
            case errc::deadline_exceeded:
            case errc::connection_closed:
            case errc::protocol_mismatch:
            case errc::certificate_expired:      // of this member; another may have a better one
            case errc::certificate_not_yet_valid:
            case errc::certificate_wrong_host:
            case errc::certificate_self_signed:
            case errc::unknown_authority:
            case errc::certificate_refused:
            case errc::client_certificate_required:
            case errc::client_certificate_refused:
            case errc::tls_version_refused:
            case errc::gateway_disabled:
            case errc::malformed_response:
            case errc::unexpected_status:
            case errc::not_acknowledged:
            case errc::watch_ended: return true;
            default: return false;
        }
    }
    return code != boost::asio::error::operation_aborted;   // sockets, TLS, resolver
}

bool ran_out_of_time(const error_code& code) noexcept {
    return code == errc::deadline_exceeded || code == server_errc::deadline_exceeded || code == grpc_errc::deadline_exceeded;
}

bool surely_not_executed(stage how_far, const error_code& code) noexcept {
    if (how_far == stage::not_sent) return true;
    // With TLS 1.3 the request is on its way before the server has looked at the certificate; it does not read on.
    if (code == errc::client_certificate_required || code == errc::client_certificate_refused) return true;
    if (how_far == stage::sent) return false;
    // Refused before proposing; see docs/gateway.md for how each was found out.
    if (code == server_errc::no_leader || code == server_errc::too_many_requests
        || code == server_errc::not_supported_for_learner || code == server_errc::leader_changed
        || code == grpc_errc::resource_exhausted || code == errc::gateway_disabled || token_was_refused(code))
        return true;
    // A follower passes a promotion on again and again: this may be the answer to a second one, the first having worked.
    if (code == server_errc::learner_not_ready || code == server_errc::member_not_learner) return false;
    return !member_is_unfit(code);   // what is left says that the request itself was refused
}

bool leaves_in_doubt(safety kind, stage how_far, const error_code& code) noexcept {
    return kind != safety::repeatable && !surely_not_executed(how_far, code);
}

bool will_not_heal(const error_code& code) noexcept {
    return !member_is_unfit(code) && !token_was_refused(code) && code != boost::asio::error::operation_aborted;
}

bool trust_was_refused(const error_code& code) noexcept {
    if (code.category() != dynconf_category()) return false;
    switch (static_cast<errc>(code.value())) {
        case errc::certificate_expired:
        case errc::certificate_not_yet_valid:
        case errc::certificate_wrong_host:
        case errc::certificate_self_signed:
        case errc::unknown_authority:
        case errc::certificate_refused:
        case errc::client_certificate_required:
        case errc::client_certificate_refused: return true;
        default: return false;
    }
}

bool needs_patience(const error_code& code) noexcept { return will_not_heal(code) || code == errc::gateway_disabled; }

verdict decide(safety kind, stage how_far, const error_code& code) noexcept {
    if (how_far == stage::answered && token_was_refused(code)) return verdict::refresh_token;
    if (!member_is_unfit(code)) return verdict::give_up;
    if (kind == safety::at_most_once && leaves_in_doubt(kind, how_far, code)) return verdict::give_up;
    return verdict::try_elsewhere;
}

}  // namespace dynconf::policy
