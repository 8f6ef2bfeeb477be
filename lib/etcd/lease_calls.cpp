#include "etcd/lease_calls.hpp"

#include "transport/condition.hpp"
#include "wire/requests.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace dynconf::etcd {

using policy::safety;
using namespace std::chrono_literals;

namespace {

constexpr auto most_for_a_drop = 2s;

/// Positive, as those that etcd draws.
lease_id random_lease_id() { return static_cast<lease_id>(transport::random_bits() >> 1 | 1); }

asio::awaitable<void> try_to_revoke(client_core& core, lease_id id, client_core::clock::time_point due) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const call what{"lease_revoke", "/v3/lease/revoke"};
    const std::string body = wire::lease_revoke_request(id);
    for (auto pause = 20ms;; pause *= 5) {
        message_reply<wire::header_only_response> answer;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due - client_core::clock::now());
        auto done = co_await core.try_once_at_best(what, body, answer, left);
        if (done || policy::will_not_heal(done.error().code) || client_core::clock::now() + pause >= due) co_return;
        co_await core.sleep(pause);
    }
}

asio::awaitable<void> drop_lease_until(client_core& core, lease_id id, client_core::clock::time_point due) {
    if (core.endpoint_count() == 0) co_return;   // so nobody was asked for it
    // A coroutine of its own has a cancellation state of its own.
    auto dropping = try_to_revoke(core, id, due);
    co_await asio::co_spawn(core.executor(), std::move(dropping), transport::as_result);
}

using granted_or_not = result<wire::lease_grant_response>;

struct grant_under_way {
    explicit grant_under_way(const strand& on) : moved(on) {}
    std::optional<granted_or_not> answer;
    transport::condition moved;
    asio::cancellation_signal stop;
};

/// Cancelled or late, it waits for the answer all the same, until `patience` is over: a request that was broken off may be
/// executed after the revocation of what it grants, and nobody would know of that lease.
asio::awaitable<granted_or_not> grant_to_the_end(client_core& core, call what, std::string body, client_core::clock::time_point wanted_until,
                                                 std::chrono::milliseconds patience) {
    const auto grant = std::make_shared<grant_under_way>(core.executor());
    auto run = [grant, what, body = std::move(body), self = core.shared_from_this()]() -> asio::awaitable<void> {
        const auto to = grant;
        const auto keep = self;
        const call request = what;
        const std::string text = body;
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        to->answer = co_await keep->unary<wire::lease_grant_response>(request, text);
        to->moved.notify_all();
    };
    auto ended = [grant](const std::exception_ptr& thrown) {
        if (!thrown) return;
        grant->answer = to_error(thrown);   // out of memory, say: nobody shall wait for what does not come
        grant->moved.notify_all();
    };
    asio::co_spawn(core.executor(), std::move(run), asio::bind_cancellation_slot(grant->stop.slot(), std::move(ended)));
    while (!grant->answer && client_core::clock::now() < wanted_until && !co_await transport::was_cancelled())
        co_await grant->moved.wait(wanted_until);
    const auto due = client_core::clock::now() + patience;
    while (!grant->answer && client_core::clock::now() < due) co_await grant->moved.wait(due);
    if (!grant->answer) grant->stop.emit(asio::cancellation_type::terminal);
    while (!grant->answer) co_await grant->moved.wait();
    co_return std::move(*grant->answer);
}

}  // namespace

asio::awaitable<result<lease_grant_response>> grant_lease(const view& through, std::chrono::milliseconds ttl, lease_id id,
                                                          client_core::clock::time_point wanted_until) {
    if (ttl <= 0ms) co_return error{errc::invalid_argument, "a lease needs a positive TTL"};
    const bool drawn = id == 0;
    if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "lease_grant"};
    if (drawn) id = random_lease_id();
    call grant{"lease_grant", "/v3/lease/grant", drawn ? safety::repeatable : safety::at_most_once};
    grant.due = through.due();
    const std::string body = wire::lease_grant_request(std::chrono::ceil<std::chrono::seconds>(ttl).count(), id);
    const auto asked = client_core::clock::now();
    lease_grant_response out;
    out.id = id;
    granted_or_not granted = wire::lease_grant_response();
    if (drawn) granted = co_await grant_to_the_end(through.core(), grant, body, wanted_until, most_for_a_drop / 2);
    else granted = co_await through.core().unary<wire::lease_grant_response>(grant, body);
    const bool cancelled = drawn && co_await transport::was_cancelled();
    const bool unwanted = cancelled || (drawn && client_core::clock::now() >= wanted_until);
    if (granted && !unwanted) {
        out.header = granted->header;
        out.ttl = std::chrono::seconds(granted->ttl);
        out.good_until = asked + out.ttl;
        co_return out;
    }
    error why{errc::deadline_exceeded, "lease_grant"};
    if (cancelled) why.code = asio::error::operation_aborted;
    else if (!unwanted) why = granted.error();
    if (drawn && !unwanted && why.code == server_errc::lease_exists) {   // an earlier try, whose answer was lost, was executed
        call ask{"lease_time_to_live", "/v3/lease/timetolive"};
        ask.due = through.until(wanted_until).due();
        const std::string question = wire::lease_time_to_live_request(id, false);
        auto found = co_await through.core().unary<wire::lease_time_to_live_response>(ask, question);
        if (found && found->ttl > 0) {
            out.header = found->header;
            out.ttl = std::chrono::seconds(found->granted_ttl);
            out.good_until = asked + out.ttl;
            co_return out;
        }
        why = found ? error{errc::lease_expired, "lease_grant"} : found.error();
    }
    if (drawn && (granted || !policy::will_not_heal(granted.error().code)))
        co_await drop_lease_until(through.core(), id, client_core::clock::now() + (unwanted ? most_for_a_drop / 2 : most_for_a_drop));
    co_return why;
}

asio::awaitable<result<void>> revoke_lease(const view& through, lease_id id) {
    call what{"lease_revoke", "/v3/lease/revoke", safety::repeatable_write};
    what.due = through.due();
    const std::string body = wire::lease_revoke_request(id);
    auto done = co_await through.core().unary<wire::header_only_response>(what, body);
    if (done) co_return result<void>();
    // Not known any more: after a try whose answer was lost that is what was wanted.
    if (done.error().in_doubt && done.error().code == server_errc::lease_not_found) co_return result<void>();
    co_return done.error();
}

asio::awaitable<void> drop_lease(client_core& core, lease_id id) {
    co_await drop_lease_until(core, id, client_core::clock::now() + most_for_a_drop);
}

policy::lease_clock clock_of(const lease_grant_response& granted) noexcept { return {granted.ttl, granted.good_until - granted.ttl}; }

}  // namespace dynconf::etcd
