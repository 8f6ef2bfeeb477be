// What a call that is cancelled leaves behind.

#include "mock/core_scene.hpp"
#include "support/parallel.hpp"

#include <dynconf/lock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <atomic>
#include <new>
#include <optional>

using namespace dynconf;
using namespace dynconf::test;

namespace {

const std::string grant_path = "/v3/lease/grant", revoke_path = "/v3/lease/revoke";

gateway_answer as_asked(const gateway_request& r) { return json("{" + header(5) + ",\"ID\":\"" + r.member("ID") + "\",\"TTL\":\"10\"}"); }

}  // namespace

TEST_CASE("lease calls: a grant that is cancelled under way is revoked when it was executed, not before", "[lease_calls]") {
    const bool answered = GENERATE(true, false);
    std::atomic<bool> executed{false}, too_early{false};
    fake_gateway gateway;
    gateway.on(grant_path, [&](const gateway_request& r) { return answered ? as_asked(r).once([&] { return executed.load(); }) : silence(); });
    gateway.on(revoke_path, [&](const auto&) {
        too_early = !executed;
        return json("{" + header(5) + "}");
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        asio::cancellation_signal stop;
        std::optional<error_code> ended;
        mutex(c, "/locks/a").lock(asio::bind_cancellation_slot(stop.slot(), [&](error_code ec, held_lock) { ended = ec; }));
        co_await until([&] { return gateway.count(grant_path) == 1; });
        stop.emit(asio::cancellation_type::terminal);
        for (int i = 0; i < 20; ++i) (void)co_await core_of(c).sleep(1ms);
        executed = true;
        co_await until([&] { return ended.has_value(); });
        CHECK(*ended == asio::error::operation_aborted);
    });
    CHECK_FALSE(too_early);
    REQUIRE(gateway.count(revoke_path) == 1);
    CHECK(gateway.requests(revoke_path)[0].member("ID") == gateway.requests(grant_path)[0].member("ID"));
    CHECK(gateway.count(grant_path) == 1);
}

TEST_CASE("lease calls: a grant that ends by an exception is waited for no longer", "[lease_calls]") {
    fake_gateway gateway;
    gateway.on(grant_path, no_leader);
    gateway.on(revoke_path, [](const auto&) { return json("{" + header(5) + "}"); });
    client_options o = options_for({gateway.url()});
    o.log = [](const log_record& r) {   // in place of memory that is used up
        if (r.event == "endpoint_down") throw std::bad_alloc();
    };
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mutex jobs(c, "/locks/a");
        const error why = co_await failure_of([&]() -> asio::awaitable<void> { co_await jobs.lock(); });
        CHECK(why.code == boost::system::errc::not_enough_memory);
    });
    CHECK(gateway.count(grant_path) == 1);
}
