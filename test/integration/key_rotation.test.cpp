// Values brought under a new key while others read and write them.

#include "integration/scene.hpp"
#include "support/parallel.hpp"
#include "unit/crypto/hex.hpp"

#include <dynconf/lease.hpp>
#include <dynconf/rotation.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <cstdint>
#include <map>
#include <stdexcept>

using namespace dynconf;
using namespace dynconf::test;

namespace {

const sealing_key key_a = sealing_key::generate(), key_b = sealing_key::generate();

/// Before and after the new key comes into use; both read all.
const key_ring writes_a = key_ring("a", key_a).reading("b", key_b);
const key_ring writes_b = key_ring("b", key_b).reading("a", key_a);
const key_ring only_b("b", key_b);

std::string name_of(int i) { return "/r/" + std::to_string(1000 + i); }

using counts = std::map<std::string, std::int64_t>;

std::string fill_text(int i) { return "value " + std::to_string(i); }

void fill(const etcd_admin& admin, int keys, const key_ring& ring, const std::string& prefix = {}) {
    std::vector<std::pair<std::string, std::string>> some;
    for (int i = 0; i < keys; ++i) {
        some.emplace_back(prefix + name_of(i), ring.seal(prefix + name_of(i), fill_text(i)));
        if (some.size() == 100 || i + 1 == keys) admin.put_all(std::exchange(some, {}));
    }
}

/// Each key opens with the ring alone.
void check_filled(const etcd_admin& admin, int keys, const key_ring& ring) {
    const auto now = admin.read("/r/");
    REQUIRE(now.size() == static_cast<std::size_t>(keys));
    for (int i = 0; i < keys; ++i) {
        const auto plain = ring.open(name_of(i), now.at(name_of(i)).value);
        REQUIRE(plain);
        REQUIRE(*plain == fill_text(i));
    }
}

const key_range all_of_it = key_range::prefix("/r/");

}  // namespace

TEST_CASE("key rotation: no write is lost to writers on both keys, and the old key can go", "[key_rotation]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    constexpr int keys = 300, writers = 4;
    std::vector<std::int64_t> added(keys, 0);
    rotation_report first, last;

    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        kv store(c);
        std::vector<std::pair<std::string, std::string>> some;
        for (int i = 0; i < keys; ++i) some.emplace_back(name_of(i), writes_a.seal(name_of(i), "0"));
        for (auto at = some.begin(); at != some.end(); at += 100) admin.put_all({at, at + 100});

        bool rotated = false;
        std::int64_t all = 0;
        // Each adds one to a counter if nobody has changed it since it was read; half of them still write with the old key.
        const auto work = [&](int w) -> asio::awaitable<void> {
            const key_ring& ring = w % 2 == 0 ? writes_a : writes_b;
            unsigned n = static_cast<unsigned>(w);
            while (!rotated) {
                n = n * 1'664'525u + 1'013'904'223u;
                const int i = static_cast<int>((n >> 8) % keys);
                const std::string key = name_of(i);
                std::optional<key_value> was = co_await store.get(key);
                if (!was) throw std::runtime_error("a key was lost");
                const auto plain = ring.open(key, was->value);
                if (!plain) throw std::runtime_error("unreadable: " + plain.error().message());
                txn add;
                add.if_(mod_revision_of(key) == was->mod_revision);
                add.then(op::put(key, ring.seal(key, std::to_string(std::stoi(*plain) + 1))));
                txn_response done = co_await store.commit(std::move(add));
                if (!done.succeeded) continue;
                ++added[static_cast<std::size_t>(i)];
                ++all;
            }
        };
        const auto rotate = [&]() -> asio::awaitable<void> {
            co_await until([&] { return all > 20; });
            rotation_options options;
            options.batch = 8;
            options.per_second = 1'000;   // long enough for many writes in between
            try {
                first = co_await rotation(c, writes_b).run(all_of_it, options);
            } catch (...) {
                rotated = true;
                throw;
            }
            rotated = true;
        };
        const std::function<asio::awaitable<void>(int)> one = [&](int w) { return w == writers ? rotate() : work(w); };
        co_await in_parallel(writers + 1, one);
        last = co_await rotation(c, writes_b).run(all_of_it);   // those with the old key have stopped
    }, 120s);

    CHECK(first.rewritten > 0);
    CHECK(first.unresolved == 0);
    CHECK(last.complete());
    CHECK(last.unresolved == 0);
    std::int64_t sum = 0;
    const auto now = admin.read("/r/");
    REQUIRE(now.size() == keys);
    for (int i = 0; i < keys; ++i) {
        const auto plain = only_b.open(name_of(i), now.at(name_of(i)).value);
        REQUIRE(plain);
        CHECK(*plain == std::to_string(added[static_cast<std::size_t>(i)]));
        sum += added[static_cast<std::size_t>(i)];
    }
    UNSCOPED_INFO(sum << " writes, " << first.rewritten << " rewritten, " << first.overtaken << " overtaken, " << first.passes << " passes");
    // Nobody else has written: etcd's own count of versions has the writes and the rewrites, and no other.
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        range_response found = co_await kv(c).range(all_of_it);
        std::int64_t versions = 0;
        for (const key_value& each : found.kvs) versions += each.version;
        CHECK(versions == keys + sum + first.rewritten + last.rewritten);
    });
}

