#include "integration/scene.hpp"
#include "support/parallel.hpp"

#include <dynconf/conditional.hpp>
#include <dynconf/lease.hpp>
#include <dynconf/stm.hpp>

#include <stdexcept>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("conditional: a write happens where its condition holds, and else the key is shown", "[conditional]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        conditional writes(c);

        conditional_response r = co_await writes.update_if_exists("a", "0");
        CHECK_FALSE(r);
        CHECK_FALSE(r.current);
        r = co_await writes.create_if_absent("a", "1");
        CHECK(r);
        const revision_t created = r.header.revision;
        r = co_await writes.create_if_absent("a", "2");
        CHECK_FALSE(r);
        REQUIRE(r.current);
        CHECK(r.current->value == "1");
        CHECK(r.current->mod_revision == created);
        r = co_await writes.update_if_exists("a", "2");
        CHECK(r);

        r = co_await writes.compare_and_swap("a", std::string("1"), "3");
        CHECK_FALSE(r);
        REQUIRE(r.current);
        CHECK(r.current->value == "2");
        r = co_await writes.compare_and_swap("a", std::string("2"), "");
        CHECK(r);
        r = co_await writes.compare_and_swap("missing", std::string(), "x");   // no value is not an empty one
        CHECK_FALSE(r);
        CHECK_FALSE(r.current);
        const revision_t emptied = admin.read("a").at("a").mod_revision;
        r = co_await writes.compare_and_swap("a", emptied - 1, "4");
        CHECK_FALSE(r);
        r = co_await writes.compare_and_swap("a", emptied, "4");
        CHECK(r);
        r = co_await writes.compare_and_swap("new", 0, "5");
        CHECK(r);

        r = co_await writes.compare_and_delete("a", emptied);
        CHECK_FALSE(r);
        r = co_await writes.compare_and_delete("a", admin.read("a").at("a").mod_revision);
        CHECK(r);
        CHECK(admin.read("a").empty());

        auto known = co_await writes.create_if_absent("new", "6", {}, as_outcome);
        CHECK(known.executed());   // the transaction was; its condition did not hold
        CHECK_FALSE(known.value().succeeded);
    });
}

TEST_CASE("conditional: a key gets another name with its value, or stays", "[conditional]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        using what = move_response::result;
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        conditional writes(c);
        admin.put("a", "1");
        admin.put("taken", "2");
        move_response r = co_await writes.move_key("nowhere", "b");
        CHECK(r.what == what::no_source);
        r = co_await writes.move_key("nowhere", "nowhere");
        CHECK(r.what == what::no_source);
        r = co_await writes.move_key("a", "a");
        CHECK(r.what == what::unchanged);
        r = co_await writes.move_key("a", "taken");
        CHECK(r.what == what::target_exists);
        CHECK(admin.read("").size() == 2);
        r = co_await writes.move_key("a", "b");
        CHECK(r.what == what::moved);
        CHECK(admin.read("b").at("b").mod_revision == r.header.revision);
        CHECK(admin.read("a").empty());
        move_options replace;
        replace.replace = true;
        r = co_await writes.move_key("b", "taken", replace);
        CHECK(r);
        CHECK(admin.read("").size() == 1);
        CHECK(admin.read("taken").at("taken").value == "1");
    });
}

TEST_CASE("conditional: a key keeps its lease, whatever changes its value or its name", "[conditional]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        conditional writes(c);
        leases granting(c);
        const lease_grant_response one = co_await granting.grant(60s);
        const lease_grant_response another = co_await granting.grant(60s);
        put_options with_one, with_another;
        with_one.lease = one.id;
        with_another.lease = another.id;
        const auto lives_by = [&c](std::string_view key, lease_id wanted) -> asio::awaitable<void> {
            kv store(c);
            const std::string name(key);
            const std::optional<key_value> now = co_await store.get(name);
            REQUIRE(now);
            CHECK(now->lease == wanted);
        };
        conditional_response r = co_await writes.compare_and_swap("k", 0, "0", with_one);   // it does not exist yet
        CHECK(r);
        co_await lives_by("k", one.id);
        r = co_await writes.update_if_exists("k", "1");
        CHECK(r);
        co_await lives_by("k", one.id);
        r = co_await writes.compare_and_swap("k", std::string("1"), "2");
        CHECK(r);
        co_await lives_by("k", one.id);
        r = co_await writes.compare_and_swap("k", r.header.revision, "3");
        CHECK(r);
        co_await lives_by("k", one.id);
        r = co_await writes.compare_and_swap("missing", std::string(), "x");   // etcd minds a lease to be kept only where it puts
        CHECK_FALSE(r);
        r = co_await writes.update_if_exists("missing", "x");
        CHECK_FALSE(r);

        const auto next = [](const std::optional<key_value>&) { return std::optional<std::string>("4"); };
        co_await update(c, "k", next);
        co_await lives_by("k", one.id);
        const stm_body reads_it = [](stm_view& view) -> asio::awaitable<void> {
            co_await view.get("k");
            view.put("k", "5");
            co_await view.get("new");
            view.put("new", "1");
        };
        co_await stm(c, reads_it);
        co_await lives_by("k", one.id);
        CHECK(admin.read("k").at("k").value == "5");
        const move_response moved = co_await writes.move_key("k", "k2");
        CHECK(moved);
        co_await lives_by("k2", one.id);
        const move_response back = co_await writes.move_key("k2", "k");
        CHECK(back);

        r = co_await writes.update_if_exists("k", "6", with_another);
        CHECK(r);
        co_await lives_by("k", another.id);
        const stm_body blind = [](stm_view& view) -> asio::awaitable<void> {
            view.put("k", "7");
            co_return;
        };
        co_await stm(c, blind);
        co_await lives_by("k", 0);
    });
}

