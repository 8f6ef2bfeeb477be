// Sealed views (client::sealed): what is read and written through one, seen from outside.

#include "integration/lease_scene.hpp"
#include "integration/sealing_scene.hpp"

#include <dynconf/dynconf.hpp>

#include <boost/asio/use_future.hpp>

#include <future>
#include <map>
#include <random>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("sealing: values go out sealed and come in open, keys and neighbours stay as they are", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put_all({{"/app", "1"}, {"/app0", "2"}, {"/apq", "3"}});
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client whole(executor, hasty(etcd));
        const client safe = whole.within("/app/").sealed(ring_one());
        kv store(safe);
        kv same(whole.sealed(ring_one()).within("/app/"));   // in the other order
        kv plain(whole);

        const lease_grant_response lease = co_await leases(whole).grant(60s);
        co_await store.put("password", "hunter2", {.lease = lease.id});
        CHECK(holds_sealed(admin, "/app/password", "hunter2"));
        CHECK(bytes_at(admin, "/app/password").find("hunter2") == std::string::npos);
        std::optional<key_value> got = co_await store.get("password");
        REQUIRE(got);
        CHECK(got->key == "password");
        CHECK(got->value == "hunter2");
        CHECK(got->lease == lease.id);
        CHECK_FALSE(got->unreadable);
        got = co_await same.get("password");
        CHECK(got->value == "hunter2");
        got = co_await plain.get("/app/password");
        CHECK(is_sealed(got->value));

        // Previous values, options, histories, keys without values.
        put_response put = co_await store.put("password", "hunter3", {.prev_kv = true, .ignore_lease = true});
        REQUIRE(put.prev_kv);
        CHECK(put.prev_kv->value == "hunter2");
        put = co_await store.put("password", "", {.prev_kv = true, .ignore_value = true});
        CHECK(put.prev_kv->value == "hunter3");
        CHECK(holds_sealed(admin, "/app/password", "hunter3"));
        co_await store.put("empty", "");
        CHECK(holds_sealed(admin, "/app/empty", ""));
        range_response r = co_await store.range(key_range::all());
        REQUIRE(r.kvs.size() == 2);
        CHECK(r.kvs[0].value.empty());
        CHECK(r.kvs[1].value == "hunter3");
        CHECK_FALSE(r.kvs[0].unreadable);
        range_options names;
        names.keys_only = true;
        r = co_await store.range(key_range::all(), names);
        REQUIRE(r.kvs.size() == 2);
        CHECK_FALSE(r.kvs[1].unreadable);
        const key_history past = co_await search(safe).history("password");
        REQUIRE(past.versions.size() == 3);
        CHECK(past.versions[0].value == "hunter3");
        CHECK(past.versions[2].value == "hunter2");

        // Transactions, one within another, and deletes.
        const txn what = txn()
            .if_(version_of("empty") == 1)
            .then(op::put("a", "1", {.prev_kv = true})).then(op::range(key_range::key("password")))
            .then(op::txn(txn().then(op::put("b", "2")).then(op::range(key_range::all(), names)).then(op::range(key_range::key("a")))));
        const txn_response done = co_await store.commit(what);
        REQUIRE(done.succeeded);
        CHECK(std::get<range_response>(done.responses.at(1)).kvs.at(0).value == "hunter3");
        const auto& inner = std::get<txn_response>(done.responses.at(2));
        CHECK_FALSE(std::get<range_response>(inner.responses.at(1)).kvs.at(0).unreadable);
        CHECK(std::get<range_response>(inner.responses.at(2)).kvs.at(0).value == "1");
        CHECK(holds_sealed(admin, "/app/a", "1"));
        CHECK(holds_sealed(admin, "/app/b", "2"));
        delete_options with_values;
        with_values.prev_kv = true;
        const delete_response gone = co_await store.delete_range(key_range::key("a"), with_values);
        REQUIRE(gone.prev_kvs.size() == 1);
        CHECK(gone.prev_kvs[0].value == "1");

        range_options by_value;
        by_value.order = sort_order::ascend;
        by_value.target = sort_target::value;
        const auto sorted = co_await outcome(store.range(key_range::all(), by_value));
        CHECK(sorted.error().code == errc::invalid_argument);
        const auto within = co_await outcome(store.commit(txn().then(op::range(key_range::all(), by_value))));
        CHECK(within.error().code == errc::invalid_argument);
    });
    CHECK(admin.read("/app").at("/app").value == "1");
    CHECK(bytes_at(admin, "/app0") == "2");
    CHECK(bytes_at(admin, "/apq") == "3");
}

