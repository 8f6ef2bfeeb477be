// What it costs to prove quiet keys current while the store moves on: their looks go along with the probe.

#include "mock/watch_scene.hpp"

#include <atomic>
#include <functional>
#include <memory>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;
using kind = mirror_step::kind;

namespace {

bool is_probe(const gateway_request& r) { return r.body.find("\"count_only\":true") != std::string::npos; }
bool is_look(const gateway_request& r) { return r.body.find("\"min_mod_revision\"") != std::string::npos; }

std::size_t operations(const gateway_request& r) {
    std::size_t n = 0;
    for (auto at = r.body.find("request_range"); at != std::string::npos; at = r.body.find("request_range", at + 1)) ++n;
    return n;
}

std::string prefix(int i) { return "/p/" + std::to_string(i) + "/"; }
bool asks_for(const gateway_request& r, int i) { return r.body.find("\"" + wire::to_base64(prefix(i)) + "\"") != std::string::npos; }

/// What a look is answered: how many keys there are, and those that have changed.
std::string look_body(revision_t revision, std::size_t count, const std::vector<std::string>& changed = {}) {
    return "{" + header(revision) + (changed.empty() ? "" : ",\"kvs\":[" + joined(changed) + "]") + ",\"count\":\"" + std::to_string(count) + "\"}";
}
std::string txn_body(revision_t revision, const std::vector<std::string>& answers) {
    std::vector<std::string> responses;
    for (const std::string& a : answers) responses.push_back("{\"response_range\":" + a + "}");
    return "{" + header(revision) + ",\"succeeded\":true,\"responses\":[" + joined(responses) + "]}";
}

/// A store with a key below each prefix, last changed at revision 5, and watches that say nothing. While it moves, each
/// probe finds it ten revisions further.
struct busy_store {
    std::atomic<revision_t> at{5};
    std::atomic<bool> moving{true};
    std::function<std::string(const gateway_request&)> list = [this](const gateway_request& r) { return range_body(at, {pair(key_of(r) + "k", "1", 5)}); };
    std::function<gateway_answer(const gateway_request&)> look = [this](const auto&) { return json(look_body(at, 1)); };
    std::function<gateway_answer(const gateway_request&)> looks = [this](const gateway_request& r) {
        return json(txn_body(at, std::vector<std::string>(operations(r), look_body(at, 1))));
    };
    std::function<gateway_answer(const gateway_request&)> watch = [this](const gateway_request& r) {
        return stream(each_watch(r, [this](std::size_t id) { return std::vector<std::string>(1, created(at, some_cluster, id)); }), then::hold);
    };
    std::atomic<std::size_t> probes{0}, single_looks{0}, shared{0};
    std::atomic<unsigned> warnings{0};   // of which each says that something seems to be wrong
    fake_gateway gateway;

    busy_store() {
        gateway.on(range_path, [this](const gateway_request& r) {
            if (is_probe(r)) {
                ++probes;
                if (moving) at += 10;
                return json(range_body(at));
            }
            if (!is_look(r)) return json(list(r));
            ++single_looks;
            return look(r);
        });
        gateway.on(txn_path, [this](const gateway_request& r) {
            ++shared;
            if (moving) at += 10;
            return looks(r);
        });
        gateway.on(watch_path, [this](const gateway_request& r) { return watch(r); });
    }
    client_options options(std::chrono::milliseconds max_staleness = 1s) {
        client_options o = options_for({gateway.url()});
        o.max_staleness = max_staleness;
        o.log = [this](const log_record& r) {
            if (r.level >= log_level::warning) ++warnings;
        };
        return o;
    }
    std::vector<std::size_t> sizes() const {
        std::vector<std::size_t> all;
        for (const gateway_request& r : gateway.requests(txn_path)) all.push_back(operations(r));
        return all;
    }
};

asio::awaitable<mirror_step> next_of(mirror& m, kind what) {
    for (;;) {
        mirror_step s = co_await m.next();
        if (s.what == what) co_return s;
    }
}

/// Mirrors of so many prefixes, asked for steps side by side, each until one is `enough`; the store moves once all are
/// connected.
void follow(busy_store& store, int mirrors, std::chrono::milliseconds max_staleness,
            const std::function<bool(int, const mirror_step&)>& enough) {
    store.moving = false;
    with_client(store.options(max_staleness), [&](client& c) -> asio::awaitable<void> {
        std::vector<std::unique_ptr<mirror>> all;
        for (int i = 0; i < mirrors; ++i) all.push_back(std::make_unique<mirror>(c, key_range::prefix(prefix(i))));
        co_await in_parallel(mirrors, [&](int i) -> asio::awaitable<void> { co_await next_of(*all[static_cast<std::size_t>(i)], kind::connected); });
        store.moving = true;
        co_await in_parallel(mirrors, [&](int i) -> asio::awaitable<void> {
            mirror_step s;
            do s = co_await all[static_cast<std::size_t>(i)]->next();
            while (!enough(i, s));
        });
    });
}

}  // namespace