TEST_CASE("conditional: an update reads, changes and writes as if it were alone", "[conditional]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        const auto one_more = [](const std::optional<key_value>& kv) { return std::optional<std::string>(std::to_string(kv ? std::stoi(kv->value) + 1 : 1)); };
        co_await in_parallel(4, [&](int) -> asio::awaitable<void> {
            update_options patient;
            patient.max_tries = 1'000;
            for (int i = 0; i < 25; ++i) co_await update(c, "counter", one_more, patient);
        });
        std::optional<key_value> last = co_await update(c, "counter", one_more);
        REQUIRE(last);
        CHECK(last->value == "101");
        CHECK(last->version == 101);
        CHECK(last->mod_revision == admin.read("counter").at("counter").mod_revision);

        const auto nothing = [](const std::optional<key_value>&) { return std::optional<std::string>(); };
        std::optional<key_value> same = co_await update(c, "counter", nothing);
        REQUIRE(same);
        CHECK(*same == *last);
        std::optional<key_value> none = co_await update(c, "missing", nothing);
        CHECK_FALSE(none);

        const auto disturbed = [&](const std::optional<key_value>& kv) {
            admin.put("counter", "0");
            return std::optional<std::string>(kv->value);
        };
        update_options twice;
        twice.max_tries = 2;
        auto lost = co_await outcome(update(c, "counter", disturbed, twice));
        CHECK(lost.error().code == errc::contended);
        const auto throws = [](const std::optional<key_value>&) -> std::optional<std::string> { throw std::runtime_error("mine"); };
        bool thrown = false;
        try {
            co_await update(c, "counter", throws);
        } catch (const std::runtime_error& e) {
            thrown = std::string(e.what()) == "mine";
        }
        CHECK(thrown);
    }, 60s);
}

TEST_CASE("stm: transfers between accounts keep the sum, whoever comes in between", "[conditional]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (int i = 0; i < 4; ++i) admin.put("account/" + std::to_string(i), "100");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        stm_options patient;
        patient.max_tries = 1'000;
        co_await in_parallel(4, [&](int me) -> asio::awaitable<void> {
            for (int i = 0; i < 20; ++i) {
                const std::string from = "account/" + std::to_string(me), to = "account/" + std::to_string((me + 1 + i % 3) % 4);
                const stm_body transfer = [&](stm_view& view) -> asio::awaitable<void> {
                    std::optional<std::string> has = co_await view.get(from);
                    std::optional<std::string> gets = co_await view.get(to);
                    view.put(from, std::to_string(std::stoi(*has) - 1));
                    view.put(to, std::to_string(std::stoi(*gets) + 1));
                };
                co_await stm(c, transfer, patient);
            }
        });
        int sum = 0;
        for (const auto& [key, kv] : admin.read("account/")) sum += std::stoi(kv.value);
        CHECK(sum == 400);

        const stm_body own_writes = [](stm_view& view) -> asio::awaitable<void> {
            view.put("x", "1");
            std::optional<std::string> own = co_await view.get("x");
            CHECK(own == "1");
            view.erase("x");
            own = co_await view.get("x");
            CHECK_FALSE(own);
            view.put("z", "1");
        };
        const revision_t written = co_await stm(c, own_writes);
        CHECK(admin.read("z").at("z").mod_revision == written);
        const stm_body blind = [&](stm_view& view) -> asio::awaitable<void> {   // writes what it has not read, and somebody did since
            co_await view.get("z");
            admin.put("other", "theirs");
            view.put("other", "mine");
        };
        stm_options once;
        once.max_tries = 1;
        auto refused = co_await outcome(stm(c, blind, once));
        CHECK(refused.error().code == errc::contended);
        CHECK(admin.read("other").at("other").value == "theirs");
        const stm_body nothing = [](stm_view&) -> asio::awaitable<void> { co_return; };
        const revision_t none = co_await stm(c, nothing);
        CHECK(none == 0);
    }, 60s);
}