TEST_CASE("key rotation: a dry run counts and changes nothing", "[key_rotation]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    fill(admin, 30, writes_a);
    for (int i = 0; i < 10; ++i) admin.put(name_of(i), writes_b.seal(name_of(i), "x"));
    admin.put("/r/clear", "text");
    admin.put("/r/foreign", key_ring("c", sealing_key::generate()).seal("/r/foreign", "x"));
    admin.put("/r/moved", writes_b.seal("/r/elsewhere", "x"));
    admin.put("/other", writes_a.seal("/other", "x"));
    const auto revision = admin.revision();
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        rotation_options options;
        options.dry_run = true;
        std::int64_t steps = 0;
        const rotation_progress progress = [&](const rotation_report& so_far) {
            ++steps;
            CHECK(so_far.expected == 33);
        };
        rotation_report r = co_await rotation(c, writes_b).run(all_of_it, options, progress);
        CHECK(steps == 1);
        CHECK(r.keys == 33);
        CHECK(r.sealed == counts{{"a", 20}, {"b", 11}, {"c", 1}});
        CHECK(r.plaintext == 1);
        CHECK(r.to_rewrite == 20);
        CHECK(r.rewritten == 0);
        REQUIRE(r.problems.size() == 2);
        CHECK(r.problems[0].key == "/r/foreign");
        CHECK(r.problems[0].why == errc::unknown_key_id);
        CHECK(r.problems[1].key == "/r/moved");
        CHECK(r.problems[1].why == errc::seal_broken);
        CHECK_FALSE(r.complete());

        options.seal_plaintext = true;
        r = co_await rotation(c, writes_b).run(all_of_it, options);
        CHECK(r.to_rewrite == 21);

        options.batch = 0;
        auto refused = co_await outcome(rotation(c, writes_b).run(all_of_it, options));
        CHECK(refused.error() == errc::invalid_argument);
    });
    CHECK(admin.revision() == revision);
}

TEST_CASE("key rotation: killed in the middle, it goes on where it was", "[key_rotation]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    constexpr int keys = 1'000;
    fill(admin, keys, writes_a);
    std::int64_t before = 0;
    SECTION("the rotation") {
        run([&]() -> asio::awaitable<void> {
            auto executor = co_await asio::this_coro::executor;
            client c(executor, hasty(etcd));
            asio::cancellation_signal stop;
            const rotation_progress progress = [&](const rotation_report& so_far) {
                before = so_far.rewritten;
                if (before >= 100) stop.emit(asio::cancellation_type::terminal);
            };
            rotation turning(c, writes_b);
            auto [ec, r] = co_await turning.run(all_of_it, {}, progress, asio::bind_cancellation_slot(stop.slot(), as_values));
            CHECK(ec == asio::error::operation_aborted);
        }, 60s);
    }
    SECTION("etcd, without a warning") {
        run([&]() -> asio::awaitable<void> {
            auto executor = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.total_timeout = 1s;
            client c(executor, options);
            const rotation_progress progress = [&](const rotation_report& so_far) {
                before = so_far.rewritten;
                if (before >= 100 && etcd.running()) etcd.kill();
            };
            rotation turning(c, writes_b);
            auto [ec, r] = co_await turning.run(all_of_it, {}, progress, as_values);
            CHECK(ec);
        }, 60s);
        etcd.start();
    }
    REQUIRE(before >= 100);
    REQUIRE(before < keys);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        rotation_options largest;
        largest.batch = 64;
        rotation_report r = co_await rotation(c, writes_b).run(all_of_it, largest);
        CHECK(r.complete());
        CHECK(r.sealed["b"] >= before);
        // What the killed one had sent may be executed only now.
        CHECK(r.rewritten + r.overtaken == keys - r.sealed["b"]);
        r = co_await rotation(c, writes_b).run(all_of_it);
        CHECK(r.rewritten == 0);
        CHECK(r.sealed == counts{{"b", keys}});
    }, 60s);
    check_filled(admin, keys, only_b);
}

