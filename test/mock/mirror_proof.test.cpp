// What a mirror proves of its content, and what it does when it cannot.

#include "mock/watch_scene.hpp"

#include <atomic>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

bool is_probe(const gateway_request& r) { return r.body.find("\"count_only\":true") != std::string::npos; }
bool is_look(const gateway_request& r) { return r.body.find("\"min_mod_revision\"") != std::string::npos; }
bool is_verification(const gateway_request& r) {
    return !is_look(r) && r.body.find("\"keys_only\":true") != std::string::npos;
}

/// A gateway with one key at revision 5 and a watch that says nothing after its confirmation.
struct quiet_store {
    std::function<gateway_answer(const gateway_request&)> probe = [](const auto&) { return json(range_body(5)); };
    std::function<gateway_answer(const gateway_request&)> look = [](const auto&) { return json(range_body(5)); };
    std::function<gateway_answer(const gateway_request&)> verification = [](const auto&) { return json(range_body(5, {pair("/a/x", "", 5)})); };
    std::function<gateway_answer(const gateway_request&)> list = [](const auto&) { return json(range_body(5, {pair("/a/x", "1", 5)})); };
    std::function<gateway_answer(const gateway_request&)> watch = [](const auto&) { return stream({created(5)}, then::hold); };
    fake_gateway gateway;

    quiet_store() {
        gateway.on(range_path, [this](const gateway_request& r) {
            if (is_probe(r)) return probe(r);
            if (is_look(r)) return look(r);
            return is_verification(r) ? verification(r) : list(r);
        });
        gateway.on(watch_path, [this](const gateway_request& r) { return watch(r); });
    }
    client_options options() {
        client_options o = options_for({gateway.url()});
        o.max_staleness = 1s;
        return o;
    }
};

/// Its key, as it was kept from before: to be proven, and not loaded.
known_content as_of_5() {
    known_content known;
    known.revision = 5;
    known.cluster_id = some_cluster;
    key_value& kv = known.kvs.emplace_back();
    kv.key = "/a/x";
    kv.mod_revision = 5;
    return known;
}

using kind = mirror_step::kind;

asio::awaitable<mirror_step> next_of(mirror& m, kind what) {
    for (;;) {
        mirror_step s = co_await m.next();
        if (s.what == what) co_return s;
    }
}

/// Its content at 20 is that of 5, as a look shows.
void rest_until_20(quiet_store& store, std::atomic<bool>& looked, std::chrono::milliseconds look_takes) {
    store.probe = [](const auto&) { return json(range_body(20)); };
    store.look = [&looked, look_takes](const auto&) {
        looked = true;
        return json("{" + header(20) + ",\"count\":\"1\"}").after(look_takes);
    };
}

/// By a look alone a mirror comes from 5 to 20, and by its second stream to 21.
void look_proves_20(quiet_store& store) {
    client_options o = store.options();
    o.max_staleness = 10min;   // nothing that is due anyway comes to help
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, {ours()}, as_of_5());
        mirror_step s = co_await next_of(m, kind::connected);
        CHECK(s.known == 20);
        s = co_await next_of(m, kind::update);
        CHECK(shown(s.events) == "/a/x=2@21");
    });
    CHECK(starts(store.gateway) == std::vector<revision_t>{6, 21});
}

}  // namespace

TEST_CASE("mirror proof: each answer of the right revision proves the content anew", "[mirror][proof]") {
    quiet_store store;
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        mirror_step s = co_await next_of(m, kind::connected);
        auto as_of = s.as_of;
        CHECK(as_of <= std::chrono::steady_clock::now());
        for (int i = 0; i < 3; ++i) {
            s = co_await m.next();
            CHECK(s.what == kind::verified);
            CHECK(s.as_of > as_of);
            CHECK(s.good_until == s.as_of + 1s);
            as_of = s.as_of;
        }
    });
    CHECK(store.gateway.count(watch_path) == 1);
}

TEST_CASE("mirror proof: without an answer it says so before the bound has passed, and heals", "[mirror][proof]") {
    std::atomic<bool> hang{false};
    quiet_store store;
    store.probe = [&](const auto&) { return json(range_body(5)).once([&] { return !hang.load(); }); };
    store.watch = [&](const auto& r) { return stream({created(5)}, then::hold).once([&, n = r.number] { return n == 1 || !hang.load(); }); };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        mirror_step s = co_await next_of(m, kind::verified);
        const auto as_of = s.as_of;
        hang = true;
        do s = co_await m.next();
        while (s.what == kind::verified);   // one that was under way
        const auto told = std::chrono::steady_clock::now();
        REQUIRE(s.what == kind::interrupted);
        CHECK(s.cause == errc::not_current);
        CHECK(told < s.good_until);
        CHECK(s.as_of >= as_of);
        hang = false;
        s = co_await next_of(m, kind::connected);
        CHECK(s.as_of > as_of);
        CHECK(s.good_until > std::chrono::steady_clock::now());
    });
}

