// What operators do with the cluster as a whole: who leads, and the way back to an older version.

#include "integration/scene.hpp"
#include "support/scratch_dir.hpp"
#include "support/test_ca.hpp"

#include <dynconf/cluster.hpp>
#include <dynconf/maintenance.hpp>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("maintenance: leadership is moved to a member of choice, through whichever endpoint", "[maintenance]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster etcd(binary, 3);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd.endpoints()));
            maintenance m(c);
            for (std::size_t to = 0; to < 3; ++to) {
                const cluster_status before = co_await m.status_of_each();
                REQUIRE(before.endpoints.at(to).status);
                const std::uint64_t target = before.endpoints[to].status->header.member_id;
                co_await m.move_leader(target);
                // The others hear of it a moment later; the new leader itself knows.
                client one(ex, hasty(etcd[to]));
                maintenance of_one(one);
                status_response now = co_await of_one.status();
                while (now.leader != target) now = co_await of_one.status();
                co_await m.move_leader(target);   // it leads already
            }
            const error stranger = co_await failure(m.move_leader(12345));
            CHECK(stranger.code == server_errc::bad_leader_transferee);
            CHECK_FALSE(stranger.in_doubt);

            cluster_status status = co_await m.status_of_each();
            const auto leader = static_cast<std::size_t>(status.leader_endpoint() - status.endpoints.data());
            client follower(ex, hasty(etcd[(leader + 1) % 3]));
            maintenance of_follower(follower);
            const error elsewhere = co_await failure(of_follower.move_leader(status.leader()));
            CHECK(elsewhere.code == server_errc::not_leader);
            CHECK_FALSE(elsewhere.in_doubt);
        },
        60s);
}

TEST_CASE("maintenance: a downgrade is validated, enabled and cancelled", "[maintenance]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            maintenance m(c);
            if (binary.version.rfind("3.4.", 0) == 0) {
                const auto validated = co_await outcome(m.downgrade_validate("3.3.0"));
                CHECK(validated.error().code == errc::not_supported);
                const auto enabled = co_await outcome(m.downgrade_enable("3.3.0"));
                CHECK(enabled.error().code == errc::not_supported);
                CHECK_FALSE(enabled.error().in_doubt);
                const auto cancelled = co_await outcome(m.downgrade_cancel());
                CHECK(cancelled.error().code == errc::not_supported);
                co_return;
            }
            const downgrade_response possible = co_await m.downgrade_validate("3.4.0");
            CHECK(possible.version == "3.5.0");
            const auto far = co_await outcome(m.downgrade_validate("3.1.0"));
            CHECK(far.error().code == server_errc::invalid_downgrade_target_version);
            const auto odd = co_await outcome(m.downgrade_enable("three"));
            CHECK(odd.error().code == server_errc::wrong_downgrade_version_format);
            CHECK_FALSE(odd.error().in_doubt);
            const auto none = co_await outcome(m.downgrade_cancel());
            CHECK(none.error().code == server_errc::no_inflight_downgrade);

            (void)co_await m.downgrade_enable("3.4.0");
            const auto again = co_await outcome(m.downgrade_enable("3.4.0"));
            CHECK(again.error().code == server_errc::downgrade_in_process);
            (void)co_await m.downgrade_cancel();
            const downgrade_response once_more = co_await m.downgrade_validate("3.4.0");
            CHECK(once_more.version == "3.5.0");
        },
        60s);
}

TEST_CASE("maintenance: the kind of a server's tokens, by the client's own login", "[maintenance]") {
    FOR_EACH_ETCD(binary);
    using kind = endpoint_capabilities::token_kind;
    const bool jwt = GENERATE(false, true);
    const scratch_dir dir;
    const rsa_pair pair = make_rsa_pair(dir.path());
    etcd_options options;
    if (jwt) options.flags = {"--auth-token=jwt,pub-key=" + pair.public_key + ",priv-key=" + pair.private_key + ",sign-method=RS256,ttl=5m"};
    etcd_process etcd(binary, options);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client_options as_root = hasty(etcd);
        as_root.auth = as_user("root", "root");
        client c(ex, as_root);
        maintenance m(c);
        capability_report report = co_await m.probe();
        CHECK(report.endpoints.at(0).auth == endpoint_capabilities::auth_mode::off);
        CHECK(report.endpoints[0].tokens == kind::unknown);
        etcd_admin(etcd).enable_auth();
        report = co_await m.probe();
        CHECK(report.endpoints.at(0).auth == endpoint_capabilities::auth_mode::on);
        CHECK(report.endpoints[0].tokens == (jwt ? kind::jwt : kind::simple));
        CHECK(report.text().find(jwt ? "JWT" : "simple") != std::string::npos);
        as_root.auth = as_user("root", "wrong");
        client stranger(ex, as_root);
        maintenance of_stranger(stranger);
        report = co_await of_stranger.probe();
        CHECK(report.endpoints.at(0).auth == endpoint_capabilities::auth_mode::on);
        CHECK(report.endpoints[0].tokens == kind::unknown);
    });
}
