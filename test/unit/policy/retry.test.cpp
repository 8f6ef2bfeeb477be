#include "policy/retry.hpp"

#include "support/catch.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

using namespace dynconf;
using policy::safety;
using policy::stage;
using policy::verdict;

namespace {

constexpr verdict stop = verdict::give_up;
constexpr verdict token = verdict::refresh_token;
constexpr verdict other = verdict::try_elsewhere;

struct row {
    error_code code;
    verdict read;    // answered, may be repeated
    verdict write;   // answered, at most once
    bool sure;       // answered so, the server did not execute it
    bool unfit;      // where the request did not get an answer: is it worth another endpoint?
};

// Each situation of the list of errors in docs/gateway.md.
const row rows[] = {
    // the request is at fault
    {grpc_errc::invalid_argument, stop, stop, true, false},
    {server_errc::empty_key, stop, stop, true, false},
    {server_errc::key_not_found, stop, stop, true, false},
    {server_errc::compacted, stop, stop, true, false},
    {server_errc::future_revision, stop, stop, true, false},
    {server_errc::lease_not_found, stop, stop, true, false},
    {server_errc::lease_exists, stop, stop, true, false},
    {server_errc::lease_ttl_too_large, stop, stop, true, false},
    {server_errc::too_many_ops, stop, stop, true, false},
    {server_errc::duplicate_key, stop, stop, true, false},
    {server_errc::request_too_large, stop, stop, true, false},
    {server_errc::no_space, stop, stop, true, false},
    {grpc_errc::not_found, stop, stop, true, false},
    {grpc_errc::failed_precondition, stop, stop, true, false},
    {grpc_errc::out_of_range, stop, stop, true, false},
    {grpc_errc::unimplemented, stop, stop, true, false},
    // refused, perhaps because an earlier passing on of the same call has worked
    {server_errc::learner_not_ready, stop, stop, false, false},
    {server_errc::member_not_learner, stop, stop, false, false},
    // who asks
    {server_errc::user_empty, token, token, true, false},
    {server_errc::invalid_auth_token, token, token, true, false},
    {server_errc::auth_old_revision, token, token, true, false},
    {server_errc::permission_denied, stop, stop, true, false},
    {server_errc::auth_failed, stop, stop, true, false},
    {server_errc::auth_not_enabled, stop, stop, true, false},
    {server_errc::client_certificate_name, stop, stop, true, false},
    // refused up front, by a member that cannot serve now
    {server_errc::too_many_requests, other, other, true, true},
    {grpc_errc::resource_exhausted, other, other, true, true},
    {server_errc::no_leader, other, other, true, true},
    {server_errc::leader_changed, other, other, true, true},
    {server_errc::not_supported_for_learner, other, other, true, true},
    {errc::gateway_disabled, other, other, true, true},
    // nobody knows whether it was executed
    {server_errc::timeout, other, stop, false, true},
    {server_errc::timeout_leader_failure, other, stop, false, true},
    {server_errc::timeout_connection_lost, other, stop, false, true},
    {server_errc::timeout_applied_index, other, stop, false, true},
    {server_errc::deadline_exceeded, other, stop, false, true},
    {server_errc::canceled, other, stop, false, true},
    {server_errc::stopped, other, stop, false, true},
    {server_errc::not_leader, other, stop, false, true},
    {server_errc::unhealthy, other, stop, false, true},
    {grpc_errc::deadline_exceeded, other, stop, false, true},
    {grpc_errc::unknown, other, stop, false, true},
    {grpc_errc::unavailable, other, stop, false, true},
    {grpc_errc::internal, other, stop, false, true},
    {grpc_errc::canceled, other, stop, false, true},
    {errc::unexpected_status, other, stop, false, true},
    {errc::malformed_response, other, stop, false, true},
    {errc::connection_closed, other, stop, false, true},
    {errc::protocol_mismatch, other, stop, false, true},
    {errc::deadline_exceeded, other, stop, false, true},
    {errc::not_acknowledged, other, stop, false, true},
    {errc::watch_ended, other, stop, false, true},
    // a member that is no good; in truth before anything is sent
    {errc::certificate_expired, other, stop, false, true},
    {errc::certificate_not_yet_valid, other, stop, false, true},
    {errc::certificate_wrong_host, other, stop, false, true},
    {errc::certificate_self_signed, other, stop, false, true},
    {errc::unknown_authority, other, stop, false, true},
    {errc::certificate_refused, other, stop, false, true},
    {errc::tls_version_refused, other, stop, false, true},
    // every endpoint was tried for the token alone: not the caller's fault either
    {errc::no_endpoint_available, other, stop, false, true},
    {errc::discovery_failed, other, stop, false, true},
    {boost::asio::error::connection_refused, other, stop, false, true},
    {boost::asio::error::connection_reset, other, stop, false, true},
    {boost::asio::error::host_not_found, other, stop, false, true},
    {boost::asio::error::eof, other, stop, false, true},
    {boost::asio::ssl::error::stream_truncated, other, stop, false, true},
    // our own no
    {boost::asio::error::operation_aborted, stop, stop, true, false},
    {errc::response_too_large, stop, stop, true, false},
    {errc::unreadable_ca, stop, stop, true, false},
    {errc::unreadable_certificate, stop, stop, true, false},
    {errc::unreadable_key, stop, stop, true, false},
    {errc::wrong_key_password, stop, stop, true, false},
    {errc::key_mismatch, stop, stop, true, false},
    {errc::invalid_endpoint, stop, stop, true, false},
};

}  // namespace