TEST_CASE("sealing: bulk, election, guarded writes, stm and markers", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client safe = client(executor, hasty(etcd)).sealed(ring_one());
        kv store(safe);

        std::vector<std::pair<std::string, std::string>> pairs;
        for (int i = 0; i < 300; ++i) pairs.emplace_back("/bulk/" + std::to_string(1000 + i), std::to_string(i));
        bulk_options split;
        split.split = true;
        const bulk_response written = co_await bulk(safe, split).put(pairs);
        CHECK(written.complete());
        CHECK(holds_sealed(admin, "/bulk/1299", "299"));
        std::vector<std::string> keys{"/bulk/1299", "/bulk/none", "/bulk/1000"};
        const bulk_read_response read = co_await bulk(safe).read(keys);
        CHECK(read.items.at(0)->value == "299");
        CHECK_FALSE(read.items.at(1));
        CHECK(read.items.at(2)->value == "0");
        // What a seal adds counts for the size of a transaction.
        bulk_options small;
        small.max_bytes = 400;
        pairs.assign(1, {"k", std::string(340, 'x')});
        const auto large = co_await outcome(bulk(safe, small).put(pairs));
        CHECK(large.error().code == server_errc::request_too_large);

        leadership leader = co_await election(safe, "/lead").campaign("node-1");
        CHECK(holds_sealed(admin, leader.key(), "node-1"));
        std::optional<key_value> head = co_await election(safe, "/lead").leader();
        CHECK(head->value == "node-1");
        co_await leader.proclaim("node-1b");
        head = co_await election(safe, "/lead").leader();
        CHECK(head->value == "node-1b");

        guarded_kv mine = store.guarded_by(leader);
        co_await mine.put("/g", "1");
        CHECK(holds_sealed(admin, "/g", "1"));
        txn_response t = co_await mine.commit(txn().if_(value_of("/g") == "1").then(op::put("/g", "2")));
        CHECK(t.succeeded);
        CHECK(holds_sealed(admin, "/g", "2"));
        t = co_await mine.commit(txn().if_(value_of("/g") == "1").then(op::put("/g", "3")));
        CHECK_FALSE(t.succeeded);
        co_await leader.resign();
        const auto late = co_await outcome(mine.commit(txn().if_(value_of("/g") == "2").then(op::put("/g", "4"))));
        CHECK(late.error().code == errc::not_held);
        CHECK(holds_sealed(admin, "/g", "2"));

        co_await stm(safe, [](stm_view& v) -> asio::awaitable<void> {
            const std::optional<std::string> seen = co_await v.get("/g");
            v.put("/h", *seen + "!");
        });
        CHECK(holds_sealed(admin, "/h", "2!"));

        // A marked write, resolved and forgotten: that compares the marker's value.
        outcome_resolver resolver(safe);
        const marker by("/markers/", 0);
        co_await resolver.commit(by, txn().then(op::put("/m", "1")));
        CHECK(holds_sealed(admin, "/m", "1"));
        const resolution found = co_await resolver.resolve(by);
        CHECK(found.state == write_state::executed);
        co_await resolver.forget(by);
        CHECK(admin.read("/markers/").empty());
    });
}

