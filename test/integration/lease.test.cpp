#include "integration/lease_scene.hpp"
#include "support/etcdctl.hpp"
#include "support/io_threads.hpp"
#include "support/parallel.hpp"
#include "support/relay.hpp"

#include <dynconf/lease.hpp>
#include <dynconf/registration.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <deque>
#include <future>
#include <memory>
#include <optional>

using namespace dynconf;
using namespace dynconf::test;

namespace {

double renewals(const etcd_process& etcd) { return etcd.metric("etcd_debugging_lease_renewed_total"); }

/// keep_alive() under way on other threads.
class keeping {
public:
    template <class Lease>
    keeping(io_threads& io, client& c, const Lease& lease) : io_(io) {
        loss_ = shared_->done.get_future();
        asio::co_spawn(io.get_executor(), run(leases(c), lease),
            asio::bind_cancellation_slot(shared_->stop.slot(), [s = shared_](std::exception_ptr e) {
                s->done.set_value(e ? to_error(e) : error());
            }));
    }
    error loss() {
        if (loss_.wait_for(20s) != std::future_status::ready) throw std::runtime_error("the loss was not told");
        return loss_.get();
    }
    bool lost() const { return loss_.wait_for(0s) == std::future_status::ready; }
    void cancel() {
        asio::post(io_.get_executor(), asio::use_future([s = shared_] { s->stop.emit(asio::cancellation_type::terminal); })).get();
    }

private:
    struct shared {
        asio::cancellation_signal stop;
        std::promise<error> done;
    };

    template <class Lease>
    static asio::awaitable<void> run(leases all, Lease lease) {
        co_await all.keep_alive(lease);
    }

    io_threads& io_;
    std::shared_ptr<shared> shared_ = std::make_shared<shared>();   // the signal outlives the operation
    std::future<error> loss_;
};

}  // namespace

TEST_CASE("lease: granted, asked for, listed and revoked, as etcdctl sees it", "[lease]") {
    FOR_EACH_ETCD(binary);
    REQUIRE_ETCDCTL(binary);
    etcd_process etcd(binary);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        leases all(c);
        kv store(c);
        const auto began = std::chrono::steady_clock::now();
        const lease_grant_response granted = co_await all.grant(59'001ms);
        CHECK(granted.ttl == 60s);
        CHECK(granted.id > 0);
        CHECK(granted.header.revision == 1);
        CHECK(granted.good_until >= began + 60s);
        CHECK(granted.good_until <= std::chrono::steady_clock::now() + 60s);
        const lease_grant_response short_one = co_await all.grant(1ms);
        CHECK(short_one.ttl == 2s);   // the server's least
        const lease_grant_response own = co_await all.grant(30s, 0x1234);
        CHECK(own.id == 0x1234);

        put_options with_lease;
        with_lease.lease = granted.id;
        co_await store.put("a", "1", with_lease);
        co_await store.put("b", "2", with_lease);
        lease_time_to_live_response left = co_await all.time_to_live(granted.id, true);
        std::sort(left.keys.begin(), left.keys.end());
        CHECK(left.granted_ttl == 60s);
        CHECK(left.ttl <= 60s);
        CHECK(left.ttl >= 30s);
        CHECK(left.keys == strings{"a", "b"});
        const lease_time_to_live_response without = co_await all.time_to_live(granted.id);
        CHECK(without.keys.empty());

        const std::vector<lease_id> listed = co_await all.list();
        const std::string seen = etcdctl(binary, etcd, {"lease", "list"});
        for (const lease_id id : {granted.id, own.id}) {
            CHECK(std::count(listed.begin(), listed.end(), id) == 1);
            CHECK(seen.find(hex(id)) != std::string::npos);
        }
        const std::string attached = etcdctl(binary, etcd, {"lease", "timetolive", hex(granted.id), "--keys"});
        INFO(attached);
        CHECK((attached.find("attached keys([a b])") != std::string::npos || attached.find("attached keys([b a])") != std::string::npos));

        const lease_keep_alive_response kept = co_await all.keep_alive_once(granted.id);
        CHECK(kept.ttl == 60s);
        co_await all.revoke(granted.id);
        CHECK(etcdctl(binary, etcd, {"lease", "list"}).find(hex(granted.id)) == std::string::npos);
        CHECK(etcd_admin(etcd).read("").empty());
    });
}