TEST_CASE("probe looks: quiet keys of a busy store cost one request a probe, from the second on", "[mirror][probe_looks]") {
    busy_store store;
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, key_range::prefix(prefix(0)));
        co_await next_of(m, kind::connected);
        auto as_of = std::chrono::steady_clock::time_point::min();
        for (std::size_t proofs = 1; proofs <= 5; ++proofs) {
            const mirror_step s = co_await m.next();
            CHECK(s.what == kind::verified);
            CHECK(s.revision == 5);
            CHECK(s.as_of > as_of);
            as_of = s.as_of;
            CHECK(store.probes == 1);
            CHECK(store.single_looks == 1);
            CHECK(store.shared == proofs - 1);
        }
        // At rest it is asked a few times more, then again for the revision alone.
        store.moving = false;
        const std::size_t before = store.shared;
        while (store.probes < 4) {
            const mirror_step s = co_await m.next();
            CHECK(s.what == kind::verified);
        }
        CHECK(store.shared == before + 8);
        CHECK(store.single_looks == 1);
    });
    const gateway_request r = store.gateway.requests(txn_path).at(1);
    CHECK(r.body.find("compare") == std::string::npos);
    CHECK(r.body.find("serializable") == std::string::npos);
    CHECK(key_of(r) == prefix(0));
    CHECK(r.member("min_mod_revision") == "26");   // the first one proved it up to 25
    CHECK(r.member("limit") == "1");
    CHECK(store.gateway.count(watch_path) == 1);
    CHECK(store.warnings == 0);
}

TEST_CASE("probe looks: two hundred mirrors are four requests a probe", "[mirror][probe_looks]") {
    busy_store store;
    follow(store, 200, 3s, [&](int, const mirror_step&) { return store.shared >= 8; });
    std::vector<std::size_t> sizes = store.sizes();
    sizes.resize(8);
    CHECK(sizes == std::vector<std::size_t>{64, 64, 64, 8, 64, 64, 64, 8});
    CHECK(store.single_looks == 200);
    CHECK(store.warnings == 0);
}

TEST_CASE("probe looks: the ranges of one mirror are seen together", "[mirror][probe_looks]") {
    const std::size_t in_second = GENERATE(as<std::size_t>{}, 1, 0);
    busy_store store;
    store.looks = [&](const gateway_request& r) {
        REQUIRE(operations(r) == 2);
        return json(txn_body(store.at, {look_body(store.at, 1), look_body(store.at, in_second)}));
    };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        const std::vector<key_range> ranges{key_range::prefix(prefix(0)), key_range::prefix(prefix(1))};
        mirror m(c, ranges);
        co_await next_of(m, kind::connected);
        while (store.shared < 3) {
            const mirror_step s = co_await m.next();
            CHECK(s.what == kind::verified);
        }
        CHECK(store.single_looks == (in_second == 1 ? 2 : 8));   // where one is missing it is looked at again
    });
}

TEST_CASE("probe looks: a range that may no longer be read costs the others nothing, and the member neither", "[mirror][probe_looks]") {
    const auto denied = json(fault(7, "etcdserver: permission denied"), 403);
    std::atomic<bool> revoked{false};
    std::atomic<std::size_t> refusals{0}, of_two{0};
    busy_store store;
    store.looks = [&, answer = store.looks](const gateway_request& r) {
        if (revoked && asks_for(r, 1)) {
            ++refusals;
            return denied;
        }
        if (operations(r) == 3) revoked = true;
        if (operations(r) == 2) ++of_two;
        return answer(r);
    };
    store.look = [&, answer = store.look](const gateway_request& r) { return revoked && asks_for(r, 1) ? denied : answer(r); };
    bool others_told = false;
    follow(store, 3, 1s, [&](int i, const mirror_step& s) {
        if (i == 1) return s.what == kind::interrupted;
        others_told = others_told || s.what == kind::interrupted;
        return of_two >= 3;
    });
    CHECK(refusals == 1);
    CHECK_FALSE(others_told);
    CHECK(store.gateway.count(status_path) == 0);   // nobody took the member for one that is down
}