TEST_CASE("sealing: conditions on values, and a key that moves", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client safe = client(executor, hasty(etcd)).within("/c/").sealed(ring_one());
        kv store(safe);
        conditional writes(safe);

        conditional_response done = co_await writes.create_if_absent("a", "1");
        CHECK(done.succeeded);
        done = co_await writes.compare_and_swap("a", "0", "2");
        CHECK_FALSE(done.succeeded);
        REQUIRE(done.current);
        CHECK(done.current->value == "1");
        done = co_await writes.compare_and_swap("a", "1", "2");
        CHECK(done.succeeded);
        CHECK(done.header.revision == admin.read("/c/a").at("/c/a").mod_revision);
        CHECK(holds_sealed(admin, "/c/a", "2"));
        done = co_await writes.compare_and_swap("none", "", "2");   // a key that does not exist has no value
        CHECK_FALSE(done.succeeded);
        CHECK_FALSE(done.current);

        co_await store.put("b", "5");
        txn_response t = co_await store.commit(txn().if_(value_of("a") < "3").if_(value_of("b") > "3").if_(version_of("a") == 2).then(op::put("b", "6")));
        CHECK(t.succeeded);
        t = co_await store.commit(txn().if_(value_of(key_range::all()) > "3").then(op::put("x", "1")).else_(op::range(key_range::key("a"))));
        CHECK_FALSE(t.succeeded);
        CHECK(std::get<range_response>(t.responses.at(0)).kvs.at(0).value == "2");
        t = co_await store.commit(txn().if_(value_of(key_range::prefix("")) < "7"));   // only compares
        CHECK(t.succeeded);
        CHECK(t.responses.empty());
        t = co_await store.commit(txn().if_(value_of("a") == "9").then(op::txn(txn())).else_(op::txn(
            txn().if_(value_of("b") == "6").then(op::put("deep", "1")).else_(op::put("deep", "0")))));
        CHECK_FALSE(t.succeeded);
        CHECK(std::get<txn_response>(t.responses.at(0)).succeeded);
        CHECK(holds_sealed(admin, "/c/deep", "1"));

        const lease_grant_response lease = co_await leases(safe).grant(60s);
        co_await store.put("old", "moves", {.lease = lease.id});
        const move_response moved = co_await writes.move_key("old", "new");
        CHECK(moved.what == move_response::result::moved);
        CHECK(bytes_at(admin, "/c/old").empty());
        CHECK(holds_sealed(admin, "/c/new", "moves"));
        const std::optional<key_value> there = co_await store.get("new");
        CHECK(there->lease == lease.id);

        const std::optional<key_value> now = co_await update(safe, "new", [](const std::optional<key_value>& before) {
            return std::optional(before->value + "!");
        });
        CHECK(now->value == "moves!");
        CHECK(holds_sealed(admin, "/c/new", "moves!"));
    });
}

TEST_CASE("sealing: compare_and_swap under contention loses and doubles nothing", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    constexpr int writers = 4, each = 25;
    io_threads io(2);
    const client safe = client(io.get_executor(), hasty(etcd)).sealed(ring_one());
    kv(safe).put("/n", "0", {}, asio::use_future).get();
    // Each says a number that nobody else says: who swaps by a value that was there before takes it from another.
    const auto count = [&](int self) -> asio::awaitable<int> {
        conditional writes(safe);
        kv store(safe);
        int lost = 0;
        for (int n = 0; n < each;) {
            const std::optional<key_value> before = co_await store.get("/n");
            const int value = std::stoi(before->value);
            const auto done = co_await outcome(writes.compare_and_swap("/n", before->value, std::to_string(value + 1)));
            if (!done && done.error().code != errc::contended) throw exception(done.error());
            if (done && done->succeeded) {
                ++n;
                co_await store.put("/by/" + std::to_string(value + 1), std::to_string(self));
            } else {
                ++lost;
            }
        }
        co_return lost;
    };
    std::vector<std::future<int>> all;
    for (int self = 0; self < writers; ++self) all.push_back(asio::co_spawn(io.get_executor(), count(self), asio::use_future));
    int lost = 0;
    for (auto& one : all) lost += one.get();
    CHECK(lost > 0);   // else there was no contention
    CHECK(holds_sealed(admin, "/n", std::to_string(writers * each)));
    CHECK(admin.read("/by/").size() == writers * each);   // every number was reached once
}

TEST_CASE("sealing: what cannot be opened is an error of that item", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    const std::string sealed = ring_one().seal("/k/moved", "1");
    std::string bent = ring_one().seal("/k/bent", "1");
    bent.back() = static_cast<char>(bent.back() ^ 1);
    std::string later = ring_one().seal("/k/later", "1");
    later[3] = 9;
    const std::vector<std::pair<std::string, error_code>> broken{
        {"/k/bent", errc::seal_broken}, {"/k/clear", errc::not_sealed}, {"/k/elsewhere", errc::seal_broken},
        {"/k/later", errc::unsupported_seal}, {"/k/two", errc::unknown_key_id}};
    admin.put_all({{"/k/a", ring_one().seal("/k/a", "first")}, {"/k/bent", bent}, {"/k/clear", "1"}, {"/k/elsewhere", sealed}, {"/k/later", later},
                   {"/k/two", key_ring("two", key_two()).seal("/k/two", "1")}, {"/k/z", ring_one().seal("/k/z", "last")}});
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options how = hasty(etcd);
        std::vector<std::string> logged;
        how.log = [&logged](const log_record& r) {
            if (r.event == "value_unreadable") logged.push_back(r.text);
        };
        const client safe = client(executor, how).within("/k/").sealed(ring_one());
        kv store(safe);
        const range_response all = co_await store.range(key_range::all());
        REQUIRE(all.kvs.size() == 7);
        CHECK(all.kvs.front().value == "first");
        CHECK(all.kvs.back().value == "last");
        for (std::size_t i = 0; i < broken.size(); ++i) {
            const key_value& kv = all.kvs[i + 1];
            CAPTURE(kv.key);
            CHECK("/k/" + kv.key == broken[i].first);
            CHECK(kv.unreadable == broken[i].second);
            CHECK(kv.value.empty());
            CHECK(kv.mod_revision != 0);
        }
        CHECK_FALSE(logged.empty());
        for (const auto& [key, why] : broken) {
            const std::string name = key.substr(3);
            CAPTURE(name);
            const auto got = co_await outcome(store.get(name));
            CHECK(got.error().code == why);
            CHECK(got.error().detail.find(name) != std::string::npos);
            const auto swapped = co_await outcome(conditional(safe).compare_and_swap(name, "1", "2"));
            CHECK(swapped.error().code == why);
            CHECK_FALSE(swapped.error().in_doubt);
            const auto moved = co_await outcome(conditional(safe).move_key(name, "x"));
            CHECK(moved.error().code == why);
            const auto changed = co_await outcome(update(safe, name, [](const auto&) { return std::optional<std::string>("2"); }));
            CHECK(changed.error().code == why);
            const error read = co_await failure([](client c, std::string key_) -> asio::awaitable<void> {
                co_await stm(c, [&key_](stm_view& v) -> asio::awaitable<void> { co_await v.get(key_); });
            }(safe, name));
            CHECK(read.code == why);
        }
        // The writes that do not need the old value repair it.
        co_await store.put("bent", "whole");
        const std::optional<key_value> repaired = co_await store.get("bent");
        CHECK(repaired->value == "whole");
    });
}

