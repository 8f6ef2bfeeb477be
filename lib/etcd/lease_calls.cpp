#include "etcd/lease_calls.hpp"

#include "wire/requests.hpp"

#include <string>
#include <utility>

namespace dynconf::etcd {

using policy::safety;
using namespace std::chrono_literals;

namespace {

constexpr auto most_for_a_drop = 2s;

/// Positive, as those that etcd draws.
lease_id random_lease_id() { return static_cast<lease_id>(transport::random_bits() >> 1 | 1); }

asio::awaitable<void> try_to_revoke(client_core& core, lease_id id) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const call what{"lease_revoke", "/v3/lease/revoke"};
    const std::string body = wire::lease_revoke_request(id);
    const auto due = client_core::clock::now() + most_for_a_drop;
    for (auto pause = 20ms;; pause *= 5) {
        message_reply<wire::header_only_response> answer;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due - client_core::clock::now());
        auto done = co_await core.try_once_at_best(what, body, answer, left);
        if (done || policy::will_not_heal(done.error().code) || client_core::clock::now() + pause >= due) co_return;
        co_await core.sleep(pause);
    }
}

}  // namespace

asio::awaitable<result<lease_grant_response>> grant_lease(client_core& core, std::chrono::milliseconds ttl, lease_id id) {
    if (ttl <= 0ms) co_return error{errc::invalid_argument, "a lease needs a positive TTL"};
    const bool drawn = id == 0;
    if (drawn) id = random_lease_id();
    const call grant{"lease_grant", "/v3/lease/grant", drawn ? safety::repeatable : safety::at_most_once};
    const std::string body = wire::lease_grant_request(std::chrono::ceil<std::chrono::seconds>(ttl).count(), id);
    const auto asked = client_core::clock::now();
    lease_grant_response out;
    out.id = id;
    auto granted = co_await core.unary<wire::lease_grant_response>(grant, body);
    if (granted) {
        out.header = granted->header;
        out.ttl = std::chrono::seconds(granted->ttl);
        out.good_until = asked + out.ttl;
        co_return out;
    }
    error why = granted.error();
    if (drawn && why.code == server_errc::lease_exists) {   // an earlier try, whose answer was lost, was executed
        const call ask{"lease_time_to_live", "/v3/lease/timetolive"};
        const std::string question = wire::lease_time_to_live_request(id, false);
        auto found = co_await core.unary<wire::lease_time_to_live_response>(ask, question);
        if (found && found->ttl > 0) {
            out.header = found->header;
            out.ttl = std::chrono::seconds(found->granted_ttl);
            out.good_until = asked + out.ttl;
            co_return out;
        }
        why = found ? error{errc::lease_expired, "lease_grant"} : found.error();
    }
    if (drawn && !policy::will_not_heal(why.code)) co_await drop_lease(core, id);
    co_return why;
}

asio::awaitable<result<void>> revoke_lease(client_core& core, lease_id id) {
    const call what{"lease_revoke", "/v3/lease/revoke", safety::repeatable_write};
    const std::string body = wire::lease_revoke_request(id);
    auto done = co_await core.unary<wire::header_only_response>(what, body);
    if (done) co_return result<void>();
    // Not known any more: after a try whose answer was lost that is what was wanted.
    if (done.error().in_doubt && done.error().code == server_errc::lease_not_found) co_return result<void>();
    co_return done.error();
}

asio::awaitable<void> drop_lease(client_core& core, lease_id id) {
    // A coroutine of its own has a cancellation state of its own.
    auto dropping = try_to_revoke(core, id);
    co_await asio::co_spawn(core.executor(), std::move(dropping), transport::as_result);
}

policy::lease_clock clock_of(const lease_grant_response& granted) noexcept { return {granted.ttl, granted.good_until - granted.ttl}; }

}  // namespace dynconf::etcd
