#include "mock/watch_scene.hpp"

#include <atomic>
#include <mutex>
#include <stdexcept>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

TEST_CASE("mirror: lists at one revision, watches from the next, and goes on after a cut", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7)})); });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7), news(9, {put_event("/a/3", "z", 9)})}, then::close);
        return stream({created(9), news(11, {erase_event("/a/1", 10), put_event("/a/3", "w", 11)})}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        std::vector<mirror_step::kind> kinds;
        std::vector<std::string> data;
        while (data.size() < 3) {
            mirror_step s = co_await m.next();
            kinds.push_back(s.what);
            if (s.what == mirror_step::kind::snapshot) data.push_back(shown(s.content));
            if (s.what == mirror_step::kind::update) data.push_back(shown(s.events));
            if (s.what == mirror_step::kind::connected) CHECK(s.endpoint == gateway.url());
            if (s.what == mirror_step::kind::interrupted) CHECK(s.cause.code == errc::connection_closed);
            else CHECK(s.cluster_id == some_cluster);
        }
        CHECK(data == std::vector<std::string>{"/a/1=x@3 /a/2=y@7", "/a/3=z@9", "-/a/1@10 /a/3=w@11"});
        using kind = mirror_step::kind;
        CHECK(kinds == std::vector<kind>{kind::snapshot, kind::connected, kind::update, kind::interrupted, kind::connected, kind::update});
    });
    CHECK(starts(gateway) == std::vector<revision_t>{8, 10});
    CHECK(gateway.count(range_path) == 1);
}

TEST_CASE("mirror: after a compaction it lists again and brings only what differs", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.number == 1) return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7), pair("/a/3", "z", 5)}));
        return json(range_body(30, {pair("/a/1", "x", 3), pair("/a/3", "new", 25), pair("/a/4", "w", 28)}));
    });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7)}, then::close);
        if (r.number == 2) return stream({created(30), compacted_cancel(20)}, then::hold);
        return stream({created(30), news(31, {put_event("/a/1", "last", 31)})}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 7: /a/1=x@3 /a/2=y@7 /a/3=z@5");
        got = co_await next_of(m);
        CHECK(got == "resync at 30: -/a/2@30 /a/3=new@25 /a/4=w@28");
        got = co_await next_of(m);
        CHECK(got == "update at 31: /a/1=last@31");
    });
    CHECK(starts(gateway) == std::vector<revision_t>{8, 8, 31});
}

TEST_CASE("mirror: a compaction while it pages through the list starts the list over", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.number == 1) return json(range_body(7, {pair("/a/1", "x", 3)}, true));
        if (r.number == 2) return json(fault(11, "etcdserver: mvcc: required revision has been compacted"), 400);
        if (r.member("revision").empty()) return json(range_body(9, {pair("/a/1", "x", 3)}, true));
        return json(range_body(9, {pair("/a/2", "y", 8)}));
    });
    client_options o = options_for({gateway.url()});
    o.page_size = 1;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        const std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 9: /a/1=x@3 /a/2=y@8");
    });
}

TEST_CASE("mirror: a store that went back, or another one, is loaded anew", "[mirror]") {
    struct { const char* what; revision_t revision; std::uint64_t cluster; } const stores[] = {
        {"went back", 4, some_cluster}, {"another", 4, 99}, {"another, further on", 400, 99}};
    for (const auto& store : stores) {
        INFO(store.what);
        std::atomic<bool> replaced{false};
        fake_gateway gateway;
        gateway.on(range_path, [&](const auto&) {
            if (replaced) return json(range_body(store.revision, {pair("/a/1", "x", 3), pair("/a/9", "n", 4)}, false, store.cluster));
            return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7)}));
        });
        gateway.on(watch_path, [&](const auto& r) {
            if (r.number == 1) {
                replaced = true;
                return stream({created(7)}, then::close);
            }
            if (r.number == 2) return stream({created(store.revision, store.cluster)}, then::hold);
            return stream({created(store.revision, store.cluster), news(500, {erase_event("/a/9", 500)})}, then::hold);
        });
        with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
            mirror m(c, ours());
            const std::string first = co_await next_of(m);
            CHECK(first == "snapshot at 7: /a/1=x@3 /a/2=y@7");
            mirror_step s;
            do s = co_await m.next();
            while (s.what == mirror_step::kind::connected || s.what == mirror_step::kind::interrupted);
            CHECK(s.what == mirror_step::kind::resync);
            CHECK(s.revision == store.revision);
            CHECK(s.cluster_id == store.cluster);
            // Revisions of two stores cannot be compared: every key counts as changed.
            CHECK(shown(s.events) == "/a/1=x@3 -/a/2@" + std::to_string(store.revision) + " /a/9=n@4");
            const std::string after = co_await next_of(m);
            CHECK(after == "update at 500: -/a/9@500");
        });
        CHECK(starts(gateway) == std::vector<revision_t>{8, 8, store.revision + 1});
    }
}

