// Leases of a client that does not know an endpoint yet.

#include <dynconf/election.hpp>
#include <dynconf/lease.hpp>
#include <dynconf/lock.hpp>
#include <dynconf/registration.hpp>

#include "mock/srv_scene.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

namespace {

const std::string grant_path = "/v3/lease/grant", revoke_path = "/v3/lease/revoke";

}  // namespace

TEST_CASE("srv leases: what begins with a lease says that no endpoint was found", "[srv]") {
    const domain d;
    with_client(by_srv(), [&](client& c) -> asio::awaitable<void> {
        core_of(c).ask_name_servers(d.servers());
        const std::vector<std::function<asio::awaitable<void>()>> all = {
            [&]() -> asio::awaitable<void> { co_await leases(c).grant(10s); },
            [&]() -> asio::awaitable<void> { co_await leases(c).put_with_ttl("k", "v", 10s); },
            [&]() -> asio::awaitable<void> { co_await mutex(c, "/locks/a").try_lock(); },
            [&]() -> asio::awaitable<void> { co_await mutex(c, "/locks/a").lock(); },
            [&]() -> asio::awaitable<void> { co_await election(c, "/leaders/a").campaign("me"); },
        };
        for (const auto& begin : all) {
            const error why = co_await failure_of(begin);
            INFO(why.message());
            CHECK(why == errc::discovery_failed);
            CHECK_FALSE(why.in_doubt);
        }
    });
}

TEST_CASE("srv leases: a grant that is cancelled during the first look-up has nothing to take back", "[srv][cancel]") {
    const domain d(silent(), silent());
    with_client(by_srv(), [&](client& c) -> asio::awaitable<void> {
        core_of(c).ask_name_servers(d.servers());
        asio::cancellation_signal stop;
        std::optional<error_code> ended;
        leases(c).grant(10s, 0, asio::bind_cancellation_slot(stop.slot(), [&](error_code ec, const lease_grant_response&) { ended = ec; }));
        co_await until([&] { return d.asked(secure_name) != 0; });
        stop.emit(asio::cancellation_type::terminal);
        co_await until([&] { return ended.has_value(); });
        CHECK(*ended == asio::error::operation_aborted);
    });
}

TEST_CASE("srv leases: a lease is kept alive by a client that has asked nothing before", "[srv]") {
    fake_gateway member;
    std::optional<error_code> ended;
    domain d;
    const bool found_later = GENERATE(false, true);
    member.on(status_path, healthy_status);
    member.on(keep_alive_path, [](const auto&) {
        return stream({"{\"result\":{" + header(5) + ",\"ID\":\"7\",\"TTL\":\"2\"}}"}, gateway_answer::then::next_request);
    });
    if (!found_later) d.says({0, {record(member)}});
    with_client(by_srv(), [&](client& c) -> asio::awaitable<void> {
        core_of(c).ask_name_servers(d.servers());
        asio::cancellation_signal stop;
        leases(c).keep_alive(7, asio::bind_cancellation_slot(stop.slot(), [&](error_code ec) { ended = ec; }));
        co_await until([&] { return d.asked(secure_name) >= 2 || member.count(keep_alive_path) != 0; });
        d.says({0, {record(member)}});
        co_await until([&] { return ended || member.count(keep_alive_path) >= 2; });
        CHECK_FALSE(ended);
        stop.emit(asio::cancellation_type::terminal);
        co_await until([&] { return ended.has_value(); });
        CHECK(*ended == asio::error::operation_aborted);
    });
}

TEST_CASE("srv leases: a lease that nobody can be asked for is unreachable", "[srv]") {
    const domain d;
    client_options o = by_srv();
    o.total_timeout = 200ms;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        core_of(c).ask_name_servers(d.servers());
        const error why = co_await failure_of([&]() -> asio::awaitable<void> { co_await leases(c).keep_alive(7); });
        CHECK(why == errc::lease_unreachable);
        CHECK(why.detail.find("'example.test'") != std::string::npos);
    });
}
