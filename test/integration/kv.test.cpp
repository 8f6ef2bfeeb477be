#include "integration/scene.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <variant>

using namespace dynconf;
using namespace dynconf::test;

namespace {

std::string every_byte() {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
}

}  // namespace

TEST_CASE("kv: bytes go in and come out as they are", "[kv]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        kv store(c);
        const std::string bytes = every_byte();
        const std::string key = "k/" + bytes;

        const put_response first = co_await store.put(key, bytes);
        CHECK(first.header.revision == 2);
        CHECK_FALSE(first.prev_kv);
        CHECK(other.read("k/").at(key).value == bytes);

        put_options with_previous;
        with_previous.prev_kv = true;
        const put_response second = co_await store.put(key, "", with_previous);
        REQUIRE(second.prev_kv);
        CHECK(second.prev_kv->value == bytes);

        const range_response empty_value = co_await store.range(key_range::key(key));
        REQUIRE(empty_value.kvs.size() == 1);
        CHECK(empty_value.kvs[0].key == key);
        CHECK(empty_value.kvs[0].value.empty());
        CHECK(empty_value.kvs[0].create_revision == 2);
        CHECK(empty_value.kvs[0].mod_revision == 3);
        CHECK(empty_value.kvs[0].version == 2);
        CHECK(empty_value.count == 1);

        range_options back;
        back.revision = 2;
        const range_response earlier = co_await store.range(key_range::key(key), back);
        REQUIRE(earlier.kvs.size() == 1);
        CHECK(earlier.kvs[0].value == bytes);

        const range_response missing = co_await store.range(key_range::key("nowhere"));
        CHECK(missing.kvs.empty());
        CHECK(missing.count == 0);
        CHECK(missing.header.revision == 3);

        const std::string zero(1, '\0');
        co_await store.put(zero, "zero");
        co_await store.put("\xFF\xFF", "ff");
        const range_response ff = co_await store.range(key_range::prefix("\xFF"));
        REQUIRE(ff.kvs.size() == 1);
        const range_response everything = co_await store.range(key_range::all());
        CHECK(everything.kvs.size() == 3);
        CHECK(everything.kvs[0].key == zero);

        delete_options what_was;
        what_was.prev_kv = true;
        const delete_response gone = co_await store.delete_range(key_range::prefix("k/"), what_was);
        CHECK(gone.deleted == 1);
        REQUIRE(gone.prev_kvs.size() == 1);
        CHECK(gone.prev_kvs[0].key == key);
        const delete_response nothing = co_await store.delete_range(key_range::prefix("k/"));
        CHECK(nothing.deleted == 0);
        CHECK(other.read("k/").empty());
    });
}

TEST_CASE("kv: a transaction is executed whole, by its condition", "[kv]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        kv store(c);
        const std::string bytes = every_byte();

        txn claim;
        claim.if_(version_of("leader") == 0)
            .then(op::put("leader", bytes))
            .then(op::put("since", ""))
            .else_(op::range(key_range::key("leader")));
        const txn_response won = co_await store.commit(claim);
        CHECK(won.succeeded);
        REQUIRE(won.responses.size() == 2);
        CHECK(std::holds_alternative<put_response>(won.responses[0]));
        const auto content = other.read("");
        CHECK(content.at("leader").mod_revision == content.at("since").mod_revision);

        const txn_response lost = co_await store.commit(claim);
        CHECK_FALSE(lost.succeeded);
        REQUIRE(lost.responses.size() == 1);
        const auto& holder = std::get<range_response>(lost.responses[0]);
        REQUIRE(holder.kvs.size() == 1);
        CHECK(holder.kvs[0].value == bytes);

        delete_options meant;
        meant.everything = true;
        txn replace;
        replace.if_(value_of("leader") == bytes).then(op::delete_range(key_range::prefix(""), meant));
        const txn_response replaced = co_await store.commit(replace);
        CHECK(replaced.succeeded);
        REQUIRE(replaced.responses.size() == 1);
        CHECK(std::get<delete_response>(replaced.responses[0]).deleted == 2);
        CHECK(other.read("").empty());

        txn twice;
        twice.then(op::put("x", "1")).then(op::put("x", "2"));
        const auto refused = co_await outcome(store.commit(twice));
        REQUIRE(!refused);
        CHECK(refused.error().code == server_errc::duplicate_key);
    });
}

TEST_CASE("kv: a value of 1 MiB passes, what etcd calls too large is refused by name", "[kv]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        kv store(c);
        std::string big;
        while (big.size() < (1U << 20)) big += every_byte();

        const put_response done = co_await store.put("big", big);
        const range_response read = co_await store.range(key_range::key("big"));
        REQUIRE(read.kvs.size() == 1);
        CHECK((read.kvs[0].value == big));
        watch_options from_there;
        from_there.start_revision = done.header.revision;
        watcher news(c, key_range::key("big"), from_there);
        const watch_batch seen = co_await news.next();
        REQUIRE(seen.events.size() == 1);
        CHECK((seen.events[0].kv.value == big));

        // etcd's own limit, and the one of gRPC below it, which speaks of something else.
        for (const std::size_t size : {std::size_t{1'600'000}, std::size_t{4'000'000}}) {
            const auto refused = co_await outcome(store.put("big", std::string(size, 'x')));
            REQUIRE(!refused);
            CHECK(refused.error().code == server_errc::request_too_large);
        }
        const range_response still = co_await store.range(key_range::key("big"));
        CHECK(still.kvs[0].mod_revision == done.header.revision);
        const auto no_key = co_await outcome(store.put("", "x"));
        REQUIRE(!no_key);
        CHECK(no_key.error().code == server_errc::empty_key);
    });
}

TEST_CASE("kv: 10 000 keys are read in pages at one revision while another writes", "[kv]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    constexpr int keys = 10'000;
    for (int i = 0; i < keys;) {
        std::vector<std::pair<std::string, std::string>> some;
        for (; i < keys && some.size() < 125; ++i)
            some.emplace_back("many/" + std::to_string(i), "value " + std::to_string(i));
        other.put_all(some);
    }
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.page_size = 300;
            client c(ex, options);
            kv store(c);

            bool reading = true;
            bool writing = true;
            revision_t written = 0;
            auto writer = [&]() -> asio::awaitable<void> {
                int i = 0;
                while (reading) {
                    ++i;
                    const std::string key = "many/" + std::to_string(i * 7 % keys);
                    if (i % 3 == 2) {
                        const delete_response r = co_await store.delete_range(key_range::key(key));
                        written = r.header.revision;
                    } else {
                        const put_response r = co_await store.put(key, "changed");
                        written = r.header.revision;
                    }
                }
                writing = false;
            };
            asio::co_spawn(ex, writer, asio::detached);
            while (written == 0) co_await wait_for(1ms);
            const range_response all = co_await store.range_pages(key_range::prefix("many/"));
            const revision_t during = written;
            reading = false;
            while (writing) co_await wait_for(1ms);

            CHECK(during > all.header.revision + 5);  // it did write meanwhile
            etcd_admin::content mine;
            for (const key_value& kv : all.kvs) mine[kv.key] = {kv.value, kv.mod_revision};
            CHECK(mine.size() == all.kvs.size());
            CHECK((mine == other.read("many/", all.header.revision)));
            CHECK(all.count == static_cast<std::int64_t>(all.kvs.size()));
            CHECK_FALSE(all.more);

            range_options some;
            some.limit = 1000;
            const range_response part = co_await store.range_pages(key_range::prefix("many/"), some);
            CHECK(part.kvs.size() == 1000);
            CHECK(part.more);
        },
        60s);
}
