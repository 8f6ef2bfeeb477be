// Sealed views: watches, mirrors, managers, and the keys of a provider.

#include "integration/manager_scene.hpp"
#include "integration/sealing_scene.hpp"
#include "support/scratch_dir.hpp"

#include <dynconf/dynconf.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>

using namespace dynconf;
using namespace dynconf::test;

namespace {

key_ring ring_two() { return key_ring("two", key_two()); }

/// Answers with what it is told to.
struct key_service {
    std::atomic<int> asked{0};
    std::atomic<bool> up{true};
    std::atomic<bool> silent{false};

    sealing_options options() {
        sealing_options o;
        o.provider = [this](std::string id) -> asio::awaitable<std::optional<sealing_key>> {
            ++asked;
            if (silent) {
                asio::steady_timer never(co_await asio::this_coro::executor, std::chrono::hours(1));
                co_await never.async_wait(asio::use_awaitable);
            }
            if (!up) throw std::runtime_error("no route to the vault");
            if (id == "two") co_return key_two();
            co_return std::nullopt;
        };
        return o;
    }
};

}  // namespace

TEST_CASE("sealing: a watch brings open values, previous ones too, and goes on past broken ones", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client safe = client(executor, hasty(etcd)).within("/w/").sealed(ring_one());
        kv store(safe);
        watch_options how;
        how.start_revision = admin.revision() + 1;
        how.prev_kv = true;
        watcher news(safe, key_range::all(), how);
        co_await store.put("a", "1");
        co_await store.put("a", "2");
        admin.put("/w/a", "in the clear");
        co_await store.put("a", "3");
        co_await store.delete_range(key_range::key("a"));
        const std::vector<event> all = co_await events_until(news, admin.revision());
        REQUIRE(all.size() == 5);
        CHECK(all[0].kv.value == "1");
        CHECK(all[1].kv.value == "2");
        CHECK(all[1].prev_kv->value == "1");
        CHECK(all[2].kv.unreadable == errc::not_sealed);
        CHECK(all[2].kv.value.empty());
        CHECK(all[2].prev_kv->value == "2");
        CHECK(all[3].kv.value == "3");
        CHECK(all[3].prev_kv->unreadable == errc::not_sealed);
        CHECK(all[4].type == event::kind::erase);
        CHECK(all[4].prev_kv->value == "3");
        CHECK_FALSE(all[4].kv.unreadable);

        mirror content(safe, key_range::all());
        co_await store.put("b", "4");
        admin.put("/w/c", "clear");
        const mirror_step first = co_await next_of(content, mirror_step::kind::snapshot);
        REQUIRE(first.content.size() == 2);
        CHECK(first.content[0].value == "4");
        CHECK(first.content[1].unreadable == errc::not_sealed);
        co_await store.put("c", "5");
        const std::vector<event> changes = co_await changes_until(content, admin.revision());
        CHECK(shown(changes) == strings{"put c=5 @" + std::to_string(admin.revision())});
    });
}

TEST_CASE("sealing: a provider is asked once for a key, and again after a failure", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    key_service vault;
    for (int i = 0; i < 50; ++i) {
        const std::string key = "/v/" + std::to_string(100 + i);
        admin.put(key, ring_two().seal(key, std::to_string(i)));
    }
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client whole(executor, hasty(etcd));
        const client safe = whole.sealed(ring_one(), vault.options());
        kv store(safe);
        vault.up = false;
        range_response all = co_await store.range(key_range::prefix("/v/"));
        REQUIRE(all.kvs.size() == 50);
        for (const key_value& kv : all.kvs) CHECK(kv.unreadable == errc::key_unavailable);
        CHECK(vault.asked == 1);
        vault.up = true;
        for (;;) {   // a failure is kept for a second
            all = co_await store.range(key_range::prefix("/v/"));
            if (!all.kvs[0].unreadable) break;
            co_await wait_for(20ms);
        }
        CHECK(all.kvs[49].value == "49");
        CHECK(vault.asked == 2);
        vault.up = false;   // the key is known by now
        const std::optional<key_value> one = co_await store.get("/v/107");
        CHECK(one->value == "7");
        CHECK(vault.asked == 2);
        vault.up = true;

        admin.put("/x", key_ring("three", sealing_key::generate()).seal("/x", "1"));
        for (int i = 0; i < 3; ++i) {
            const auto unknown = co_await outcome(store.get("/x"));
            CHECK(unknown.error().code == errc::unknown_key_id);
        }
        CHECK(vault.asked == 3);

        sealing_options no_time, no_room;
        no_time.key_timeout = 0ms;
        no_room.max_provided_keys = 0;
        CHECK_THROWS_AS(whole.sealed(ring_one(), no_time), std::invalid_argument);
        CHECK_THROWS_AS(whole.sealed(ring_one(), no_room), std::invalid_argument);

        // One that says nothing is given up, and the others' values come.
        sealing_options soon = vault.options();
        soon.key_timeout = 50ms;
        vault.silent = true;
        co_await store.put("/y", "mine");
        kv impatient(whole.sealed(ring_one(), soon));
        all = co_await impatient.range(key_range::prefix("/"));
        CHECK(all.kvs.front().unreadable == errc::key_unavailable);
        CHECK(all.kvs.back().value == "mine");
    });
}

