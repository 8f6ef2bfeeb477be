// Sealed views of a store in which somebody has written what nobody has sealed.

#include "mock/watch_scene.hpp"

#include "crypto/envelope.hpp"

#include <dynconf/config/manager.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/config/source.hpp>
#include <dynconf/key_ring.hpp>
#include <dynconf/kv.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <string>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

const sealing_key& own_key() {
    static const sealing_key key = sealing_key::generate();
    return key;
}
key_ring ring() { return key_ring("own", own_key()); }

std::string sealed(const std::string& key, const std::string& value) { return ring().seal(key, value); }

/// Whole in all but its id: control characters, as for a log or a service to stumble over.
std::string with_bad_id(const std::string& key) {
    return crypto::seal("x\n\x1b[2J", own_key().bytes().reveal(), std::string(24, 'n'), key, "forged");
}

/// Has a key for any id, whatever it looks like.
sealing_options obliging(int& asked) {
    sealing_options o;
    o.provider = [&asked](std::string) -> asio::awaitable<std::optional<sealing_key>> {
        ++asked;
        co_return own_key();
    };
    return o;
}

}  // namespace

TEST_CASE("sealing: a forged id makes its item unreadable, and nothing else", "[sealing]") {
    const std::string forged = with_bad_id("/a/1");
    fake_gateway gateway;
    gateway.on(range_path, [&](const auto&) { return json(range_body(7, {pair("/a/1", forged, 6), pair("/a/2", sealed("/a/2", "two"), 7)})); });
    gateway.on(watch_path, [&](const auto& r) {
        if (start_revision(r) > 8) return stream({created(8)}, then::hold);
        return stream({created(8), news(8, {put_event("/a/1", forged, 8), put_event("/a/3", sealed("/a/3", "three"), 8)})}, then::hold);
    });
    int asked = 0;
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        const client safe = c.sealed(ring(), obliging(asked));
        kv store(safe);
        const range_response all = co_await store.range(ours());
        REQUIRE(all.kvs.size() == 2);
        CHECK(all.kvs[0].unreadable == errc::seal_broken);
        CHECK(all.kvs[1].value == "two");

        watcher w(safe, ours(), from(8));
        const watch_batch batch = co_await w.next();
        REQUIRE(batch.events.size() == 2);
        CHECK(batch.events[0].kv.unreadable == errc::seal_broken);
        CHECK(batch.events[1].kv.value == "three");
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        const asio::any_io_executor ex = co_await asio::this_coro::executor;
        const auto schema = std::make_shared<const prefix_schema>("/a");
        config_manager cfg(ex, schema, etcd_source(c.sealed(ring(), obliging(asked))));
        const start_report report = co_await cfg.start();
        REQUIRE(report.rejected.size() == 1);
        CHECK(report.rejected[0].reason.code == errc::seal_broken);
        while (!cfg.current().find("3")) co_await asio::post(ex, asio::use_awaitable);
        CHECK(cfg.current().get<std::string>("2").value() == "two");
        CHECK(cfg.current().get<std::string>("3").value() == "three");
        co_await cfg.stop();
    });
    CHECK(asked == 0);
}

TEST_CASE("sealing: a key of the provider that no ring takes is an error of its items", "[sealing]") {
    const std::string other = key_ring("other", sealing_key::generate()).seal("/a/1", "one");
    fake_gateway gateway;
    gateway.on(range_path, [&](const auto&) { return json(range_body(7, {pair("/a/1", other, 6), pair("/a/2", sealed("/a/2", "two"), 7)})); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        sealing_key kept = sealing_key::generate();
        const sealing_key elsewhere = std::move(kept);
        sealing_options spent;
        spent.provider = [&](std::string) -> asio::awaitable<std::optional<sealing_key>> { co_return std::move(kept); };
        kv store(c.sealed(ring(), spent));
        const range_response all = co_await store.range(ours());
        REQUIRE(all.kvs.size() == 2);
        CHECK(all.kvs[0].unreadable == errc::key_unavailable);
        CHECK(all.kvs[1].value == "two");
    });
}
