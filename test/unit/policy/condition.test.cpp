#include "support/catch.hpp"

#include <dynconf/condition.hpp>

#include <boost/asio/error.hpp>

#include <set>
#include <string>
#include <vector>

using namespace dynconf;

namespace {

/// All conditions that a code fits.
std::set<condition> meaning_of(const error_code& code) {
    std::set<condition> all;
    for (int i = 1; i <= static_cast<int>(condition::not_supported); ++i)
        if (code == static_cast<condition>(i)) all.insert(static_cast<condition>(i));
    return all;
}

}  // namespace

TEST_CASE("conditions: what codes mean") {
    using c = condition;
    const struct {
        error_code code;
        std::set<condition> means;
    } rows[] = {
        {{}, {}},
        {server_errc::permission_denied, {c::permission_denied}},
        {grpc_errc::permission_denied, {c::permission_denied}},
        {server_errc::compacted, {c::compacted}},
        {errc::history_lost, {c::compacted}},
        {server_errc::too_many_ops, {c::too_many_operations, c::invalid_request}},
        {server_errc::request_too_large, {c::too_large, c::invalid_request}},
        {errc::response_too_large, {c::too_large}},
        {server_errc::too_many_requests, {c::overloaded, c::retryable}},
        {server_errc::no_space, {c::no_space}},
        {server_errc::no_leader, {c::no_leader, c::retryable}},
        {server_errc::timeout_leader_failure, {c::no_leader, c::timeout, c::retryable}},
        {errc::deadline_exceeded, {c::timeout, c::retryable}},
        {grpc_errc::deadline_exceeded, {c::timeout, c::retryable}},
        {server_errc::user_not_found, {c::not_found}},
        {server_errc::lease_not_found, {c::not_found}},
        {errc::not_supported, {c::not_found, c::not_supported}},
        {errc::gateway_disabled, {c::not_supported, c::retryable}},   // the neighbour may have one
        {server_errc::user_exists, {c::already_exists}},
        {server_errc::auth_failed, {c::unauthenticated}},
        {server_errc::invalid_auth_token, {c::unauthenticated, c::retryable}},
        {server_errc::future_revision, {c::future_revision}},
        {errc::invalid_argument, {c::invalid_request}},
        {boost::asio::error::operation_aborted, {c::canceled}},
        {boost::asio::error::connection_refused, {c::retryable}},
        {errc::connection_closed, {c::retryable}},
        {errc::schema_violation, {}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.code.message());
        CHECK(meaning_of(row.code) == row.means);
        CHECK(is_retryable(row.code) == (row.means.count(c::retryable) != 0));
    }
}

TEST_CASE("conditions have names of their own, and a thrown error fits them") {
    std::set<std::string> words;
    for (int i = 1; i <= static_cast<int>(condition::not_supported); ++i)
        words.insert(make_error_condition(static_cast<condition>(i)).message());
    CHECK(words.size() == static_cast<std::size_t>(condition::not_supported));
    const exception thrown({server_errc::compacted, "range"});
    CHECK(thrown.code() == condition::compacted);
    CHECK(thrown.code() != condition::permission_denied);
}

TEST_CASE("conditions: a number that is none fits nothing, and says so") {
    const auto none = static_cast<condition>(99);
    CHECK(make_error_condition(none).message() == "unknown condition");
    CHECK_FALSE(make_error_code(server_errc::compacted) == none);
}