TEST_CASE("sealing: clear values are accepted or migrated where that is wanted", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put_all({{"/m/a", "1"}, {"/m/b", ""}, {"/m/c", ring_one().seal("/m/c", "3")}});
    const auto before = admin.read("/m/");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client whole(executor, hasty(etcd));
        sealing_options accept;
        accept.unsealed = unsealed_policy::accept;
        range_response all = co_await kv(whole.sealed(ring_one(), accept)).range(key_range::prefix("/m/"));
        CHECK(all.kvs[0].value == "1");
        CHECK(all.kvs[1].value.empty());
        CHECK_FALSE(all.kvs[1].unreadable);
        CHECK(all.kvs[2].value == "3");
        CHECK(admin.read("/m/") == before);

        const lease_grant_response lease = co_await leases(whole).grant(60s);
        co_await kv(whole).put("/m/a", "1", {.lease = lease.id});
        sealing_options migrate;
        migrate.unsealed = unsealed_policy::migrate;
        const client safe = whole.sealed(ring_one(), migrate).within("/m/");
        range_options names;
        names.keys_only = true;
        all = co_await kv(safe).range(key_range::all(), names);
        all = co_await kv(safe).range(key_range::all());
        CHECK(all.kvs[0].value == "1");
        all = co_await kv(safe).range(key_range::all());   // twice: each is written once all the same
    });
    // run() ends only when all is done.
    CHECK(holds_sealed(admin, "/m/a", "1"));
    CHECK(holds_sealed(admin, "/m/b", ""));
    CHECK(admin.read("/m/").at("/m/c") == before.at("/m/c"));
    CHECK(admin.revision() == before.at("/m/c").mod_revision + 3);
    CHECK(admin.call("/v3/kv/range", R"({"key":"L20vYQ=="})").find("\"lease\"") != std::string::npos);
}

TEST_CASE("sealing: random keys and values through a view are what was put", "[sealing]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    const auto seed = std::random_device()();
    INFO("seed " << seed);
    std::mt19937 chance(seed);
    const auto bytes = [&chance](std::size_t most) {
        std::string out(chance() % (most + 1), '\0');
        for (char& c : out) c = static_cast<char>(chance());
        return out;
    };
    std::map<std::string, std::string> model;
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options how = hasty(etcd);
        how.page_size = 7;
        kv store(client(executor, how).within("p/").sealed(ring_one()));
        for (int i = 0; i < 150; ++i) {
            const std::string key = bytes(6);
            const std::string value = bytes(i % 10 == 0 ? 20'000 : 30);
            if (chance() % 4 == 0) {
                co_await store.delete_range(key_range::key(key));
                model.erase(key);
            } else {
                co_await store.put(key, value);
                model[key] = value;
            }
        }
        const range_response all = co_await store.range_pages(key_range::all());
        std::map<std::string, std::string> read;
        for (const key_value& kv : all.kvs) read[kv.key] = kv.value;
        CHECK(read == model);
    }, 60s);
    for (const auto& [key, value] : model) CHECK(holds_sealed(admin, "p/" + key, value));
}
