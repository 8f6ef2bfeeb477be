// Views of a prefix (client::within): what is done through one, seen from outside.

#include "integration/lease_scene.hpp"
#include "integration/manager_scene.hpp"
#include "support/etcdctl.hpp"
#include "support/scratch_dir.hpp"

#include <dynconf/dynconf.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <csignal>
#include <future>
#include <map>
#include <set>

using namespace dynconf;
using namespace dynconf::test;

namespace {

/// Keys right beside "/shop/", in the order of keys and in the eyes of people.
const std::vector<std::pair<std::string, std::string>> neighbours{
    {"/shop", "1"}, {"/shop.", "2"}, {"/shop0", "3"}, {"/shop00", "4"}, {"/shoo/a", "5"}, {"a", "6"}, {"\xff", "7"}, {std::string(1, '\0'), "8"}};

strings keys_of(const std::vector<key_value>& kvs) {
    strings keys;
    for (const key_value& kv : kvs) keys.push_back(kv.key);
    return keys;
}

delete_options all_of_them() {
    delete_options o;
    o.everything = true;
    o.prev_kv = true;
    return o;
}

}  // namespace

TEST_CASE("view: keys, ranges and transactions stay within the prefix", "[view]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put_all(neighbours);
    const etcd_admin::content before = admin.read("");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options small = hasty(etcd);
        small.page_size = 1;
        client whole(executor, small);
        const client shop = whole.within("/shop/");
        CHECK(shop.prefix() == "/shop/");
        CHECK(whole.prefix().empty());
        kv store(shop);

        co_await store.put("a", "1");
        co_await store.put("", "the prefix itself");
        co_await store.put("b/c", "2");
        co_await kv(shop.within("b/")).put("d", "3");
        CHECK(admin.read("/shop/a").at("/shop/a").value == "1");
        CHECK(admin.read("/shop/").at("/shop/").value == "the prefix itself");
        CHECK(admin.read("/shop/b/d").at("/shop/b/d").value == "3");

        const strings all{"", "a", "b/c", "b/d"};
        for (const key_range& every : {key_range::all(), key_range::prefix(""), key_range::from("")}) {
            range_response r = co_await store.range(every);
            CHECK(keys_of(r.kvs) == all);
            CHECK(r.count == 4);
            r = co_await store.range_pages(every);
            CHECK(keys_of(r.kvs) == all);
        }
        range_response r = co_await store.range(key_range::from("b"));
        CHECK(keys_of(r.kvs) == strings{"b/c", "b/d"});
        r = co_await store.range(key_range::interval("", "b"));
        CHECK(keys_of(r.kvs) == strings{"", "a"});
        r = co_await kv(shop.within("b/")).range(key_range::all());
        CHECK(keys_of(r.kvs) == strings{"c", "d"});
        std::optional<key_value> one = co_await store.get("");
        REQUIRE(one);
        CHECK(one->key.empty());
        const bool there = co_await store.exists("/shop/a");   // that is /shop//shop/a
        CHECK_FALSE(there);
        const std::int64_t n = co_await maintenance(shop).key_count(key_range::all());
        CHECK(n == 4);

        strings read;
        range_reader pages(shop, key_range::all());
        while (auto page = co_await pages.next())
            for (const key_value& kv : page->kvs) read.push_back(kv.key);
        CHECK(read == all);
        const search_response found = co_await search(shop).find(key_range::all(), key_pattern::glob("b/*"));
        CHECK(keys_of(found.kvs) == strings{"b/c", "b/d"});
        const key_history past = co_await search(shop).history("a");
        REQUIRE(past.versions.size() == 1);
        CHECK(past.versions[0].key == "a");

        txn what = txn().if_(version_of(key_range::prefix("b/")) > 0).if_(value_of("a") == "1").if_(version_of(key_range::from("c")) == 0);
        what.then(op::put("a", "10", {.prev_kv = true})).then(op::txn(txn().then(op::range(key_range::all()))));
        const txn_response done = co_await store.commit(what);
        REQUIRE(done.succeeded);
        CHECK(std::get<put_response>(done.responses.at(0)).prev_kv->key == "a");
        const auto& inner = std::get<txn_response>(done.responses.at(1));
        CHECK(keys_of(std::get<range_response>(inner.responses.at(0)).kvs) == all);

        auto refused = co_await outcome(store.delete_range(key_range::all()));
        CHECK(refused.error().code == errc::invalid_argument);
        refused = co_await outcome(store.delete_range(key_range::from("b"), all_of_them()));
        REQUIRE(refused);
        CHECK(keys_of(refused->prev_kvs) == strings{"b/c", "b/d"});
        const delete_response gone = co_await store.delete_range(key_range::all(), all_of_them());
        CHECK(keys_of(gone.prev_kvs) == strings{"", "a"});
        CHECK(gone.deleted == 2);
    });
    CHECK(admin.read("") == before);
}

