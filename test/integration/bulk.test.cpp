#include "integration/scene.hpp"

#include <dynconf/bulk.hpp>
#include <dynconf/range_reader.hpp>
#include <dynconf/search.hpp>

using namespace dynconf;
using namespace dynconf::test;

namespace {

std::vector<std::pair<std::string, std::string>> pairs(int n, std::size_t bytes = 8) {
    std::vector<std::pair<std::string, std::string>> all;
    for (int i = 0; i < n; ++i) all.emplace_back("k/" + std::to_string(1000 + i), std::string(bytes, static_cast<char>('a' + i % 26)));
    return all;
}

std::vector<std::string> keys_of(const std::vector<std::pair<std::string, std::string>>& all) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : all) keys.push_back(key);
    return keys;
}

}  // namespace

TEST_CASE("bulk: one transaction while it fits, else refused or in atomic parts", "[bulk]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        bulk whole(c);
        const auto small = pairs(128), many = pairs(300);
        bulk_response r = co_await whole.put(small);
        CHECK(r.complete());
        CHECK(r.atomic());
        for (const auto& [key, kv] : admin.read("k/")) CHECK(kv.mod_revision == r.parts.at(0).header.revision);
        auto refused = co_await outcome(whole.put(many));
        CHECK(refused.error().code == server_errc::too_many_ops);
        CHECK(admin.read("k/").size() == 128);

        bulk_options parts;
        parts.split = true;
        bulk split(c, parts);
        std::vector<std::size_t> told;
        const bulk_progress progress = [&](std::size_t done, std::size_t of) {
            CHECK(of == 300);
            told.push_back(done);
        };
        r = co_await split.put(many, {}, progress);
        CHECK(r.complete());
        CHECK_FALSE(r.atomic());
        CHECK(told == std::vector<std::size_t>{128, 256, 300});
        CHECK(r.parts[1].header.revision == r.parts[0].header.revision + 1);
        CHECK(admin.read("k/").size() == 300);

        std::vector<std::string> keys = keys_of(many);
        keys.insert(keys.begin() + 5, "missing");
        bulk_read_response read = co_await split.read(keys);
        REQUIRE(read.items.size() == 301);
        CHECK_FALSE(read.items[5]);
        CHECK(read.items[0]->key == keys[0]);
        CHECK(read.items[300]->key == keys[300]);
        CHECK(read.header.revision == r.parts[2].header.revision);

        r = co_await split.delete_keys(keys);
        CHECK(r.complete());
        CHECK(std::get<delete_response>(*r.response_to(5)).deleted == 0);
        CHECK(std::get<delete_response>(*r.response_to(300)).deleted == 1);
        CHECK(admin.read("k/").empty());
    });
}

TEST_CASE("bulk: a part that fails ends it, and each operation knows what became of it", "[bulk]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        bulk_options parts;
        parts.split = true;
        parts.max_ops = 2;
        bulk split(c, parts);
        put_options dead_lease;
        dead_lease.lease = 4711;
        std::vector<op> ops;
        for (int i = 0; i < 6; ++i) ops.push_back(op::put("k/" + std::to_string(i), "x", i == 3 ? dead_lease : put_options()));
        bulk_response r = co_await split.execute(ops);
        REQUIRE(r.parts.size() == 3);
        CHECK_FALSE(r.complete());
        CHECK(r.parts[0].state == write_state::executed);
        CHECK(r.parts[1].state == write_state::not_executed);
        CHECK(r.parts[1].why.code == server_errc::lease_not_found);
        CHECK(r.parts[2].state == write_state::not_executed);
        CHECK_FALSE(r.parts[2].why.code);
        CHECK(r.response_to(0) != nullptr);
        CHECK(r.response_to(2) == nullptr);
        CHECK(r.part_of(3).first == 2);
        CHECK_THROWS_AS(r.part_of(6), std::out_of_range);
        CHECK(admin.read("k/").size() == 2);
    });
}

TEST_CASE("bulk: the bytes of a transaction stay below what etcd takes", "[bulk]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        bulk_options parts;
        parts.split = true;
        bulk split(c, parts);
        const auto large = pairs(12, 300'000);
        bulk_response r = co_await split.put(large);
        CHECK(r.complete());
        CHECK(r.parts.size() == 4);
        CHECK(admin.read("k/").size() == 12);
    });
}

TEST_CASE("kv: a delete of everything has to be meant", "[bulk]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        kv store(c);
        admin.put("a", "1");
        admin.put("b", "2");
        const key_range everything = key_range::prefix("");
        auto refused = co_await outcome(store.delete_range(everything));
        CHECK(refused.error().code == errc::invalid_argument);
        const txn inner = txn().then(op::delete_range(everything));
        auto nested = co_await outcome(store.commit(txn().then(op::txn(inner))));
        CHECK(nested.error().code == errc::invalid_argument);
        bool there = co_await store.exists("a");
        CHECK(there);
        std::int64_t n = co_await store.count(everything);
        CHECK(n == 2);
        std::optional<key_value> one = co_await store.get("b");
        REQUIRE(one);
        CHECK(one->value == "2");
        delete_options meant;
        meant.everything = true;
        delete_response gone = co_await store.delete_range(everything, meant);
        CHECK(gone.deleted == 2);
        there = co_await store.exists("a");
        CHECK_FALSE(there);
        one = co_await store.get("b");
        CHECK_FALSE(one);
    });
}

