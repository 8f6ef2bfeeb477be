#include "testing/refusal.hpp"

#include "wire/server_errors.hpp"

namespace dynconf::testing {
namespace {

grpc_errc status_of(server_errc what) {
    using enum server_errc;
    switch (what) {
        case compacted: case future_revision: case lease_ttl_too_large: return grpc_errc::out_of_range;
        case no_space: case too_many_requests: return grpc_errc::resource_exhausted;
        case lease_not_found: case member_not_found: return grpc_errc::not_found;
        case lease_exists: case member_exists: case peer_url_exists: case member_not_enough_started:
        case member_not_learner: case learner_not_ready: case too_many_learners: case cluster_id_mismatch:
        case root_user_missing: case root_role_missing: case user_exists: case user_not_found: case role_exists:
        case role_not_found: case role_not_granted: case permission_not_granted: case auth_not_enabled: case not_leader:
        case bad_leader_transferee: case downgrade_in_process: case no_inflight_downgrade:
            return grpc_errc::failed_precondition;
        case permission_denied: return grpc_errc::permission_denied;
        case invalid_auth_token: return grpc_errc::unauthenticated;
        case no_leader: case leader_changed: case not_capable: case stopped: case timeout: case timeout_leader_failure:
        case timeout_connection_lost: case timeout_applied_index: case unhealthy: case not_supported_for_learner:
        case cluster_version_unavailable: return grpc_errc::unavailable;
        case corrupt: return grpc_errc::data_loss;
        case watch_canceled: case canceled: return grpc_errc::canceled;
        case deadline_exceeded: return grpc_errc::deadline_exceeded;
        default: return grpc_errc::invalid_argument;
    }
}

}  // namespace

refusal::refusal(server_errc what) : refusal(status_of(what), std::string(wire::server_text(what))) {}

unsigned http_status(grpc_errc status, bool precondition_412) noexcept {
    using enum grpc_errc;
    switch (status) {
        case canceled: return 408;
        case invalid_argument: case out_of_range: return 400;
        case failed_precondition: return precondition_412 ? 412 : 400;
        case deadline_exceeded: return 504;
        case not_found: return 404;
        case already_exists: case aborted: return 409;
        case permission_denied: return 403;
        case resource_exhausted: return 429;
        case unimplemented: return 501;
        case unavailable: return 503;
        case unauthenticated: return 401;
        default: return 500;
    }
}

}  // namespace dynconf::testing
