#pragma once

#include <dynconf/detail/export.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>

namespace dynconf {

using boost::system::error_code;

/// Failures that dynconf itself detects.
enum class errc {
    // what the caller gave
    invalid_argument = 1,     ///< An argument that no server would accept; the detail names it.
    invalid_endpoint,         ///< An endpoint that cannot be parsed; the detail quotes it without its user part.
    unreadable_ca,            ///< Authorities for TLS that are missing, unreadable or no certificates; the detail names the file.
    unreadable_certificate,   ///< The client certificate, likewise.
    unreadable_key,           ///< The client certificate's key, or the file of its password, likewise.
    wrong_key_password,       ///< The key is encrypted, and its password is wrong or was not given.
    key_mismatch,             ///< The key is not that of the client certificate.
    // reaching etcd
    no_endpoint_available,    ///< Every endpoint was tried; the detail gives the last cause for each.
    credentials_unavailable,  ///< Whoever gives user name and password did not; the detail says why. See `credentials_source`.
    discovery_failed,         ///< The SRV records gave no endpoint; the detail names the domain and the cause.
    deadline_exceeded,        ///< The operation's own deadline ran out. For a write the outcome is unknown.
    connection_closed,        ///< The peer closed before the answer was complete.
    protocol_mismatch,        ///< Closed without a byte, or not HTTP/1.1: TLS against plain, or a gRPC-only port.
    certificate_expired,      ///< The server's certificate, or one above it.
    certificate_not_yet_valid,///< The same before its time; or the clock here is wrong.
    certificate_wrong_host,   ///< The server's certificate is for other names than the endpoint's host; the detail has that.
    certificate_self_signed,  ///< The server's certificate has no authority, and is itself none of the accepted ones.
    unknown_authority,        ///< The server's certificate was issued by none of the accepted authorities.
    certificate_refused,      ///< The server's certificate is faulty in another way; the detail has OpenSSL's words.
    client_certificate_required,   ///< The server accepts only clients that show a certificate.
    client_certificate_refused,    ///< The server does not accept this client's certificate; the detail has its alert.
    tls_version_refused,      ///< Client and server have no TLS version that both accept.
    gateway_disabled,         ///< An etcd that does not serve the JSON gateway ("404 page not found").
    not_supported,            ///< The server has no such call: an older etcd.
    // what came back
    malformed_response,       ///< Not what etcd sends; the detail quotes the start.
    response_too_large,       ///< Past the client's limit for one body or one stream message.
    unexpected_status,        ///< An HTTP status without an etcd error; the detail quotes the start of the body.
    not_acknowledged,         ///< A watch that was not confirmed within its created_timeout.
    watch_ended,              ///< The server ended a watch without saying why.
    not_current,              ///< No proof within max_staleness that a mirror still holds what etcd does.
    history_lost,             ///< The wanted revisions were compacted; load again.
    marker_taken,             ///< A marker that had its write already, or was fenced; nothing was executed.
    contended,                ///< Others changed the keys each time a write was tried; nothing was executed.
    // leases, locks, elections
    lease_expired,            ///< The TTL ended with no keep-alive sent in time: the process stood still.
    lease_revoked,            ///< etcd ended the lease before its TTL did: somebody revoked it.
    lease_unreachable,        ///< No keep-alive was acknowledged before the TTL ended; the detail has the last error.
    not_acquired,             ///< Others held the lock, or led, for the whole wait_timeout.
    not_held,                 ///< The lock or the leadership is held no more.
    // sealed values, see key_ring
    not_sealed,               ///< In the clear, where only sealed values are taken.
    unsupported_seal,         ///< Sealed in a later version's way.
    unknown_key_id,           ///< Sealed with a key that the ring does not have; the detail names its id.
    key_unavailable,          ///< The key_provider failed to answer; the detail has its words.
    seal_broken,              ///< Changed, of another key of etcd, or sealed with another key by that id.
    // configuration
    schema_violation,         ///< A value that its schema refuses.
    required_missing,         ///< A required setting has no value.
    unknown_name,             ///< The schema or snapshot has no such name.
    type_mismatch,            ///< A value exists but is of another type, or does not fit.
    cache_refused,            ///< The copy on disk is damaged, too old or of something else; the detail says which.
    not_running,              ///< start() was not called, or stop() was.
    already_running,          ///< start() was called twice.
};

/// etcd's own errors, one for each text of its `rpctypes`.
enum class server_errc {
    empty_key = 1, key_not_found, value_provided, lease_provided, too_many_ops, duplicate_key,
    invalid_client_api_version, invalid_sort_option, compacted, future_revision, no_space,
    lease_not_found, lease_exists, lease_ttl_too_large, watch_canceled,
    member_exists, peer_url_exists, member_not_enough_started, member_bad_urls, member_not_found,
    member_not_learner, learner_not_ready, too_many_learners, cluster_id_mismatch,
    request_too_large, too_many_requests,
    root_user_missing, root_role_missing, user_exists, user_empty, user_not_found,
    role_exists, role_not_found, role_empty, auth_failed, permission_not_given, permission_denied,
    role_not_granted, permission_not_granted, auth_not_enabled, invalid_auth_token,
    invalid_auth_management, auth_old_revision,
    no_leader, not_leader, leader_changed, not_capable, stopped,
    timeout, timeout_leader_failure, timeout_connection_lost, timeout_applied_index,
    unhealthy, corrupt, not_supported_for_learner, bad_leader_transferee,
    cluster_version_unavailable, wrong_downgrade_version_format, invalid_downgrade_target_version,
    downgrade_in_process, no_inflight_downgrade, canceled, deadline_exceeded,
    client_certificate_name,  ///< The gateway refuses client certificates that carry a CommonName while auth is on; see docs/tls.md.
};

/// The gRPC status of a server error whose text is not in `server_errc`.
enum class grpc_errc {
    canceled = 1, unknown, invalid_argument, deadline_exceeded, not_found, already_exists,
    permission_denied, resource_exhausted, failed_precondition, aborted, out_of_range,
    unimplemented, internal, unavailable, data_loss, unauthenticated,
};

DYNCONF_API const boost::system::error_category& dynconf_category() noexcept;
DYNCONF_API const boost::system::error_category& server_category() noexcept;
DYNCONF_API const boost::system::error_category& grpc_category() noexcept;

inline error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), dynconf_category()}; }
inline error_code make_error_code(server_errc e) noexcept { return {static_cast<int>(e), server_category()}; }
inline error_code make_error_code(grpc_errc e) noexcept { return {static_cast<int>(e), grpc_category()}; }

}  // namespace dynconf