TEST_CASE("view: the ready forms and the outcome of writes know the keys as the view does", "[view]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put_all(neighbours);
    const etcd_admin::content before = admin.read("");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client whole(executor, hasty(etcd));
        const client shop = whole.within("/shop/");

        conditional writes(shop);
        conditional_response c = co_await writes.create_if_absent("a", "1");
        CHECK(c);
        c = co_await writes.create_if_absent("a", "2");
        REQUIRE(c.current);
        CHECK(c.current->key == "a");
        const move_response moved = co_await writes.move_key("a", "b");
        CHECK(moved);
        CHECK(admin.read("/shop/b").size() == 1);
        const std::optional<key_value> updated = co_await update(shop, "b", [](const auto& kv) { return std::optional(kv->value + "!"); });
        CHECK(updated->key == "b");
        CHECK(admin.read("/shop/b").at("/shop/b").value == "1!");
        const auto never = [&](const std::optional<key_value>&) {
            admin.put("/shop/b", "theirs");
            return std::optional<std::string>("mine");
        };
        update_options once;
        once.max_tries = 1;
        const auto lost = co_await outcome(update(shop, "b", never, once));
        CHECK(lost.error().code == errc::contended);
        CHECK(lost.error().detail == "b");
        const stm_body copy = [](stm_view& view) -> asio::awaitable<void> {
            const std::optional<std::string> b = co_await view.get("b");
            view.put("copy", *b);
        };
        co_await stm(shop, copy);
        CHECK(admin.read("/shop/copy").at("/shop/copy").value == "theirs");

        const std::vector<std::pair<std::string, std::string>> two{{"", "empty"}, {"x", "1"}};
        const bulk_response put = co_await bulk(shop).put(two);
        CHECK(put.complete());
        const strings wanted{"x", "missing", ""};
        const bulk_read_response several = co_await bulk(shop).read(wanted);
        REQUIRE(several.items.size() == 3);
        CHECK(several.items[0]->key == "x");
        CHECK_FALSE(several.items[1]);
        CHECK(several.items[2]->value == "empty");

        outcome_resolver resolver(shop);
        const marker mark("markers/");
        const txn once_only = txn().then(op::put("marked", "1"));
        txn_response t = co_await resolver.commit(mark, once_only);
        CHECK(t.succeeded);
        CHECK(admin.read("/shop/" + mark.key()).size() == 1);
        const auto taken = co_await outcome(resolver.commit(mark, once_only));
        CHECK(taken.error().code == errc::marker_taken);
        CHECK(taken.error().detail == mark.key());
        const resolution known = co_await resolver.resolve(mark);
        CHECK(known.state == write_state::executed);
        co_await resolver.forget(mark);
        const std::optional<key_value> seen = co_await kv(shop).get("x");
        const guarded_put guarded(*seen, "2");
        t = co_await resolver.commit(guarded);
        CHECK(t.succeeded);
        const resolution proven = co_await resolver.resolve(guarded);
        CHECK(proven.state == write_state::executed);

        // A lease may have keys of several views.
        leases ls(shop);
        const leased_put_response leased = co_await ls.put_with_ttl("leased", "1", 60s);
        put_options with_lease;
        with_lease.lease = leased.lease.id;
        co_await kv(whole).put("/other/leased", "1", with_lease);
        lease_time_to_live_response left = co_await ls.time_to_live(leased.lease.id, true);
        CHECK(left.keys == strings{"leased"});
        left = co_await leases(whole).time_to_live(leased.lease.id, true);
        CHECK(left.keys.size() == 2);
        co_await ls.revoke(leased.lease.id);
        CHECK(admin.read("/shop/leased").empty());

        co_await kv(shop).delete_range(key_range::all(), all_of_them());
    });
    CHECK(admin.read("") == before);
}

