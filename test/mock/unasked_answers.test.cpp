// A server that answers with something else than what it was asked for.

#include <dynconf/conditional.hpp>
#include <dynconf/key_ring.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/search.hpp>
#include <dynconf/txn.hpp>

#include "mock/watch_scene.hpp"
#include "policy/sealed_txn.hpp"

#include <functional>
#include <string>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

const std::string admin = "/app/admin-password", guest = "/app/guest-password";

/// A page of ten keys from the n-th on.
std::string page(std::size_t n, const std::string& value) {
    std::vector<std::string> pairs;
    for (std::size_t i = n; i < n + 10; ++i) pairs.push_back(pair("/a/" + std::to_string(1'000'000 + i), value, 5));
    return range_body(5, pairs, true);
}

client_options in_small_pages(const fake_gateway& gateway) {
    client_options o = options_for({gateway.url()});
    o.page_size = 10;
    o.max_response_bytes = std::size_t{1} << 20;
    o.max_rounds = 1;
    o.slow_retry = 1ms;
    return o;
}

error found_nothing(const client_options& options) {
    error e;
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        e = co_await failure_of([&]() -> asio::awaitable<void> { co_await search(c).find(ours(), key_pattern::glob("*")); });
    });
    return e;
}

error loaded_nothing(const client_options& options) {
    error e;
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        const mirror_step s = co_await m.next();
        CHECK(s.what == mirror_step::kind::interrupted);
        e = s.cause;
    });
    return e;
}

}  // namespace

TEST_CASE("unasked: the sealed value of another key does not pass for that of the one that was asked for", "[sealing][unasked]") {
    const key_ring keys("k1", sealing_key::generate());
    // All is as the writer of the guest's key sealed it, and opens as that.
    const std::string stolen = pair(guest, policy::sealed_value(guest, "weak", {}, keys), 5);
    fake_gateway gateway;
    gateway.on(range_path, [&](const auto&) { return json(range_body(5, {stolen})); });
    gateway.on(put_path, [&](const auto&) { return json("{" + header(6) + ",\"prev_kv\":" + stolen + "}"); });
    gateway.on("/v3/kv/deleterange", [&](const auto&) { return json("{" + header(6) + ",\"deleted\":\"1\",\"prev_kvs\":[" + stolen + "]}"); });
    gateway.on(txn_path, [&](const auto&) {
        return json("{" + header(6) + ",\"succeeded\":true,\"responses\":[{\"response_range\":{\"kvs\":[" + stolen + "],\"count\":\"1\"}}]}");
    });
    with_client(options_for({gateway.url()}), [&](client& plain) -> asio::awaitable<void> {
        const client c = plain.sealed(keys);
        kv store(c);
        conditional cas(c);
        put_options with_previous;
        with_previous.prev_kv = true;
        delete_options with_deleted;
        with_deleted.prev_kv = true;
        txn reads;
        reads.then(op::range(key_range::key(admin)));
        struct { const char* what; bool writes; std::function<asio::awaitable<void>()> call; } const rows[] = {
            {"get", false, [&]() -> asio::awaitable<void> { co_await store.get(admin); }},
            {"range", false, [&]() -> asio::awaitable<void> { co_await store.range(key_range::key(admin)); }},
            {"put", true, [&]() -> asio::awaitable<void> { co_await store.put(admin, "strong", with_previous); }},
            {"delete", true, [&]() -> asio::awaitable<void> { co_await store.delete_range(key_range::key(admin), with_deleted); }},
            {"txn", false, [&]() -> asio::awaitable<void> { co_await store.commit(reads); }},
            {"compare and swap", false, [&]() -> asio::awaitable<void> { co_await cas.compare_and_swap(admin, std::string("weak"), "mine"); }},
        };
        for (const auto& row : rows) {
            INFO(row.what);
            const error e = co_await failure_of(row.call);
            INFO(e.message());
            CHECK(e.code == errc::malformed_response);
            CHECK(e.in_doubt == row.writes);
            CHECK(e.message().find(guest) != std::string::npos);
        }
    });
    CHECK(gateway.count(put_path) == 1);
}

TEST_CASE("unasked: pages that lead nowhere end with the second", "[unasked][hostile]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(page(0, "1")); });
    for (const auto& ask : {found_nothing, loaded_nothing}) {
        const std::size_t before = gateway.count(range_path);
        const error e = ask(in_small_pages(gateway));
        INFO(e.message());
        CHECK(e.code == errc::malformed_response);
        CHECK(gateway.count(range_path) == before + 2);
    }
}

TEST_CASE("unasked: pages without end are too large together", "[unasked][hostile]") {
    const std::string value(40'000, 'x');
    fake_gateway gateway;
    gateway.on(range_path, [&](const gateway_request& r) { return json(page(10 * r.number, value)); });
    for (const auto& ask : {found_nothing, loaded_nothing}) {
        const std::size_t before = gateway.count(range_path);
        const error e = ask(in_small_pages(gateway));
        INFO(e.message());
        CHECK(e.code == errc::response_too_large);
        CHECK(gateway.count(range_path) == before + 3);   // 400 KB each
    }
}

TEST_CASE("unasked: a change of a key that is not watched ends the watch, which goes on where it was", "[unasked][watch]") {
    const std::string of_another = "{\"kv\":" + pair("/a/x", "2", 6) + ",\"prev_kv\":" + pair("/a/y", "1", 5) + "}";
    for (const std::string& odd : {put_event("/b/x", "1", 6), of_another}) {
        fake_gateway gateway;
        gateway.on(watch_path, [&](const gateway_request& r) {
            return stream({created(5), news(6, {r.number == 1 ? odd : put_event("/a/x", "1", 6)})}, then::hold);
        });
        client_options o = options_for({gateway.url()});
        o.slow_retry = 1ms;
        with_client(o, [&](client& c) -> asio::awaitable<void> {
            watcher w(c, ours(), from(6));
            const std::string got = co_await next_of(w);
            CHECK(got == "/a/x=1@6");
        });
        CHECK(starts(gateway) == std::vector<revision_t>{6, 6});
    }
}
