#include "integration/scene.hpp"

#include <dynconf/maintenance.hpp>

#include <utility>

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;

TEST_CASE("cluster: the loss of one member is survived, that of the quorum is told and healed", "[cluster]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster etcd(binary, 3);
    const etcd_admin first(etcd[0]);
    const etcd_admin last(etcd[2]);
    first.put("k/1", "one");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd.endpoints()));
            kv store(c);
            mirror content(c, key_range::prefix("k/"));
            const mirror_step up = co_await next_of(content, kind::connected);
            CHECK(up.endpoint == etcd[0].endpoint());

            etcd[0].kill();
            const range_response read = co_await store.range(key_range::key("k/1"));
            REQUIRE(read.kvs.size() == 1);
            const mirror_step elsewhere = co_await next_of(content, kind::connected);
            CHECK(elsewhere.endpoint != etcd[0].endpoint());
            // Which may have been the leader: until there is a new one etcd refuses or delays writes.
            result<put_response> written = error{errc::deadline_exceeded, {}};
            while (!written) written = co_await outcome(store.put("k/2", "two"));
            const std::vector<event> news = co_await changes_until(content, written->header.revision);
            CHECK(news.back().kv.key == "k/2");

            etcd[1].kill();
            error cause;
            while (cause.code != server_errc::no_leader) {
                const mirror_step down = co_await next_of(content, kind::interrupted);
                cause = down.cause;
            }
            const auto refused = co_await outcome(store.put("k/3", "refused"));
            REQUIRE(!refused);
            const std::string words = refused.error().message();
            INFO(words);
            CHECK(words.find("leader") != std::string::npos);
            const auto unreadable = co_await outcome(store.range(key_range::key("k/1")));
            REQUIRE(!unreadable);
            CHECK(unreadable.error().message().find("leader") != std::string::npos);
            range_options whatever_you_have;
            whatever_you_have.read = consistency::serializable;
            // Two of three endpoints are gone; this answer comes from the member that is left.
            const range_response stale = co_await store.range(key_range::prefix("k/"), whatever_you_have);
            CHECK_FALSE(stale.kvs.empty());  // perhaps not the last write: it may not have heard that it was committed

            etcd[0].launch();
            etcd[1].launch();
            etcd[0].await_health();
            const auto at = first.put("k/4", "healed");
            const std::vector<event> healed = co_await changes_until(content, at);
            CHECK(healed.back().kv.key == "k/4");
        },
        120s);
}

TEST_CASE("cluster: a member that accepts and never answers costs one timeout", "[cluster]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster etcd(binary, 3);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            // A follower, used first: without the leader nobody answers before there is another one.
            client any(ex, hasty(etcd[0]));
            maintenance member(any);
            const status_response about = co_await member.status();
            const std::size_t silent = about.leader == about.header.member_id ? 1 : 0;
            strings endpoints = etcd.endpoints();
            std::swap(endpoints[0], endpoints[silent]);
            client_options options = hasty(endpoints);
            options.request_timeout = 500ms;
            client c(ex, options);
            kv store(c);
            (void)co_await store.put("k", "v");
            etcd[silent].pause();
            const range_response read = co_await store.range(key_range::key("k"));
            CHECK(read.kvs.size() == 1);
            etcd[silent].resume();
        },
        60s);
}

TEST_CASE("one member: a stopped process is a typed timeout, and is used again when it goes on", "[cluster]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.request_timeout = 300ms;
            options.total_timeout = 1s;
            options.created_timeout = 300ms;
            client c(ex, options);
            kv store(c);
            (void)co_await store.put("k", "v");
            etcd.pause();

            const auto begin = std::chrono::steady_clock::now();
            const auto read = co_await outcome(store.range(key_range::key("k")));
            REQUIRE(!read);
            CHECK(read.error().code == errc::deadline_exceeded);
            CHECK(std::chrono::steady_clock::now() - begin < 3s);
            const auto write = co_await outcome(store.put("k", "w"));
            REQUIRE(!write);
            CHECK(write.error().code == errc::deadline_exceeded);
            CHECK(write.error().detail.find("it may have been executed") != std::string::npos);
            mirror content(c, key_range::key("k"));
            const mirror_step down = co_await content.next();
            CHECK(down.what == kind::interrupted);
            CHECK(down.cause.code == errc::deadline_exceeded);

            etcd.resume();
            const mirror_step loaded = co_await next_of(content, kind::snapshot);
            CHECK(loaded.content.size() == 1);
            (void)co_await store.put("k", "x");
        },
        60s);
}

TEST_CASE("nobody at home: the error says whom it asked", "[cluster]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd.kill();
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        kv store(c);
        const auto write = co_await outcome(store.put("k", "v"));
        REQUIRE(!write);
        CHECK(write.error().code == asio::error::connection_refused);
        CHECK(write.error().detail.find(etcd.endpoint()) != std::string::npos);
        client two(ex, hasty(std::vector<std::string>{etcd.endpoint(), "127.0.0.1:1"}));
        kv store_of_two(two);
        const auto read = co_await outcome(store_of_two.range(key_range::key("k")));
        REQUIRE(!read);
        CHECK(read.error().code == errc::no_endpoint_available);
    });
}

TEST_CASE("cluster: a transaction of comparisons alone is not answered by a member that may be behind", "[cluster]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster etcd(binary, 3);
    etcd_admin(etcd[0]).put("k", "1");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options alone = hasty(etcd[0]);
            alone.total_timeout = 10s;
            kv store{client(ex, alone)};
            const txn is_one = txn().if_(value_of("k") == "1");
            const txn_response now = co_await store.commit(is_one);
            CHECK(now.succeeded);
            CHECK(now.responses.empty());
            const txn_response no = co_await store.commit(txn().if_(value_of("k") == "2"));
            CHECK_FALSE(no.succeeded);
            CHECK(no.responses.empty());

            etcd[1].pause();
            etcd[2].pause();
            // Of etcd itself: what it has may be anybody's past.
            const std::string bare = R"({"compare":[{"key":"aw==","target":"VALUE","value":"MQ=="}]})";
            CHECK(etcd[0].raw("/v3/kv/txn", bare).status == 200);
            const auto refused = co_await outcome(store.commit(is_one));
            CHECK_FALSE(refused);
            etcd[1].resume();
            etcd[2].resume();
        },
        60s);
}