TEST_CASE("range reader: all pages are of one revision, however much is written meanwhile", "[bulk]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options o = hasty(etcd);
        o.page_size = 7;
        client c(executor, o);
        bulk writes(c);
        const auto all = pairs(50);
        co_await writes.put(all);
        range_reader pages(c, key_range::prefix("k/"));
        std::vector<std::string> keys;
        std::size_t count = 0;
        for (;;) {
            std::optional<range_response> page = co_await pages.next();
            if (!page) break;
            ++count;
            CHECK(page->count == 50);
            for (const key_value& kv : page->kvs) keys.push_back(kv.key);
            admin.put("k/0000", "new");   // before all
            admin.put("k/2" + std::to_string(count), "new");   // behind all
        }
        CHECK(count == 8);
        CHECK(keys == keys_of(all));
        std::optional<range_response> after_the_end = co_await pages.next();
        CHECK_FALSE(after_the_end);
    });
}

TEST_CASE("search: by pattern over pages, and the past of a key", "[bulk]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options o = hasty(etcd);
        o.page_size = 9;
        client c(executor, o);
        bulk writes(c);
        co_await writes.put(pairs(100));
        search look(c);
        search_response found = co_await look.find(key_range::prefix("k/"), key_pattern::glob("*[05]"));
        CHECK(found.kvs.size() == 20);
        CHECK_FALSE(found.more);
        search_options some;
        some.limit = 3;
        some.keys_only = true;
        found = co_await look.find(key_range::all(), key_pattern::regex("9.$"), some);
        REQUIRE(found.kvs.size() == 3);
        CHECK(found.kvs[0].key == "k/1090");
        CHECK(found.kvs[0].value.empty());
        CHECK(found.more);

        const std::string hard = std::string(4000, 'a') + "b";
        admin.put(hard, "");
        found = co_await look.find(key_range::prefix("a"), key_pattern::regex("(a|aa)+$"));
        CHECK(found.kvs.empty());
        CHECK(found.undecided == std::vector<std::string>{hard});

        for (int i = 0; i < 5; ++i) admin.put("h", std::to_string(i));
        key_history past = co_await look.history("h");
        REQUIRE(past.versions.size() == 5);
        CHECK(past.complete);
        CHECK(past.versions.front().value == "4");
        CHECK(past.versions.back().value == "0");
        past = co_await look.history("h", 2);
        CHECK(past.versions.size() == 2);
        CHECK_FALSE(past.complete);
        admin.compact(past.versions[1].mod_revision);
        past = co_await look.history("h");
        CHECK(past.versions.size() == 2);
        CHECK_FALSE(past.complete);
        past = co_await look.history("never");
        CHECK(past.versions.empty());
        CHECK_FALSE(past.complete);   // not since the compaction, that is
    });
}

TEST_CASE("search: the history of a key goes on past its deletions, up to a compaction", "[bulk]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    const auto others = [&](int n) {
        for (int i = 0; i < n; ++i) admin.put("other", std::to_string(i));
    };
    strings expected;   // the newest first
    const auto add = [&](std::string what, revision_t at) { expected.insert(expected.begin(), what + "@" + std::to_string(at)); };
    add("first", admin.put("h", "first"));
    others(150);   // more than one request for what lies between
    add("second", admin.put("h", "second"));
    others(1);
    const revision_t first_end = admin.erase("h");
    add("-", first_end);
    others(200);
    const revision_t third = admin.put("h", "third");
    add("third", third);
    add("-", admin.erase("h"));
    add("fourth", admin.put("h", "fourth"));   // at once
    add("fifth", admin.put("h", "fifth"));
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        search look(c);
        const auto shown = [](const key_history& past) {
            strings all;
            for (const key_value& kv : past.versions) {
                CHECK(kv.key == "h");
                all.push_back((kv.version == 0 ? "-" : kv.value) + "@" + std::to_string(kv.mod_revision));
            }
            return all;
        };
        const auto last = [&](std::size_t n) { return strings(expected.end() - static_cast<std::ptrdiff_t>(n), expected.end()); };
        const auto newest = [&](std::size_t n) { return strings(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(n)); };
        key_history past = co_await look.history("h");
        CHECK(shown(past) == expected);
        CHECK(past.complete);
        past = co_await look.history("h", 3);
        CHECK(shown(past) == newest(3));
        CHECK_FALSE(past.complete);
        past = co_await look.history("never");
        CHECK(past.versions.empty());
        CHECK(past.complete);

        add("-", admin.erase("h"));
        others(300);
        past = co_await look.history("h");   // of a key that is gone
        CHECK(shown(past) == expected);
        CHECK(past.complete);
        CHECK(last(1) == strings{"first@2"});

        admin.compact(first_end - 1);
        past = co_await look.history("h");
        CHECK(shown(past) == newest(expected.size() - 1));   // its second version was there at the compaction
        CHECK_FALSE(past.complete);
        admin.compact(third);
        past = co_await look.history("h");
        CHECK(shown(past) == newest(5));
        CHECK_FALSE(past.complete);
        admin.compact(admin.revision());
        past = co_await look.history("h");
        CHECK(past.versions.empty());
        CHECK_FALSE(past.complete);
    });
}