TEST_CASE("probe looks: a server that allows fewer operations gets as many as it allows", "[mirror][probe_looks]") {
    busy_store store;
    store.looks = [&, answer = store.looks](const gateway_request& r) {
        return operations(r) <= 10 ? answer(r) : json(fault(3, "etcdserver: too many operations in txn request"), 400);
    };
    follow(store, 40, 2s, [&](int, const mirror_step&) { return store.shared >= 10; });
    std::vector<std::size_t> sizes = store.sizes();
    sizes.resize(10);
    CHECK(sizes == std::vector<std::size_t>{40, 20, 10, 10, 10, 10, 10, 10, 10, 10});
    CHECK(store.single_looks == 40);
    CHECK(store.warnings == 0);
}

TEST_CASE("probe looks: where no transaction passes each mirror looks by itself", "[mirror][probe_looks]") {
    const auto answer = GENERATE(as<std::string>{}, "no such path", "not JSON", "too few", "silence");
    INFO(answer);
    busy_store store;
    store.looks = [&](const gateway_request&) {
        if (answer == "no such path") return text("404 page not found\n", 404);
        if (answer == "not JSON") return json("{\"header\":");
        return answer == "too few" ? json(txn_body(store.at, {})) : silence();
    };
    with_client(store.options(2s), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, key_range::prefix(prefix(0)));
        co_await next_of(m, kind::connected);
        while (store.probes < 4) {
            const mirror_step s = co_await m.next();
            CHECK(s.what == kind::verified);
        }
    });
    CHECK(store.shared == 2);   // then it is left alone for a while
    CHECK(store.gateway.count(watch_path) == 1);
    CHECK(store.gateway.count(status_path) == 0);
    CHECK(store.warnings == 0);
}

TEST_CASE("probe looks: a change of ours that a look finds is waited for, then asked of another stream, then loaded", "[mirror][probe_looks]") {
    const auto [deleted, delivered] = GENERATE(std::pair(false, true), std::pair(true, true), std::pair(true, false));
    constexpr revision_t change = 1000;
    const std::string key = prefix(0) + "k";
    std::atomic<revision_t> changed_at{0};
    busy_store store;
    const auto seen = [&] {
        if (changed_at == 0) return look_body(store.at, 1);
        return deleted ? look_body(store.at, 0) : look_body(store.at, 1, {pair(key, "", changed_at)});
    };
    store.looks = [&, seen](const gateway_request& r) {
        if (r.number == 2) {
            changed_at = change;
            store.at = change + 5;
        }
        return json(txn_body(store.at, {seen()}));
    };
    store.look = [&, seen](const gateway_request& r) {
        const bool known = changed_at != 0 && std::stoll(r.member("min_mod_revision")) > changed_at;
        return json(known ? look_body(store.at, deleted ? 0 : 1) : seen());
    };
    store.list = [&](const gateway_request&) {
        if (changed_at == 0) return range_body(store.at, {pair(key, "1", 5)});
        return deleted ? range_body(store.at) : range_body(store.at, {pair(key, "2", changed_at)});
    };
    store.watch = [&](const gateway_request&) {
        gateway_answer a = stream({created(store.at)}, then::hold);
        const std::string event = deleted ? erase_event(key, change) : put_event(key, "2", change);
        if (delivered) a.steps.push_back({chunk(news(change, {event})), 0ms, [&] { return changed_at != 0; }});
        return a;
    };
    with_client(store.options(), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, key_range::prefix(prefix(0)));
        co_await next_of(m, kind::connected);
        mirror_step s;
        do s = co_await m.next();
        while (s.what != kind::update && s.what != kind::resync);
        CHECK((s.what == kind::update) == delivered);
        CHECK(shown(s.events) == (deleted ? "-" + key : key + "=2") + "@" + std::to_string(delivered ? change : s.revision));
    });
    CHECK((store.gateway.count(watch_path) > 1) == !delivered);
}