TEST_CASE("key rotation: leases stay, also in a view of a sealed client", "[key_rotation]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        kv store(c);
        lease_grant_response lease = co_await leases(c).grant(600s);
        put_options with;
        with.lease = lease.id;
        co_await store.put("/r/leased", writes_a.seal("/r/leased", "1"), with);
        co_await store.put("/r/free", writes_a.seal("/r/free", "2"));
        key_value was = *co_await store.get("/r/leased");
        rotation_report r = co_await rotation(c.within("/r/"), writes_b).run(key_range::all());
        CHECK(r.complete());
        CHECK(r.rewritten == 2);
        key_value leased = *co_await store.get("/r/leased");
        key_value unleased = *co_await store.get("/r/free");
        CHECK(leased.lease == lease.id);
        CHECK(leased.create_revision == was.create_revision);
        CHECK(leased.version == 2);
        CHECK(unleased.lease == 0);
        CHECK(only_b.open("/r/leased", leased.value).value() == "1");
        CHECK(only_b.open("/r/free", unleased.value).value() == "2");
        co_await leases(c).revoke(lease.id);
        const bool there = co_await store.exists("/r/leased");
        CHECK_FALSE(there);
    });
}

TEST_CASE("key rotation: plain text and other programs' values are sealed when asked for", "[key_rotation]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    const std::string fernet = "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD6rcJVr7qyrBRS77z7Zv1YU0UoWQa65td4GnGNsZxOHm1MgNXD0BbelqWvSlOPk2BQ==";
    std::string salt;
    for (char n = 0; n < 64; ++n) salt += n;
    const std::string blueprint = from_hex("a1b2c3d40000000000000000f9173f7bcafb46bd8e3a19d486173f1d3dc38a54daece37bd162d94ffbac");
    admin.put("/r/blueprint", blueprint);
    std::string broken = blueprint;
    broken.back() = 'x';
    admin.put("/r/broken", broken);
    admin.put("/r/fernet", fernet);
    admin.put("/r/text", "in the clear");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        rotation_options options;
        rotation_report r = co_await rotation(c, only_b).run(all_of_it, options);
        CHECK(r.plaintext == 4);
        CHECK(r.rewritten == 0);

        options.foreign.push_back(foreign_format::open_secure_conf("my-secure-key-1", salt));
        options.foreign.push_back(foreign_format::blueprint("test-encryption-key-32-bytes-abc"));
        options.seal_plaintext = true;
        r = co_await rotation(c, only_b).run(all_of_it, options);
        CHECK(r.foreign == counts{{"OpenSecureConf", 1}, {"blueprint", 2}});
        CHECK(r.plaintext == 1);
        CHECK(r.rewritten == 3);
        REQUIRE(r.problems.size() == 1);
        CHECK(r.problems[0].key == "/r/broken");
    });
    const auto now = admin.read("/r/");
    CHECK(only_b.open("/r/fernet", now.at("/r/fernet").value).value() == R"({"host": "h"})");
    CHECK(only_b.open("/r/blueprint", now.at("/r/blueprint").value).value() == "sensitive data");
    CHECK(only_b.open("/r/text", now.at("/r/text").value).value() == "in the clear");
    CHECK(now.at("/r/broken").value == broken);
}

TEST_CASE("key rotation: keys that the ring does not have are asked for once", "[key_rotation]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    fill(admin, 50, writes_a);
    for (const char* key : {"/r/x1", "/r/x2"}) admin.put(key, key_ring("x", sealing_key::generate()).seal(key, "x"));
    for (const char* key : {"/r/y1", "/r/y2"}) admin.put(key, key_ring("y", sealing_key::generate()).seal(key, "x"));
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client c(executor, hasty(etcd));
        strings asked;
        const key_provider ask = [&](std::string id) -> asio::awaitable<std::optional<sealing_key>> {
            asked.push_back(id);
            if (id == "x") throw std::runtime_error("the vault is sealed");
            if (id == "y") co_return std::nullopt;
            co_return key_a;
        };
        rotation_report r = co_await rotation(c, only_b, ask).run(all_of_it);
        CHECK(asked == strings{"a", "x", "y"});
        CHECK(r.rewritten == 50);
        REQUIRE(r.problems.size() == 4);
        CHECK(r.problems[0].why == errc::key_unavailable);
        CHECK(r.problems[1].why == errc::key_unavailable);
        CHECK(r.problems[2].why == errc::unknown_key_id);
    });
}
