#include "integration/lease_scene.hpp"

#include <dynconf/dynconf.hpp>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("kv: writes under a lock are executed as long as it is held, with all their options", "[kv]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        mutex jobs(c, "jobs");
        held_lock mine = co_await jobs.lock();
        kv store(c);
        guarded_kv mine_only = store.guarded_by(mine);

        const lease_grant_response lease = co_await leases(c).grant(60s);
        put_response put = co_await mine_only.put("a", "1", {.lease = lease.id});
        CHECK(put.header.revision == admin.read("a").at("a").mod_revision);
        CHECK(put.header.cluster_id != 0);
        CHECK_FALSE(put.prev_kv);
        put = co_await mine_only.put("a", "2", {.prev_kv = true, .ignore_lease = true});
        REQUIRE(put.prev_kv);
        CHECK(put.prev_kv->value == "1");
        CHECK(put.prev_kv->lease == lease.id);
        put = co_await mine_only.put("a", "", {.ignore_value = true});   // loses the lease
        std::optional<key_value> now = co_await store.get("a");
        CHECK(now->value == "2");
        CHECK(now->lease == 0);
        const auto missing = co_await outcome(mine_only.put("none", "1", {.ignore_lease = true}));
        CHECK(missing.error().code == server_errc::key_not_found);

        admin.put("b/1", "1");
        admin.put("b/2", "2");
        delete_options with_values;
        with_values.prev_kv = true;
        const delete_response gone = co_await mine_only.delete_range(key_range::prefix("b/"), with_values);
        CHECK(gone.deleted == 2);
        CHECK(gone.prev_kvs.size() == 2);
        CHECK(gone.header.revision == admin.revision());
        const auto all = co_await outcome(mine_only.delete_range(key_range::all()));
        CHECK(all.error().code == errc::invalid_argument);

        const txn what = txn().if_(value_of("a") == "2").then(op::put("x", "1")).else_(op::put("y", "1"));
        txn_response t = co_await mine_only.commit(what);
        CHECK(t.succeeded);
        CHECK(t.header.revision == admin.read("x").at("x").mod_revision);
        admin.put("a", "3");
        t = co_await mine_only.commit(what);   // its own condition does not hold; the lock is held
        CHECK_FALSE(t.succeeded);
        CHECK(admin.read("y").size() == 1);
        auto known = co_await mine_only.put("a", "4", {}, as_outcome);
        CHECK(known.executed());

        // Somebody else gets it, and this process does not know yet.
        revoke_at(etcd, mine.lease());
        const etcd_admin::content before = admin.read("");
        const auto refused = co_await outcome(mine_only.put("a", "5"));
        CHECK(refused.error().code == errc::not_held);
        CHECK(refused.error().detail.find(mine.key()) != std::string::npos);
        CHECK_FALSE(refused.error().in_doubt);
        const auto not_deleted = co_await outcome(mine_only.delete_range(key_range::key("a")));
        CHECK(not_deleted.error().code == errc::not_held);
        const auto not_committed = co_await outcome(mine_only.commit(what));
        CHECK(not_committed.error().code == errc::not_held);
        known = co_await mine_only.put("a", "5", {}, as_outcome);
        CHECK(known.not_executed());
        CHECK(admin.read("") == before);

        held_lock next = co_await jobs.lock();
        const auto still = co_await outcome(mine_only.put("a", "5"));   // the new holder's key is another
        CHECK(still.error().code == errc::not_held);
        co_await store.guarded_by(next).put("a", "6");
        CHECK(admin.read("a").at("a").value == "6");
        co_await next.unlock();
        CHECK_THROWS_AS(store.guarded_by(held_lock()), std::invalid_argument);
    });
}