TEST_CASE("lease: what etcd refuses has its code", "[lease]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        leases all(c);
        const auto own = co_await all.grant(30s, 77);
        CHECK(own.id == 77);
        const auto twice = co_await outcome(all.grant(30s, 77));
        CHECK(twice.error() == server_errc::lease_exists);
        const auto none = co_await outcome(all.grant(0s));
        CHECK(none.error() == errc::invalid_argument);
        const auto long_one = co_await outcome(all.grant(std::chrono::hours(24 * 365 * 400)));
        CHECK(long_one.error() == server_errc::lease_ttl_too_large);
        co_await all.revoke(77);
        const auto asked = co_await outcome(all.time_to_live(77));
        CHECK(asked.error() == server_errc::lease_not_found);
        const auto once = co_await outcome(all.keep_alive_once(77));
        CHECK(once.error() == server_errc::lease_not_found);
        const error again = co_await failure_of([&]() -> asio::awaitable<void> { co_await all.revoke(77); });
        CHECK(again == server_errc::lease_not_found);
        const error kept = co_await failure_of([&]() -> asio::awaitable<void> { co_await all.keep_alive(77); });
        CHECK(kept == server_errc::lease_not_found);
    });
    CHECK(leases_at(etcd) == 0);
}

TEST_CASE("lease: a put with a TTL leaves no lease behind when it fails", "[lease]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        leases all(c);
        const leased_put_response done = co_await all.put_with_ttl("k", "v", 30s);
        CHECK(done.lease.ttl == 30s);
        const auto left = co_await all.time_to_live(done.lease.id, true);
        CHECK(left.keys == strings{"k"});
        co_await all.revoke(done.lease.id);
        const auto refused = co_await outcome(all.put_with_ttl("", "v", 30s));
        CHECK(refused.error() == server_errc::empty_key);
    });
    CHECK(leases_at(etcd) == 0);
    CHECK(etcd_admin(etcd).read("").empty());
}

TEST_CASE("lease: kept alive past its TTL; a cancelled keep_alive leaves it alone", "[lease]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    io_threads io(1);
    client c(io.get_executor(), hasty(etcd));
    const auto granted = leases(c).grant(2s, 0, asio::use_future).get();
    keeping known(io, c, granted), unknown(io, c, granted.id);
    CHECK(becomes_true([&] { return renewals(etcd) >= 10; }));
    CHECK(std::chrono::steady_clock::now() > granted.good_until);
    CHECK_FALSE(known.lost());
    CHECK_FALSE(unknown.lost());
    known.cancel();
    unknown.cancel();
    CHECK(known.loss() == asio::error::operation_aborted);
    CHECK(unknown.loss() == asio::error::operation_aborted);
    CHECK(seconds_left(etcd, granted.id) >= 0);
    CHECK(becomes_true([&] { return leases_at(etcd) == 0; }));   // nobody keeps it any more
}

TEST_CASE("lease: all leases of a client are kept alive by one request", "[lease]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    io_threads io(1);
    client c(io.get_executor(), hasty({wire.endpoint()}));
    constexpr int count = 300;
    std::deque<keeping> all;
    for (int i = 0; i < count; ++i) {
        const auto granted = leases(c).grant(3s, 0, asio::use_future).get();
        all.emplace_back(io, c, granted);
    }
    const double before = renewals(etcd);
    const auto connections = wire.accepted();
    CHECK(becomes_true([&] { return renewals(etcd) >= before + 4 * count; }));
    CHECK(wire.accepted() <= connections + count / 3);   // a few; one for each lease would be 1200
    for (keeping& k : all) CHECK_FALSE(k.lost());
    for (keeping& k : all) k.cancel();
}