TEST_CASE("view: a prefix of 0xff bytes is a view like any other", "[view]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client whole(executor, hasty(etcd));
        kv all(whole);
        const std::set<std::string> prefixes{"\xff", "\xff\xff", "0\xff", "0", std::string(1, '\0')};
        for (const std::string& prefix : prefixes) {
            const strings others{"0", "1", "\xfe", "\xff", "\xff\xfe", "\xff\xff\xff", std::string(1, '\0'), "\1", "0\xfe", "0\xff\xff"};
            for (const std::string& key : others) co_await all.put(key, "others");
            const client view = whole.within(prefix);
            kv store(view);
            for (const std::string& key : {std::string(), std::string("a"), std::string("\xff"), std::string(1, '\0')}) co_await store.put(key, "mine");
            std::set<std::string> inside{"", "a", "\xff", std::string(1, '\0')};
            std::size_t outside = 0;
            for (const std::string& key : others) {
                if (key.starts_with(prefix)) inside.insert(key.substr(prefix.size()));
                else ++outside;
            }
            const range_response mine = co_await store.range(key_range::all());
            CHECK(keys_of(mine.kvs) == strings(inside.begin(), inside.end()));
            const range_response after = co_await store.range(key_range::from("a"));
            CHECK(keys_of(after.kvs) == strings(inside.lower_bound("a"), inside.end()));
            const delete_response gone = co_await store.delete_range(key_range::prefix(""), all_of_them());
            CHECK(gone.deleted == static_cast<std::int64_t>(inside.size()));
            const std::int64_t left = co_await all.count(key_range::all());
            CHECK(left == static_cast<std::int64_t>(outside));
            co_await all.delete_range(key_range::all(), all_of_them());
        }
    });
}

TEST_CASE("view: watches, mirrors and observers see the view alone", "[view]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client whole(executor, hasty(etcd));
        const client shop = whole.within("/shop/");
        admin.put("/shop/a", "0");
        const revision_t begun = admin.put("/shop0", "0");

        watch_options from;
        from.start_revision = begun + 1;
        from.prev_kv = true;
        watcher everything(shop, key_range::all(), from), open(shop, key_range::from("b"), from), nested(shop.within("b"), key_range::key(""), from);
        const std::vector<key_range> ranges{key_range::key(""), key_range::from("a")};
        mirror content(shop, ranges);
        mirror_step first = co_await next_of(content, mirror_step::kind::snapshot);
        CHECK(keys_of(first.content) == strings{"a"});

        admin.put("/shop/a", "1");
        admin.put("/shop0", "1");
        admin.put("/shop", "1");
        admin.put("/shop/b", "1");
        admin.put("/shop/", "1");
        admin.put("\xff", "1");
        const revision_t last = admin.erase("/shop/a");

        const std::vector<event> seen = co_await events_until(everything, last);
        REQUIRE(seen.size() == 4);
        CHECK(shown(seen[0]) == "put a=1 @" + std::to_string(begun + 1));
        REQUIRE(seen[0].prev_kv);
        CHECK(seen[0].prev_kv->key == "a");
        CHECK(seen[0].prev_kv->value == "0");
        CHECK(shown(seen[1]) == "put b=1 @" + std::to_string(begun + 4));
        CHECK(shown(seen[2]) == "put =1 @" + std::to_string(begun + 5));
        CHECK(shown(seen[3]) == "delete a @" + std::to_string(last));
        CHECK(seen[3].prev_kv->key == "a");
        const std::vector<event> later = co_await events_until(open, begun + 4);
        CHECK(shown(later) == strings{"put b=1 @" + std::to_string(begun + 4)});
        const std::vector<event> one = co_await events_until(nested, begun + 4);
        CHECK(shown(one) == strings{"put =1 @" + std::to_string(begun + 4)});
        const std::vector<event> changes = co_await changes_until(content, last);
        CHECK(shown(changes) == shown(seen));

        // From what was known before, and by a list where the watch has lost its history.
        known_content known;
        known.revision = first.revision;
        known.cluster_id = first.cluster_id;
        known.kvs = first.content;
        mirror again(shop, ranges, known);
        const std::vector<event> missed = co_await changes_until(again, last);
        CHECK(shown(missed) == shown(seen));
        admin.compact(last);
        mirror late(shop, ranges, known);
        const mirror_step resync = co_await next_of(late, mirror_step::kind::resync);
        CHECK(shown(resync.events) == strings{"put =1 @" + std::to_string(begun + 5), "delete a @" + std::to_string(last), "put b=1 @" + std::to_string(begun + 4)});
    });
}

