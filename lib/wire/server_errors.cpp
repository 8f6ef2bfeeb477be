#include "wire/server_errors.hpp"

#include <array>

namespace dynconf::wire {
namespace {

struct row { server_errc code; std::string_view text; };

// The first row of a code is its message; the others are what older servers or the layers around etcd say for it.
constexpr row rows[] = {
    {server_errc::empty_key, "etcdserver: key is not provided"},
    {server_errc::key_not_found, "etcdserver: key not found"},
    {server_errc::value_provided, "etcdserver: value is provided"},
    {server_errc::lease_provided, "etcdserver: lease is provided"},
    {server_errc::too_many_ops, "etcdserver: too many operations in txn request"},
    {server_errc::duplicate_key, "etcdserver: duplicate key given in txn request"},
    {server_errc::invalid_client_api_version, "etcdserver: invalid client api version"},
    {server_errc::invalid_sort_option, "etcdserver: invalid sort option"},
    {server_errc::compacted, "etcdserver: mvcc: required revision has been compacted"},
    {server_errc::compacted, "mvcc: required revision has been compacted"},
    {server_errc::future_revision, "etcdserver: mvcc: required revision is a future revision"},
    {server_errc::future_revision, "mvcc: required revision is a future revision"},
    {server_errc::no_space, "etcdserver: mvcc: database space exceeded"},
    {server_errc::no_space, "etcdserver: no space"},
    {server_errc::lease_not_found, "etcdserver: requested lease not found"},
    {server_errc::lease_exists, "etcdserver: lease already exists"},
    {server_errc::lease_ttl_too_large, "etcdserver: too large lease TTL"},
    {server_errc::watch_canceled, "etcdserver: watch canceled"},
    {server_errc::member_exists, "etcdserver: member ID already exist"},
    {server_errc::peer_url_exists, "etcdserver: Peer URLs already exists"},
    {server_errc::member_not_enough_started, "etcdserver: re-configuration failed due to not enough started members"},
    {server_errc::member_bad_urls, "etcdserver: given member URLs are invalid"},
    {server_errc::member_not_found, "etcdserver: member not found"},
    {server_errc::member_not_learner, "etcdserver: can only promote a learner member"},
    {server_errc::learner_not_ready, "etcdserver: can only promote a learner member which is in sync with leader"},
    {server_errc::too_many_learners, "etcdserver: too many learner members in cluster"},
    {server_errc::cluster_id_mismatch, "etcdserver: cluster ID mismatch"},
    {server_errc::request_too_large, "etcdserver: request is too large"},
    // gRPC's own limit, half a megabyte above etcd's. Its status is that of an overload, which it is not.
    {server_errc::request_too_large, "grpc: received message larger than max"},
    {server_errc::request_too_large, "grpc: trying to send message larger than max"},
    {server_errc::too_many_requests, "etcdserver: too many requests"},
    {server_errc::root_user_missing, "etcdserver: root user does not exist"},
    {server_errc::root_role_missing, "etcdserver: root user does not have root role"},
    {server_errc::user_exists, "etcdserver: user name already exists"},
    {server_errc::user_empty, "etcdserver: user name is empty"},
    {server_errc::user_not_found, "etcdserver: user name not found"},
    {server_errc::role_exists, "etcdserver: role name already exists"},
    {server_errc::role_not_found, "etcdserver: role name not found"},
    {server_errc::role_empty, "etcdserver: role name is empty"},
    {server_errc::auth_failed, "etcdserver: authentication failed, invalid user ID or password"},
    {server_errc::auth_failed, "auth: authentication failed, password was given for no password user"},
    {server_errc::permission_not_given, "etcdserver: permission not given"},
    {server_errc::permission_denied, "etcdserver: permission denied"},
    {server_errc::role_not_granted, "etcdserver: role is not granted to the user"},
    {server_errc::permission_not_granted, "etcdserver: permission is not granted to the role"},
    {server_errc::auth_not_enabled, "etcdserver: authentication is not enabled"},
    {server_errc::invalid_auth_token, "etcdserver: invalid auth token"},
    {server_errc::invalid_auth_management, "etcdserver: invalid auth management"},
    {server_errc::auth_old_revision, "etcdserver: revision of auth store is old"},
    // Streams are refused in the words of the layer below.
    {server_errc::user_empty, "auth: user name is empty"},
    {server_errc::permission_denied, "auth: permission denied"},
    {server_errc::invalid_auth_token, "auth: invalid auth token"},
    {server_errc::auth_old_revision, "auth: revision in header is old"},
    {server_errc::no_leader, "etcdserver: no leader"},
    {server_errc::not_leader, "etcdserver: not leader"},
    {server_errc::leader_changed, "etcdserver: leader changed"},
    {server_errc::not_capable, "etcdserver: not capable"},
    {server_errc::stopped, "etcdserver: server stopped"},
    {server_errc::timeout, "etcdserver: request timed out"},
    {server_errc::timeout_leader_failure, "etcdserver: request timed out, possibly due to previous leader failure"},
    {server_errc::timeout_connection_lost, "etcdserver: request timed out, possibly due to connection lost"},
    {server_errc::timeout_applied_index, "etcdserver: request timed out, waiting for the applied index took too long"},
    {server_errc::unhealthy, "etcdserver: unhealthy cluster"},
    {server_errc::corrupt, "etcdserver: corrupt cluster"},
    {server_errc::not_supported_for_learner, "etcdserver: rpc not supported for learner"},
    {server_errc::bad_leader_transferee, "etcdserver: bad leader transferee"},
    {server_errc::cluster_version_unavailable, "etcdserver: cluster version not found during downgrade"},
    {server_errc::wrong_downgrade_version_format, "etcdserver: wrong downgrade target version format"},
    {server_errc::invalid_downgrade_target_version, "etcdserver: invalid downgrade target version"},
    {server_errc::downgrade_in_process, "etcdserver: cluster has a downgrade job in progress"},
    {server_errc::no_inflight_downgrade, "etcdserver: no inflight downgrade job"},
    {server_errc::canceled, "etcdserver: request canceled"},
    {server_errc::canceled, "etcdserver: request cancelled"},
    {server_errc::deadline_exceeded, "etcdserver: context deadline exceeded"},
    {server_errc::client_certificate_name,
     "CommonName of client sending a request against gateway will be ignored and not used as expected"},
};

// By status number, from 1.
constexpr std::array<std::string_view, 17> grpc_names = {
    "", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
    "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange",
    "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
};

}  // namespace

std::string_view server_text(server_errc code) noexcept {
    for (const row& r : rows)
        if (r.code == code) return r.text;
    return {};
}

std::optional<server_errc> find_server_error(std::string_view words) noexcept {
    const row* best = nullptr;
    for (const row& r : rows)
        if ((!best || r.text.size() > best->text.size()) && words.find(r.text) != std::string_view::npos) best = &r;
    if (!best) return std::nullopt;
    return best->code;
}

std::string_view grpc_name(grpc_errc code) noexcept {
    const auto n = static_cast<std::size_t>(code);
    return n < grpc_names.size() ? grpc_names[n] : std::string_view();
}

std::optional<grpc_errc> find_grpc_error(std::string_view name) noexcept {
    for (std::size_t n = 1; n < grpc_names.size(); ++n)
        if (grpc_names[n] == name) return static_cast<grpc_errc>(n);
    return std::nullopt;
}

}  // namespace dynconf::wire