TEST_CASE("lease: a loss is told with its cause, before the lease ends", "[lease]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    io_threads io(1);
    client c(io.get_executor(), hasty({wire.endpoint()}));
    const auto granted = leases(c).grant(2s, 0, asio::use_future).get();
    keeping kept(io, c, granted);
    REQUIRE(becomes_true([&] { return renewals(etcd) >= 1; }));
    SECTION("revoked") {
        revoke_at(etcd, granted.id);
        CHECK(kept.loss() == errc::lease_revoked);
    }
    SECTION("nothing gets through") {
        wire.black_hole();
        const error why = kept.loss();
        CHECK(seconds_left(etcd, granted.id) >= 0);
        CHECK(why == errc::lease_unreachable);
        CHECK_FALSE(why.detail.empty());
    }
    SECTION("refused") {
        wire.refuse();
        const error why = kept.loss();
        CHECK(seconds_left(etcd, granted.id) >= 0);
        CHECK(why == errc::lease_unreachable);
    }
    SECTION("the process stood still") {
        std::promise<void> go_on;
        asio::post(io.get_executor(), [&] { go_on.get_future().wait(); });
        CHECK(becomes_true([&] { return seconds_left(etcd, granted.id) < 0; }));
        go_on.set_value();
        const error why = kept.loss();
        INFO(why.message());
        CHECK(why == errc::lease_expired);
    }
    SECTION("a gap that is shorter than its time") {
        const double before = renewals(etcd);
        for (int i = 0; i < 3; ++i) {
            wire.cut();
            const double now = renewals(etcd);
            const auto accepted = wire.accepted();
            CHECK(becomes_true([&] { return wire.accepted() > accepted; }));   // it tries
            wire.mend();
            CHECK(becomes_true([&] { return renewals(etcd) > now; }));
        }
        CHECK(renewals(etcd) >= before + 3);
        CHECK_FALSE(kept.lost());
        kept.cancel();
    }
}

TEST_CASE("lease: kept alive at another member when one dies or hangs", "[lease]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster cluster(binary, 3);
    io_threads io(1);
    client c(io.get_executor(), hasty(cluster.endpoints()));
    const auto granted = leases(c).grant(5s, 0, asio::use_future).get();
    keeping kept(io, c, granted);
    REQUIRE(becomes_true([&] { return renewals(cluster[0]) + renewals(cluster[1]) + renewals(cluster[2]) >= 1; }));
    SECTION("killed") { cluster[0].kill(); }
    SECTION("stopped") { cluster[0].pause(); }
    const auto others = [&] { return renewals(cluster[1]) + renewals(cluster[2]); };
    const double before = others();
    CHECK(becomes_true([&] { return kept.lost() || others() >= before + 3; }));
    CHECK_FALSE(kept.lost());
    CHECK(seconds_left(cluster[1], granted.id) >= 0);
    cluster[0].resume();
    kept.cancel();
}

TEST_CASE("lease: a registration is there until it is cancelled, and again after a loss", "[lease]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    io_threads io(1);
    client c(io.get_executor(), hasty({wire.endpoint()}));
    registration here(c, {{"/services/a/1", "x"}, {"/services/a/2", "y"}}, 2s);
    CHECK(here.lease() == 0);
    asio::cancellation_signal stop;
    std::promise<error> ended;
    asio::co_spawn(io.get_executor(), [](registration r) -> asio::awaitable<void> { co_await r.run(); }(here),
        asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr e) { ended.set_value(e ? to_error(e) : error()); }));
    const etcd_admin other(etcd);
    const auto keys = [&] { return other.read("/services/").size(); };
    REQUIRE(becomes_true([&] { return here.lease() != 0; }));
    CHECK(keys() == 2);
    CHECK(other.read("/services/").at("/services/a/2").value == "y");
    const lease_id first = here.lease();
    SECTION("revoked") {
        revoke_at(etcd, first);
        CHECK(keys() == 0);
    }
    SECTION("away for longer than the TTL") {
        wire.cut();
        CHECK(becomes_true([&] { return keys() == 0; }));
        CHECK(becomes_true([&] { return here.lease() == 0; }));
        wire.mend();
    }
    CHECK(becomes_true([&] { return here.lease() != 0 && here.lease() != first; }));
    CHECK(keys() == 2);
    asio::post(io.get_executor(), asio::use_future([&] { stop.emit(asio::cancellation_type::terminal); })).get();
    CHECK(ended.get_future().get() == asio::error::operation_aborted);
    CHECK(here.lease() == 0);
    CHECK(keys() == 0);
    CHECK(leases_at(etcd) == 0);
}