TEST_CASE("mirror proof: a store that has moved on without touching our keys proves it by a look at them", "[mirror][proof]") {
    std::atomic<revision_t> now_at{5};
    quiet_store store;
    store.probe = [&](const auto&) { return json(range_body(now_at += 10)); };
    store.look = [&](const auto&) {
        return json("{" + header(now_at) + ",\"count\":\"1\"}");
    };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        mirror_step s = co_await next_of(m, kind::connected);
        CHECK(s.known == 5);
        for (int i = 0; i < 3; ++i) {
            const revision_t before = s.known;
            s = co_await m.next();
            CHECK(s.what == kind::verified);
            CHECK(s.revision == 5);
            CHECK(s.known > before);
        }
    });
    CHECK(store.gateway.count(watch_path) == 1);
}

TEST_CASE("mirror proof: a change that the watch keeps to itself is asked of another stream, then loaded", "[mirror][proof]") {
    quiet_store store;
    store.probe = [](const auto&) { return json(range_body(9)); };
    store.look = [](const auto&) { return json(range_body(9, {pair("/a/x", "", 7)})); };
    store.list = [](const auto& r) {
        return r.number == 1 ? json(range_body(5, {pair("/a/x", "1", 5)})) : json(range_body(9, {pair("/a/x", "2", 7)}));
    };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        co_await next_of(m, kind::connected);
        mirror_step s = co_await next_of(m, kind::resync);
        CHECK(s.why == mirror_step::reason::repaired);
        CHECK(shown(s.events) == "/a/x=2@7");
        CHECK(s.revision == 9);
    });
    const auto begun = starts(store.gateway);
    REQUIRE(begun.size() >= 2);
    CHECK(begun[0] == 6);
    CHECK(begun[1] == 6);   // the second one had the chance to deliver it
}

TEST_CASE("mirror proof: a key that is gone without a word is found out by its number", "[mirror][proof]") {
    quiet_store store;
    store.probe = [](const auto&) { return json(range_body(9)); };
    store.look = [](const auto&) { return json(range_body(9)); };   // nothing changed, and nothing is there
    store.list = [](const auto& r) { return r.number == 1 ? json(range_body(5, {pair("/a/x", "1", 5)})) : json(range_body(9)); };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        mirror_step s = co_await next_of(m, kind::resync);
        CHECK(s.why == mirror_step::reason::repaired);
        CHECK(shown(s.events) == "-/a/x@9");
    });
}

TEST_CASE("mirror proof: the comparison with etcd's keys repairs what the watch has lost", "[mirror][proof]") {
    std::atomic<bool> lost{false};
    quiet_store store;
    store.verification = [&](const auto& r) {
        CHECK(r.member("revision") == "5");
        return json(range_body(5, {pair("/a/x", "", lost ? 4 : 5)}));
    };
    store.list = [&](const auto& r) { return json(range_body(5, {pair("/a/x", r.number == 1 ? "1" : "2", lost ? 4 : 5)})); };
    client_options o = store.options();
    o.verify_every = 20ms;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        mirror_step s = co_await next_of(m, kind::verified);   // all is well for half a second
        lost = true;
        s = co_await next_of(m, kind::resync);
        CHECK(s.why == mirror_step::reason::repaired);
        CHECK(shown(s.events) == "/a/x=2@4");
    });
}

