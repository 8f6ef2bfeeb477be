// with_timeout of the facets that do more than one call.

#include "integration/lease_scene.hpp"
#include "support/etcdctl.hpp"

#include <dynconf/dynconf.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <future>

using namespace dynconf;
using namespace dynconf::test;

namespace {

/// One that waits for ever by itself.
client_options patient(const etcd_process& etcd) {
    client_options options = hasty(etcd);
    options.request_timeout = 60s;
    options.total_timeout = 60s;
    return options;
}

bool late(const error& e) { return e.code == errc::deadline_exceeded; }
template <class T>
bool late(const result<T>& r) { return !r && late(r.error()); }

}  // namespace

TEST_CASE("timeout: every operation of a facet ends by it", "[timeout]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("k", "v");
    admin.put("pages/1", "");
    admin.put("pages/2", "");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, patient(etcd));
        leases ls(c);
        const lease_grant_response lease = co_await ls.grant(60s);
        const std::optional<key_value> seen = co_await kv(c).get("k");
        client_options one_by_one = patient(etcd);
        one_by_one.page_size = 1;
        range_reader pages(client(executor, one_by_one), key_range::prefix("pages/"));
        const auto first_page = co_await pages.next();
        CHECK((first_page && first_page->kvs.at(0).key == "pages/1"));
        mutex jobs(c, "jobs");
        held_lock mine = co_await jobs.with_timeout(100ms).lock();
        leadership leads = co_await election(c, "seat").with_timeout(100ms).campaign("me");

        etcd.pause();
        const leases brief = ls.with_timeout(100ms);
        leases of_them = brief;
        const auto granted = co_await outcome(of_them.grant(60s, 7));
        CHECK(late(granted));
        const error revoked = co_await failure(of_them.revoke(lease.id));
        CHECK(late(revoked));
        const auto left = co_await outcome(of_them.time_to_live(lease.id));
        CHECK(late(left));
        const auto list = co_await outcome(of_them.list());
        CHECK(late(list));
        const auto leased = co_await outcome(of_them.put_with_ttl("x", "1", 60s));
        CHECK(late(leased));
        const auto kept = co_await outcome(of_them.keep_alive_once(lease.id));
        CHECK(late(kept));
        const error unknown = co_await failure(of_them.keep_alive(lease.id));   // how long it lives could not be asked
        CHECK(unknown.code == errc::lease_unreachable);

        const auto page = co_await outcome(pages.with_timeout(100ms).next());
        CHECK(late(page));
        outcome_resolver resolver(c);
        const marker mark("markers/");
        const guarded_put guarded(*seen, "2");
        const auto marked = co_await outcome(resolver.with_timeout(100ms).commit(mark, txn()));
        CHECK(late(marked));
        CHECK(marked.error().in_doubt);
        const auto resolved = co_await outcome(resolver.with_timeout(100ms).resolve(guarded));
        CHECK(late(resolved));
        const auto queue = co_await outcome(jobs.with_timeout(100ms).queue());
        CHECK(late(queue));
        const auto leader = co_await outcome(election(c, "seat").with_timeout(100ms).leader());
        CHECK(late(leader));
        const auto guarded_by_lock = co_await outcome(kv(c).with_timeout(100ms).guarded_by(mine).put("k", "3"));
        CHECK(late(guarded_by_lock));
        const error proclaimed = co_await failure(leads.proclaim("too late"));   // what was given to the campaign goes on
        CHECK(late(proclaimed));
        const error unlocked = co_await failure(mine.unlock());
        CHECK(late(unlocked));
        update_options soon;
        soon.timeout = 100ms;
        const auto updated = co_await outcome(update(c, "k", [](const auto& kv) { return std::optional(kv->value); }, soon));
        CHECK(late(updated));
        stm_options soon_too;
        soon_too.timeout = 100ms;
        const stm_body reads = [](stm_view& view) -> asio::awaitable<void> { co_await view.get("k"); };
        const auto transaction = co_await outcome(stm(c, reads, soon_too));
        CHECK(late(transaction));

        etcd.resume();
        const auto second_page = co_await pages.next();   // the reader is where it was
        CHECK((second_page && second_page->kvs.at(0).key == "pages/2"));
        co_await mine.unlock();
        co_await leads.resign();
    }, 60s);
}

TEST_CASE("timeout: it bounds the calls of what waits, and not the wait", "[timeout]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    io_threads io(1);
    client c(io.get_executor(), patient(etcd));
    constexpr auto limit = 500ms;

    mutex jobs(c, "jobs");
    auto first = jobs.lock(asio::use_future).get();
    const auto begun = std::chrono::steady_clock::now();
    auto second = jobs.with_timeout(limit).lock(asio::use_future);
    registration here(c, {{"here", "1"}}, 60s);
    asio::cancellation_signal stop;
    std::promise<error_code> ended;
    here.with_timeout(limit).run(asio::bind_cancellation_slot(stop.slot(), [&](error_code ec) { ended.set_value(ec); }));
    auto lease = leases(c).grant(60s, 0, asio::use_future).get();
    auto kept = leases(c).with_timeout(limit).keep_alive(lease, asio::use_future);
    REQUIRE(becomes_true([&] { return keys_at(etcd, "jobs/") == 2 && keys_at(etcd, "here") == 1; }));
    REQUIRE(becomes_true([&] { return std::chrono::steady_clock::now() > begun + 2 * limit; }));
    CHECK(here.lease() != 0);
    CHECK(second.wait_for(0s) != std::future_status::ready);
    CHECK(kept.wait_for(0s) != std::future_status::ready);
    first.unlock(asio::use_future).get();
    REQUIRE(second.wait_for(20s) == std::future_status::ready);
    auto held = second.get();
    CHECK(held.valid());
    held.unlock(asio::use_future).get();
    revoke_at(etcd, lease.id);

    asio::post(io.get_executor(), [&] { stop.emit(asio::cancellation_type::terminal); });
    CHECK(ended.get_future().get() == asio::error::operation_aborted);
    CHECK(keys_at(etcd, "here") == 0);
}

TEST_CASE("timeout: a registration whose calls get no answer is tried again", "[timeout]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    io_threads io(1);
    client c(io.get_executor(), patient(etcd));
    etcd.pause();
    registration here(c, {{"here", "1"}}, 60s);
    asio::cancellation_signal stop;
    std::promise<error_code> ended;
    const auto begun = std::chrono::steady_clock::now();
    here.with_timeout(100ms).run(asio::bind_cancellation_slot(stop.slot(), [&](error_code ec) { ended.set_value(ec); }));
    REQUIRE(becomes_true([&] { return std::chrono::steady_clock::now() > begun + 300ms; }));
    CHECK(here.lease() == 0);
    etcd.resume();
    CHECK(becomes_true([&] { return here.lease() != 0; }, 20s));   // without the timeout the first call would wait for a minute
    asio::post(io.get_executor(), [&] { stop.emit(asio::cancellation_type::terminal); });
    CHECK(ended.get_future().get() == asio::error::operation_aborted);
}