TEST_CASE("sealing: a watch waits for the provider and loses nothing when its reader is cancelled", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const auto gate = std::make_shared<asio::steady_timer>(executor, std::chrono::hours(1));
        int asked = 0;
        sealing_options gated;
        gated.provider = [gate, &asked](std::string) -> asio::awaitable<std::optional<sealing_key>> {
            ++asked;
            co_await gate->async_wait(asio::as_tuple(asio::use_awaitable));
            co_return key_two();
        };
        const client safe = client(executor, hasty(etcd)).sealed(ring_one(), gated);
        watch_options how;
        how.start_revision = admin.revision() + 1;
        watcher news(safe, key_range::key("/k"), how);
        admin.put("/k", ring_two().seal("/k", "1"));

        asio::cancellation_signal stop;
        std::optional<error_code> ended;
        news.next(asio::bind_cancellation_slot(stop.slot(), [&ended](error_code ec, const watch_batch&) { ended = ec; }));
        while (asked == 0) co_await wait_for(1ms);
        stop.emit(asio::cancellation_type::terminal);
        while (!ended) co_await wait_for(1ms);
        CHECK(*ended == asio::error::operation_aborted);

        gate->cancel();
        const watch_batch batch = co_await news.next();
        REQUIRE(batch.events.size() == 1);
        CHECK(batch.events[0].kv.value == "1");
        CHECK(asked == 1);
    });
}

TEST_CASE("sealing: a mirror reads again what a failed provider left unreadable", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    key_service vault;
    vault.up = false;
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client safe = client(executor, hasty(etcd)).sealed(ring_one(), vault.options());
        admin.put("/k", ring_two().seal("/k", "1"));
        mirror content(safe, key_range::key("/k"));
        const mirror_step first = co_await next_of(content, mirror_step::kind::snapshot);
        CHECK(first.content.at(0).unreadable == errc::key_unavailable);
        vault.up = true;
        for (;;) {
            const mirror_step later = co_await next_of(content, mirror_step::kind::resync);
            CHECK(later.why == mirror_step::reason::key_missing);
            REQUIRE(later.events.size() == 1);
            if (later.events[0].kv.unreadable) continue;   // the failure is still kept
            CHECK(later.events[0].kv.value == "1");
            break;
        }

        // The same over a restart: another one that goes on from there.
        known_content known;
        known.revision = first.revision;
        known.cluster_id = first.cluster_id;
        known.kvs = first.content;
        mirror again(safe, {key_range::key("/k")}, known);
        const mirror_step later = co_await next_of(again, mirror_step::kind::resync);
        CHECK(later.why == mirror_step::reason::key_missing);
        CHECK(later.events.at(0).kv.value == "1");
    });
}

TEST_CASE("sealing: an unreadable setting is rejected and its last good value stays, over a restart, too", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    const scratch_dir dir;
    io_threads io(2);
    const client safe = client(io.get_executor(), hasty(etcd)).sealed(ring_one());
    const auto put = [&](const std::string& key, const std::string& value) { admin.put(key, ring_one().seal(key, value)); };
    put("/app/Host", "db1");
    put("/app/Port", "1000");
    manager_options how = quick();
    how.cache.path = dir.path() / "copy";
    {
        config_manager cfg(io.get_executor(), app_schema(), etcd_source(safe), how);
        std::promise<rejection> told;
        const subscription s = cfg.subscribe_rejections([&told, once = true](const rejection& r) mutable {
            if (std::exchange(once, false)) told.set_value(r);
        });
        const start_report report = started(cfg);
        CHECK(report.rejected.empty());
        CHECK(cfg.current().get<std::string>("host").value() == "db1");
        admin.put("/app/Host", "clear");
        const rejection r = told.get_future().get();
        CHECK(r.name == "host");
        CHECK(r.key == "/app/Host");
        CHECK(r.reason.code == errc::not_sealed);
        put("/app/Port", "2000");
        CHECK(becomes_true([&] { return cfg.current().get<int>("port").value() == 2000; }));
        CHECK(cfg.current().get<std::string>("host").value() == "db1");
        stopped(cfg);
    }
    {
        config_manager cfg(io.get_executor(), app_schema(), etcd_source(safe), how);
        const start_report report = started(cfg);
        CHECK(report.cache.used());
        REQUIRE(report.rejected.size() == 1);
        CHECK(report.rejected[0].reason.code == errc::not_sealed);
        CHECK(cfg.current().get<std::string>("host").value() == "db1");
        CHECK(cfg.current().get<int>("port").value() == 2000);
        put("/app/Host", "db2");
        CHECK(becomes_true([&] { return cfg.current().get<std::string>("host").value() == "db2"; }));
        stopped(cfg);
    }
}