TEST_CASE("retry: a request behind a client certificate that is refused was not looked at", "[policy][tls]") {
    for (const errc code : {errc::client_certificate_required, errc::client_certificate_refused})
        for (const stage how_far : {stage::not_sent, stage::sent, stage::answered}) {
            CHECK(policy::surely_not_executed(how_far, code));
            CHECK_FALSE(policy::leaves_in_doubt(safety::at_most_once, how_far, code));
            CHECK(policy::decide(safety::at_most_once, how_far, code) == other);
            CHECK(policy::member_is_unfit(code));
        }
}

TEST_CASE("retry: a certificate that is not accepted is told from all that may pass", "[policy][tls]") {
    for (const errc refused : {errc::certificate_expired, errc::certificate_not_yet_valid, errc::certificate_wrong_host,
                               errc::certificate_self_signed, errc::unknown_authority, errc::certificate_refused,
                               errc::client_certificate_required, errc::client_certificate_refused})
        CHECK(policy::trust_was_refused(refused));
    for (const error_code passing : {make_error_code(errc::connection_closed), make_error_code(errc::tls_version_refused),
                                   make_error_code(errc::deadline_exceeded), make_error_code(server_errc::auth_failed), error_code()})
        CHECK_FALSE(policy::trust_was_refused(passing));
}

TEST_CASE("retry: what an error means for a read and for a write", "[policy]") {
    for (const row& r : rows) {
        INFO(r.code.category().name() << ": " << r.code.message());
        CHECK(policy::decide(safety::repeatable, stage::answered, r.code) == r.read);
        CHECK(policy::decide(safety::at_most_once, stage::answered, r.code) == r.write);
        CHECK(policy::surely_not_executed(stage::answered, r.code) == r.sure);
        CHECK(policy::member_is_unfit(r.code) == r.unfit);
        const bool late = r.code == errc::deadline_exceeded || r.code == server_errc::deadline_exceeded || r.code == grpc_errc::deadline_exceeded;
        CHECK(policy::ran_out_of_time(r.code) == late);

        // Before a byte left, all may be tried again.
        const verdict unsent = r.unfit ? other : stop;
        CHECK(policy::decide(safety::repeatable, stage::not_sent, r.code) == unsent);
        CHECK(policy::decide(safety::at_most_once, stage::not_sent, r.code) == unsent);
        CHECK(policy::surely_not_executed(stage::not_sent, r.code));

        // Once one left and no answer came, a write may not.
        CHECK(policy::decide(safety::repeatable, stage::sent, r.code) == unsent);
        CHECK(policy::decide(safety::at_most_once, stage::sent, r.code) == stop);
        CHECK_FALSE(policy::surely_not_executed(stage::sent, r.code));

        CHECK(policy::leaves_in_doubt(safety::at_most_once, stage::sent, r.code));
        CHECK(policy::leaves_in_doubt(safety::at_most_once, stage::answered, r.code) != r.sure);
        CHECK_FALSE(policy::leaves_in_doubt(safety::at_most_once, stage::not_sent, r.code));
        CHECK_FALSE(policy::leaves_in_doubt(safety::repeatable, stage::sent, r.code));

        // Repeated as a read is, and a doubt is told as of a write.
        for (const stage how_far : {stage::not_sent, stage::sent, stage::answered}) {
            CHECK(policy::decide(safety::repeatable_write, how_far, r.code) == policy::decide(safety::repeatable, how_far, r.code));
            CHECK(policy::leaves_in_doubt(safety::repeatable_write, how_far, r.code) == policy::leaves_in_doubt(safety::at_most_once, how_far, r.code));
        }
    }
}

TEST_CASE("retry: what waiting does not heal, and what deserves a long pause", "[policy]") {
    struct { error_code code; bool never, patience; } const healing[] = {
        {server_errc::permission_denied, true, true},
        {server_errc::auth_failed, true, true},
        {errc::gateway_disabled, false, true},
        {server_errc::no_leader, false, false},
        {server_errc::invalid_auth_token, false, false},
        {grpc_errc::resource_exhausted, false, false},
        {boost::asio::error::connection_refused, false, false},
        {boost::asio::error::operation_aborted, false, false},
    };
    for (const auto& r : healing) {
        INFO(r.code.message());
        CHECK(policy::will_not_heal(r.code) == r.never);
        CHECK(policy::needs_patience(r.code) == r.patience);
    }
}

TEST_CASE("retry: every error of etcd has a verdict, and no write is repeated whose outcome is unknown", "[policy]") {
    for (int value = 1; value <= static_cast<int>(server_errc::client_certificate_name); ++value) {
        const error_code code(value, server_category());
        for (const stage how_far : {stage::not_sent, stage::sent, stage::answered}) {
            const verdict write = policy::decide(safety::at_most_once, how_far, code);
            if (write != stop) CHECK(policy::surely_not_executed(how_far, code));
            // A write is never tried harder than a read.
            if (write != stop) CHECK(write == policy::decide(safety::repeatable, how_far, code));
        }
    }
}