TEST_CASE("mirror: a member that only lags behind is no reason to load again", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(7, {pair("/a/1", "x", 3)})); });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7)}, then::close);
        return stream({created(5), news(8, {put_event("/a/1", "y", 8)})}, then::hold);   // catches up
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        std::string got = co_await next_of(m);
        got = co_await next_of(m);
        CHECK(got == "update at 8: /a/1=y@8");
    });
    CHECK(gateway.count(range_path) == 2);   // the list, and the linearizable question for the revision
}

TEST_CASE("mirror: several ranges share one watch, and show no other keys", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        const std::string key = key_of(r);
        if (key == "/a/") return json(range_body(7, {pair("/a/1", "x", 3)}));
        if (key == "/c") return json(range_body(7, {pair("/c", "y", 4)}));
        return json(range_body(7));
    });
    gateway.on(watch_path, [](const auto&) {
        return stream({created(7), news(8, {put_event("/b", "no", 8)}),
                       news(9, {put_event("/a/2", "yes", 9), put_event("/b", "no", 9), put_event("/bc", "no", 9), put_event("/c", "yes", 9)})},
                      then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        std::vector<key_range> ranges{key_range::prefix("/a/"), key_range::key("/c")};
        mirror m(c, std::move(ranges));
        std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 7: /a/1=x@3 /c=y@4");
        got = co_await next_of(m);
        CHECK(got == "update at 9: /a/2=yes@9 /c=yes@9");
    });
    CHECK(gateway.count(watch_path) == 1);
    CHECK(gateway.requests(range_path).at(1).member("revision") == "7");
}

TEST_CASE("mirror: any number of mirrors share one stream", "[mirror]") {
    constexpr std::size_t most = 3;   // the stream, the one that it replaces, and one for calls
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(7)); });
    gateway.on(watch_path, [](const auto& r) {
        return stream(each_watch(r, [](std::size_t id) { return std::vector<std::string>{created(7, some_cluster, id)}; }), then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        std::vector<mirror> all;
        for (int i = 0; i < 20; ++i) all.emplace_back(c, key_range::prefix("/" + std::to_string(i) + "/"));
        for (mirror& m : all) {
            mirror_step s = co_await m.next();
            while (s.what != mirror_step::kind::connected) s = co_await m.next();
            CHECK(s.endpoint == gateway.url());
        }
        co_await until([&] { return gateway.open_connections() <= most; });
    });
}

TEST_CASE("mirror: ranges that overlap bring each key once", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.member("range_end").empty()) return json(range_body(7, {pair("/a/1", "x", 3)}));
        return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7)}));
    });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7), compacted_cancel(9)}, then::hold);
        return stream({created(7), news(9, {put_event("/a/2", "z", 9)})}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        std::vector<key_range> ranges{key_range::key("/a/1"), key_range::prefix("/a/"), key_range::prefix("/a/1")};
        mirror m(c, std::move(ranges));
        std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 7: /a/1=x@3 /a/2=y@7");
        got = co_await next_of(m);
        CHECK(got == "resync at 7: ");
        got = co_await next_of(m);
        CHECK(got == "update at 9: /a/2=z@9");
    });
}

TEST_CASE("mirror: starts while nothing is up, with a pause and a cause for each try", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.number <= 3) return json(fault(14, "etcdserver: no leader"), 503);
        return json(range_body(7, {pair("/a/1", "x", 3)}));
    });
    client_options o = options_for({gateway.url()});
    o.max_rounds = 1;
    o.backoff.jitter = 0;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        for (int i = 0; i < 3; ++i) {
            mirror_step s = co_await m.next();
            REQUIRE(s.what == mirror_step::kind::interrupted);
            CHECK(s.cause.code == server_errc::no_leader);
            CHECK(s.pause <= o.backoff.most);
        }
        const std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 7: /a/1=x@3");
    });
    asio::io_context io;
    const client c(io.get_executor(), o);
    CHECK_THROWS_AS(mirror(c, std::vector<key_range>()), std::invalid_argument);
}