TEST_CASE("mirror proof: a probe that tells of an older or another store leads to a resync that says so", "[mirror][proof]") {
    const bool other = GENERATE(true, false);
    std::atomic<bool> replaced{false};
    quiet_store store;
    store.probe = [&](const auto&) { return json(replaced ? range_body(other ? 5 : 3, {}, false, other ? 8 : some_cluster) : range_body(5)); };
    store.list = [&](const auto&) {
        return json(replaced ? range_body(other ? 5 : 3, {pair("/a/y", "9", 3)}, false, other ? 8 : some_cluster)
                             : range_body(5, {pair("/a/x", "1", 5)}));
    };
    store.watch = [&](const auto&) { return stream({created(replaced && !other ? 3 : 5, replaced && other ? 8 : some_cluster)}, then::hold); };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        co_await next_of(m, kind::verified);
        replaced = true;
        mirror_step s = co_await next_of(m, kind::resync);
        CHECK(s.why == mirror_step::reason::store_replaced);
        CHECK(shown(s.events) == (other ? "-/a/x@5 /a/y=9@3" : "-/a/x@3 /a/y=9@3"));
        CHECK(s.cluster_id == (other ? 8 : some_cluster));
        s = co_await next_of(m, kind::verified);
        CHECK(s.cluster_id == (other ? 8 : some_cluster));
    });
}

TEST_CASE("mirror proof: what is known already is not listed again", "[mirror][proof]") {
    quiet_store store;
    store.watch = [](const auto&) { return stream({created(8), news(8, {put_event("/a/y", "2", 8)})}, then::hold); };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, {ours()}, as_of_5());
        std::string got = co_await next_of(m);
        CHECK(got == "update at 8: /a/y=2@8");
    });
    CHECK(starts(store.gateway) == std::vector<revision_t>{6});
}

TEST_CASE("mirror proof: a compaction of what a look has shown to be none of ours needs no load", "[mirror][proof]") {
    const bool cancel_is_late = GENERATE(true, false);   // or the answer of the look
    std::atomic<bool> looked{false}, listed{false};
    quiet_store store;
    rest_until_20(store, looked, cancel_is_late ? 0ms : 50ms);
    store.list = [&](const auto&) {
        listed = true;
        return json(range_body(20, {pair("/a/x", "1", 5)}));
    };
    store.watch = [&](const auto& r) {
        if (r.number > 1) return stream({created(20), news(21, {put_event("/a/x", "2", 21)})}, then::hold);
        gateway_answer a = stream({created(20)}, then::hold);
        a.steps.push_back({chunk(compacted_cancel(20)), cancel_is_late ? 50ms : 0ms, [&] { return looked.load(); }});
        return a;
    };
    look_proves_20(store);
    CHECK_FALSE(listed);
}

TEST_CASE("mirror proof: of what a look has shown to be over nothing comes any more, be it late or in the queue", "[mirror][proof]") {
    const bool event_is_late = GENERATE(true, false);   // or the answer of the look
    std::atomic<bool> looked{false};
    quiet_store store;
    rest_until_20(store, looked, event_is_late ? 0ms : 50ms);
    store.watch = [&](const auto& r) {
        if (r.number > 1) return stream({created(20), news(21, {put_event("/a/x", "2", 21)})}, then::hold);
        gateway_answer a = stream({created(5)}, then::close);   // before it has told that 10 deleted "/a/y"
        a.steps.push_back({chunk(news(9, {put_event("/a/y", "1", 9)})), event_is_late ? 50ms : 0ms, [&] { return looked.load(); }});
        if (!event_is_late) a.steps.push_back({{}, 100ms, {}});
        return a;
    };
    look_proves_20(store);
}

TEST_CASE("mirror proof: an answer that the watch has overtaken is no store that went back", "[mirror][proof]") {
    std::atomic<bool> asked{false}, delivered{false};
    quiet_store store;
    store.watch = [&](const auto&) {
        gateway_answer a = stream({created(5)}, then::hold);
        a.steps.push_back({chunk(news(6, {put_event("/a/x", "2", 6)})), 0ms, [&] { return asked.load(); }});
        return a;
    };
    store.probe = [&](const auto&) {
        asked = true;
        const int revision = delivered ? 6 : 5;
        return json(range_body(revision)).once([&] { return delivered.load(); });
    };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        (void)co_await next_of(m, kind::update);
        delivered = true;
        const mirror_step s = co_await m.next();
        CHECK(s.what == kind::verified);
    });
}

TEST_CASE("mirror proof: a lagging member of which nobody can say more is no store that went back", "[mirror][proof]") {
    std::atomic<int> asked{0};
    quiet_store store;
    store.watch = [](const auto&) { return stream({created(3)}, then::hold); };
    store.probe = [&](const auto&) {
        return ++asked <= 3 ? json(fault(14, "etcdserver: request timed out"), 503) : json(range_body(5));
    };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        for (mirror_step s; s.what != kind::verified;) {
            s = co_await m.next();
            CHECK(s.what != kind::resync);
        }
    });
    CHECK(asked > 3);
}