TEST_CASE("view: a mirror of a quiet view proves by the probes of a busy store that it is current", "[view]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/shop/a", "1");
    admin.put("/shop0/a", "1");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options often = hasty(etcd);
        often.max_staleness = 1s;
        client whole(executor, often);
        mirror content(whole.within("/shop/"), key_range::all());
        co_await next_of(content, mirror_step::kind::connected);
        for (int proofs = 0; proofs < 8; ++proofs) {
            admin.put("/shop0/a", std::to_string(proofs));
            const mirror_step step = co_await content.next();
            CHECK(step.what == mirror_step::kind::verified);
        }
        const revision_t moved = admin.put("/shop/a", "2");
        const std::vector<event> news = co_await changes_until(content, moved);
        CHECK(shown(news) == strings{"put a=2 @" + std::to_string(moved)});
    });
}

TEST_CASE("view: locks and elections are those of the whole name, for etcdctl too", "[view]") {
    FOR_EACH_ETCD(binary);
    REQUIRE_ETCDCTL(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    io_threads io(1);
    client whole(io.get_executor(), hasty(etcd));
    const client shop = whole.within("/shop/");
    mutex jobs(shop, "jobs");

    auto mine = jobs.lock(asio::use_future).get();
    CHECK(mine.key() == "jobs/" + hex(mine.lease()));
    CHECK(admin.read("/shop/jobs/").begin()->first == "/shop/" + mine.key());
    CHECK(jobs.holder(asio::use_future).get()->key == mine.key());
    CHECK(mutex(whole, "/shop/jobs").is_locked(asio::use_future).get());
    CHECK_FALSE(mutex(whole, "jobs").is_locked(asio::use_future).get());
    CHECK_FALSE(mutex(shop.within("jobs"), "jobs").is_locked(asio::use_future).get());

    // As guard it holds in every view.
    for (const client& c : {whole, shop, whole.within("/else/"), shop.within("deep/")}) {
        kv store(c);
        CHECK(store.commit(txn().if_(mine).then(op::put("guarded", "1")), asio::use_future).get().succeeded);
        CHECK_NOTHROW(store.guarded_by(mine).put("guarded", "2", {}, asio::use_future).get());
    }
    CHECK(admin.read("/shop/deep/guarded").at("/shop/deep/guarded").value == "2");

    child_process theirs(etcdctl_command(binary, etcd, {"lock", "/shop/jobs"}), {}, etcdctl_environment());
    REQUIRE(becomes_true([&] { return keys_at(etcd, "/shop/jobs/") == 2; }));
    CHECK(jobs.queue(asio::use_future).get().size() == 2);
    mine.unlock(asio::use_future).get();
    REQUIRE(becomes_true([&] {
        const auto holder = jobs.holder(asio::use_future).get();
        return holder && holder->key != mine.key();
    }));
    CHECK_FALSE(jobs.try_lock(asio::use_future).get());
    auto waiting = jobs.lock(asio::use_future);
    REQUIRE(becomes_true([&] { return keys_at(etcd, "/shop/jobs/") == 2; }));
    CHECK(waiting.wait_for(0s) != std::future_status::ready);
    theirs.signal(SIGINT);
    auto again = waiting.get();
    again.unlock(asio::use_future).get();

    election seats(shop, "seat");
    leader_observer observer(shop, "seat");
    CHECK_FALSE(observer.next(asio::use_future).get());
    auto leads = seats.campaign("ours", asio::use_future).get();
    auto news = observer.next(asio::use_future).get();
    REQUIRE(news);
    CHECK(news->key == leads.key());
    CHECK(has(etcdctl(binary, etcd, {"get", "--prefix", "/shop/seat/"}), "/shop/" + leads.key()));
    leads.proclaim("still ours", asio::use_future).get();
    CHECK(seats.leader(asio::use_future).get()->value == "still ours");
    CHECK(observer.next(asio::use_future).get()->value == "still ours");
    leads.resign(asio::use_future).get();
    CHECK(becomes_true([&] { return keys_at(etcd, "/shop/seat/") == 0 && leases_at(etcd) == 0; }));
}

TEST_CASE("view: a service registers below it", "[view]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    io_threads io(1);
    client whole(io.get_executor(), hasty(etcd));
    const registration::entries here{{"10.0.0.7:80", "{}"}, {"", "somebody is there"}};
    CHECK_THROWS_AS(registration(whole, here, 10s), std::invalid_argument);
    const registration service(whole.within("/services/"), here, 10s);
    asio::cancellation_signal stop;
    std::promise<error_code> ended;
    registration(service).run(asio::bind_cancellation_slot(stop.slot(), [&](error_code ec) { ended.set_value(ec); }));
    CHECK(becomes_true([&] { return service.lease() != 0; }));
    const etcd_admin::content published = admin.read("");
    CHECK(published.size() == 2);
    CHECK(published.at("/services/10.0.0.7:80").value == "{}");
    CHECK(published.at("/services/").value == "somebody is there");
    asio::post(io.get_executor(), [&] { stop.emit(asio::cancellation_type::terminal); });
    CHECK(ended.get_future().get() == asio::error::operation_aborted);
    CHECK(admin.read("").empty());
}

TEST_CASE("view: a manager of one knows the keys as it does, and no other view's copy on disk", "[view]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put_all({{"/one/app/Host", "one"}, {"/two/app/Host", "two"}, {"/app/Host", "none"}, {"/one/shared/Elsewhere", "there"}});
    const scratch_dir dir;
    io_threads io(1);
    client whole(io.get_executor(), hasty(etcd));
    const auto hosts = [&](const std::string& prefix, bool reachable) {
        manager_options how = quick();
        how.cache.path = dir.path() / "copy";
        if (!reachable) how.start_timeout = 200ms;
        config_manager cfg(io.get_executor(), app_schema(), etcd_source(whole.within(prefix)), how);
        const start_report report = started(cfg);
        const bool used = report.cache.used();
        if (reachable) CHECK(becomes_true([&] { return is_live(cfg); }));
        const std::string host = cfg.current().get<std::string>("host").value();
        stopped(cfg);
        return std::pair(used, host);
    };
    CHECK(hosts("/one", true) == std::pair(false, std::string("one")));
    CHECK(hosts("/one", true) == std::pair(true, std::string("one")));
    CHECK(hosts("/two", true) == std::pair(false, std::string("two")));
    etcd.kill();
    CHECK(hosts("/one", false) == std::pair(false, std::string("env-host")));
}