template <> struct boost::system::is_error_code_enum<dynconf::errc> : std::true_type {};
template <> struct boost::system::is_error_code_enum<dynconf::server_errc> : std::true_type {};
template <> struct boost::system::is_error_code_enum<dynconf::grpc_errc> : std::true_type {};

namespace dynconf {

/// What failed: a code to branch on and words to read. `detail` never holds a secret.
struct error {
    error_code code;
    std::string detail;
    /// It was a write, and etcd may have executed it, or may still do so. False: surely not. See `as_outcome`.
    bool in_doubt = false;

    /// "<detail>: <code's message>"; each alone when there is no detail, or when it holds the message already.
    DYNCONF_API std::string message() const;

    friend bool operator==(const error& a, const error_code& b) { return a.code == b; }
};

/// A value or an `error`. `value()` throws `dynconf::exception`.
template <class T> using result = boost::system::result<T, error>;

/// Thrown by the default completion token; `what()` is `error::message()`.
class DYNCONF_API exception : public std::exception {
public:
    explicit exception(error e);
    const error_code& code() const noexcept { return error_.code; }
    const std::string& detail() const noexcept { return error_.detail; }
    /// `error::in_doubt`
    bool in_doubt() const noexcept { return error_.in_doubt; }
    const char* what() const noexcept override { return what_.c_str(); }

private:
    error error_;
    std::string what_;
};

/// Makes an escaped exception a value: our own and Asio's keep their code.
DYNCONF_API error to_error(const std::exception_ptr& thrown) noexcept;

[[noreturn]] DYNCONF_API void throw_exception_from_error(const error& e, const boost::source_location&);

}  // namespace dynconf
