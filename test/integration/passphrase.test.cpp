#include "integration/scene.hpp"
#include "support/parallel.hpp"

#include <dynconf/key_ring.hpp>
#include <dynconf/passphrase.hpp>

#include <stdexcept>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("passphrase: the first process makes the record, all have one key", "[passphrase]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    std::string record;
    secret known;
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client one(executor, hasty(etcd));
        client two(executor, hasty(etcd));
        const passphrase words[] = {{one, "/keys/1", "correct horse"}, {two, "/keys/1", "correct horse"}};
        std::vector<secret> found(6);
        const std::function<asio::awaitable<void>(int)> ask = [&](int i) -> asio::awaitable<void> {
            found[static_cast<std::size_t>(i)] = co_await words[i % 2].key();
        };
        co_await in_parallel(6, ask);
        for (const secret& key : found) {
            CHECK(key.size() == 32);
            CHECK(key == found[0]);
        }
        known = found[0];
        CHECK(admin.revision() == 2);   // one record
        record = admin.read("/keys/").at("/keys/1").value;
        CHECK(record.substr(0, 40) == "dynconf-key 1 pbkdf2-hmac-sha256 600000 ");

        // At hand from now on: not even the record is needed.
        admin.erase("/keys/1");
        secret again = co_await words[0].key();
        CHECK(again == known);
        admin.put("/keys/1", record);

        // The view's names, and nothing sealed.
        const passphrase in_view(one.within("/keys/"), "1", "correct horse");
        again = co_await in_view.key();
        CHECK(again == known);
        CHECK(key_ring("1", sealing_key(again)).write_id() == "1");

        auto wrong = co_await outcome(passphrase(one, "/keys/1", "wrong horse").key());
        CHECK(wrong.error() == errc::seal_broken);
        CHECK(wrong.error().message().find("/keys/1") != std::string::npos);
        CHECK(wrong.error().message().find("horse") == std::string::npos);

        std::string weak = record;
        weak.replace(weak.find("600000"), 6, "599999");
        admin.put("/keys/1", weak);
        auto refused = co_await outcome(passphrase(one, "/keys/1", "correct horse").key());
        CHECK(refused.error() == errc::unsupported_seal);
    }, 60s);
    etcd.kill();
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        passphrase_options options;
        options.record = record;
        secret key = co_await passphrase(c, "/keys/1", "correct horse", options).key();
        CHECK(key == known);
    });
}

TEST_CASE("passphrase: what cannot work is refused at once", "[passphrase]") {
    asio::io_context io;
    client c(io.get_executor(), hasty(strings{"http://127.0.0.1:1"}));
    CHECK_THROWS_AS(passphrase(c, "", "words"), std::invalid_argument);
    CHECK_THROWS_AS(passphrase(c, "/keys/1", ""), std::invalid_argument);
    passphrase_options few;
    few.rounds = 599'999;
    CHECK_THROWS_AS(passphrase(c, "/keys/1", "words", few), std::invalid_argument);
    few.rounds = 10'000'001;
    CHECK_THROWS_AS(passphrase(c, "/keys/1", "words", few), std::invalid_argument);
}
