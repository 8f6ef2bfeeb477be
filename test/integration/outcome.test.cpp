#include "integration/scene.hpp"
#include "support/parallel.hpp"
#include "support/relay.hpp"

#include <dynconf/outcome_resolver.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <map>
#include <optional>
#include <random>
#include <set>

using namespace dynconf;
using namespace dynconf::test;

namespace {

constexpr int writers = 12;

/// What the store holds of a key, seen without any fault in between.
using truth = std::map<std::string, key_value>;

asio::awaitable<truth> read_all(kv& store, std::string prefix) {
    const key_range keys = key_range::prefix(std::move(prefix));
    const range_response all = co_await store.range(keys);
    truth found;
    for (const key_value& kv : all.kvs) found[kv.key] = kv;
    co_return found;
}

struct verdict {
    std::string key;
    write_state state;
    revision_t revision = 0;
};

struct tally {
    int executed = 0, not_executed = 0, unknown = 0;
    void count(write_state s) { ++(s == write_state::executed ? executed : s == write_state::unknown ? unknown : not_executed); }
};

/// Each claim about a key that was written at most once, by a write of its own.
void check(const std::vector<verdict>& claims, const truth& found) {
    for (const verdict& c : claims) {
        INFO(c.key);
        const auto at = found.find(c.key);
        if (at != found.end()) CHECK(at->second.version == 1);   // whatever was said: not twice
        if (c.state == write_state::executed) {
            REQUIRE(at != found.end());
            CHECK(at->second.mod_revision == c.revision);
        }
        if (c.state == write_state::not_executed) CHECK(at == found.end());
    }
}

/// Cuts most connections within a request or an answer of a small write, and lets some live longer.
std::function<std::size_t()> at_random(unsigned seed) {
    return [random = std::mt19937(seed)]() mutable -> std::size_t { return 1 + random() % 2500; };
}

client_options impatient(const std::string& endpoint) {
    client_options o = hasty(std::vector<std::string>(1, endpoint));
    o.request_timeout = 2s;
    o.retry_budget.most = 1e6;   // a third of all connections is cut: that is what retries are for here
    return o;
}

/// Asked until it is answered: that is what a resolver is for.
template <class Question>
asio::awaitable<resolution> resolve_at_last(outcome_resolver& resolver, Question of) {
    for (;;) {
        const Question copy = of;
        auto answer = co_await outcome(resolver.resolve(copy));
        if (answer) co_return *answer;
        co_await wait_for(5ms);
    }
}

/// A transaction of which one branch or the other writes `key`.
txn writes_either_way(const std::string& key, bool holds) {
    return txn().if_(version_of("nobody") == (holds ? 0 : 1)).then(op::put(key, "then")).else_(op::put(key, "else"));
}

}  // namespace

TEST_CASE("outcome: each is true where connections are cut at random, and nothing is executed twice", "[outcome]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    wire.cut_after(at_random(1));
    tally said;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client through(ex, impatient(wire.endpoint())), direct(ex, hasty(etcd));
            kv store(through), other(direct);
            std::vector<verdict> claims;
            std::vector<tally> counted(writers);
            const auto write = [&](int w) -> asio::awaitable<void> {
                const std::string counter = "counter/" + std::to_string(w);
                for (int i = 0; i < 40; ++i) {
                    const std::string key = "once/" + std::to_string(w) + "/" + std::to_string(i);
                    const auto done = co_await store.put(key, "v", {}, as_outcome);
                    said.count(done.state());
                    claims.push_back({key, done.state(), done.executed() ? done.value().header.revision : 0});
                    const auto counts = co_await store.put(counter, key, {}, as_outcome);
                    counted[static_cast<std::size_t>(w)].count(counts.state());
                }
            };
            co_await in_parallel(writers, write);
            const truth found = co_await read_all(other, "once/");
            check(claims, found);
            const truth counters = co_await read_all(other, "counter/");
            for (int w = 0; w < writers; ++w) {
                const tally& t = counted[static_cast<std::size_t>(w)];
                const auto at = counters.find("counter/" + std::to_string(w));
                const std::int64_t times = at == counters.end() ? 0 : at->second.version;
                CHECK(times >= t.executed);
                CHECK(times <= t.executed + t.unknown);
            }
            (void)co_await other.put("after", "v");
            const truth later = co_await read_all(other, "once/");
            CHECK(later == found);
        },
        120s);
    INFO(said.executed << " executed, " << said.unknown << " unknown, " << said.not_executed << " not");
    CHECK(said.executed > 20);
    CHECK(said.unknown > 20);
}

TEST_CASE("outcome: a marker tells of each unknown what became of it", "[outcome]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    wire.cut_after(at_random(2));
    tally said, resolved;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client through(ex, impatient(wire.endpoint())), direct(ex, hasty(etcd));
            outcome_resolver resolver(through), calm(direct);
            kv other(direct);
            std::vector<verdict> claims;
            std::vector<marker> all;
            const auto write = [&](int w) -> asio::awaitable<void> {
                for (int i = 0; i < 25; ++i) {
                    const std::string key = "once/" + std::to_string(w) + "/" + std::to_string(i);
                    const marker mark("markers/");
                    const txn what = writes_either_way(key, i % 2 == 0);
                    const auto done = co_await resolver.commit(mark, what, as_outcome);
                    said.count(done.state());
                    all.push_back(mark);
                    if (!done.unknown()) {
                        claims.push_back({key, done.state(), done.executed() ? done.value().header.revision : 0});
                        if (done.executed()) CHECK(done.value().succeeded == (i % 2 == 0));
                        continue;
                    }
                    const resolution was = co_await resolve_at_last(resolver, mark);
                    resolved.count(was.state);
                    claims.push_back({key, was.state, was.revision});
                    const resolution again = co_await resolve_at_last(resolver, mark);
                    CHECK(again.state == was.state);
                    CHECK(again.revision == was.revision);
                }
            };
            co_await in_parallel(writers, write);
            const truth found = co_await read_all(other, "once/");
            check(claims, found);

            // Later: whoever was fenced stays so, and markers can be removed.
            std::size_t fences = 0;
            for (const marker& m : all) {
                const resolution still = co_await calm.resolve(m);
                if (still.state == write_state::not_executed) ++fences;
                co_await calm.forget(m);
            }
            const truth left = co_await read_all(other, "markers/");
            CHECK(left.size() == fences);
            const truth later = co_await read_all(other, "once/");
            CHECK(later == found);
        },
        120s);
    INFO(said.executed << " executed, " << said.unknown << " unknown of which " << resolved.executed << " were and " << resolved.not_executed << " not");
    CHECK(resolved.unknown == 0);
    CHECK(resolved.executed > 5);
    CHECK(resolved.not_executed > 5);
}

TEST_CASE("outcome: a fence keeps out the write that comes after it, and a marker has one write", "[outcome]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        kv store(c);
        outcome_resolver resolver(c);
        const txn what = writes_either_way("k", true);

        const marker late("m/");
        const resolution fenced = co_await resolver.resolve(late);
        CHECK(fenced.state == write_state::not_executed);
        const auto comes = co_await resolver.commit(late, what, as_outcome);
        CHECK(comes.not_executed());
        CHECK(comes.error().code == errc::marker_taken);
        co_await resolver.forget(late);   // stays
        const auto again = co_await resolver.commit(late, what, as_outcome);
        CHECK(again.error().code == errc::marker_taken);
        CHECK(admin.read("k").empty());

        const marker used("m/");
        CHECK(used.key() != late.key());
        CHECK(used.key().size() == 2 + 32);
        const txn_response first = co_await resolver.commit(used, what);
        CHECK(first.succeeded);
        REQUIRE(first.responses.size() == 1);
        CHECK(admin.read("k").at("k").mod_revision == first.header.revision);
        const auto second = co_await resolver.commit(used, what, as_outcome);
        CHECK(second.error().code == errc::marker_taken);
        const marker kept = marker::known(used.key());
        const resolution was = co_await resolver.resolve(kept);
        CHECK(was.state == write_state::executed);
        CHECK(was.revision == first.header.revision);

        // A branch without an operation leaves its marker, too.
        const marker idle("m/");
        const txn nothing = txn().if_(version_of("nobody") == 1).then(op::put("k", "x"));
        const txn_response none = co_await resolver.commit(idle, nothing);
        CHECK_FALSE(none.succeeded);
        const resolution ran = co_await resolver.resolve(idle);
        CHECK(ran.state == write_state::executed);

        // A refusal of what is inside refuses all.
        const marker refused("m/");
        const txn twice = txn().then(op::put("x", "1")).then(op::put("x", "2"));
        const auto no = co_await resolver.commit(refused, twice, as_outcome);
        CHECK(no.not_executed());
        CHECK(no.error().code == server_errc::duplicate_key);
        CHECK(admin.read(refused.key()).empty());
    });
}

TEST_CASE("outcome: a marker goes with its lease, and then nobody claims to know", "[outcome]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.call("/v3/lease/grant", R"({"TTL":"600","ID":"77"})");
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        outcome_resolver resolver(c);
        const txn what = writes_either_way("k", true);
        const marker executed("m/", 77), fenced("m/", 77), never("m/", 77);
        (void)co_await resolver.commit(executed, what);
        (void)co_await resolver.resolve(fenced);
        const resolution was = co_await resolver.resolve(executed);
        CHECK(was.state == write_state::executed);
        CHECK(admin.read("m/").size() == 2);
        admin.call("/v3/lease/revoke", R"({"ID":"77"})");
        CHECK(admin.read("m/").empty());
        for (const marker& m : {executed, fenced, never}) {
            const auto lost = co_await outcome(resolver.resolve(m));
            REQUIRE(!lost);
            CHECK(lost.error().code == server_errc::lease_not_found);
            const auto late = co_await resolver.commit(m, what, as_outcome);   // still fenced
            CHECK(late.not_executed());
            CHECK(late.error().code == server_errc::lease_not_found);
        }
        CHECK(admin.read("k").at("k").mod_revision == was.revision);
        CHECK(admin.read("m/").empty());
    });
}

TEST_CASE("outcome: the history of a key tells of each compare-and-set what became of it", "[outcome]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("shared", "first");
    relay wire(etcd.port());
    wire.cut_after(at_random(3));
    tally resolved;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client through(ex, impatient(wire.endpoint())), direct(ex, hasty(etcd));
            outcome_resolver resolver(through), calm(direct);
            kv other(direct);
            std::map<std::string, resolution> claims;
            std::map<std::string, guarded_put> undecided;
            const auto write = [&](int w) -> asio::awaitable<void> {
                for (int i = 0; i < 25; ++i) {
                    const key_range shared = key_range::key("shared");
                    const range_response seen = co_await other.range(shared);
                    const std::string value = std::to_string(w) + "/" + std::to_string(i);
                    const guarded_put change(seen.kvs.at(0), value);
                    const auto done = co_await resolver.commit(change, as_outcome);
                    resolution was;
                    if (done.unknown()) {
                        was = co_await resolve_at_last(resolver, change);
                        resolved.count(was.state);
                        if (was.state == write_state::unknown) undecided.emplace(value, change);
                    } else if (done.executed() && done.value().succeeded) {
                        was = {write_state::executed, done.value().header.revision};
                    } else {
                        was.state = write_state::not_executed;
                    }
                    claims[value] = was;
                }
            };
            co_await in_parallel(writers, write);
            (void)co_await other.put("shared", "last");   // no guard holds any more
            for (const auto& [value, change] : undecided) {
                const resolution was = co_await calm.resolve(change);
                CHECK(was.state != write_state::unknown);
                claims[value] = was;
            }

            watch_options from_the_start;
            from_the_start.start_revision = 1;
            watcher history(direct, key_range::key("shared"), from_the_start);
            const range_response now = co_await other.range(key_range::key("shared"));
            const std::vector<event> events = co_await events_until(history, now.kvs.at(0).mod_revision);
            std::map<std::string, std::vector<revision_t>> written;
            for (const event& e : events) written[e.kv.value].push_back(e.kv.mod_revision);
            for (const auto& [value, was] : claims) {
                INFO(value);
                const auto at = written.find(value);
                CHECK((was.state == write_state::executed) == (at != written.end()));
                if (at == written.end()) continue;
                CHECK(at->second == std::vector<revision_t>{was.revision});
            }
        },
        120s);
    INFO(resolved.executed << " executed, " << resolved.not_executed << " not, " << resolved.unknown << " undecided");
    CHECK(resolved.executed > 5);
    CHECK(resolved.not_executed > 5);
}

TEST_CASE("outcome: a compare-and-set is undecided while its guard holds or its history is gone", "[outcome]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("k", "seen");
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        kv store(c);
        outcome_resolver resolver(c);
        const range_response seen = co_await store.range(key_range::key("k"));
        const guarded_put mine(seen.kvs.at(0), "mine"), other(seen.kvs.at(0), "other");
        const resolution pending = co_await resolver.resolve(mine);
        CHECK(pending.state == write_state::unknown);

        const txn_response done = co_await resolver.commit(mine);
        CHECK(done.succeeded);
        const txn_response lost = co_await resolver.commit(other);
        CHECK_FALSE(lost.succeeded);
        admin.erase("k");
        admin.put("k", "other");   // not by its guarded put
        const resolution was = co_await resolver.resolve(mine);
        CHECK(was.state == write_state::executed);
        CHECK(was.revision == done.header.revision);
        const resolution was_not = co_await resolver.resolve(other);
        CHECK(was_not.state == write_state::not_executed);
        admin.compact(admin.revision());
        const resolution forgotten = co_await resolver.resolve(mine);
        CHECK(forgotten.state == write_state::unknown);
        CHECK_THROWS_AS(guarded_put(key_value{}, "x"), std::invalid_argument);
    });
}

TEST_CASE("outcome: a server that is killed or stopped during writes makes none of them untrue", "[outcome]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    tally said, resolved;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = impatient(etcd.endpoint());
            options.request_timeout = 300ms;
            options.total_timeout = 1s;
            client c(ex, options);
            outcome_resolver resolver(c);
            kv store(c);
            std::vector<verdict> claims;
            int busy = writers;
            const auto act = [&](int w) -> asio::awaitable<void> {
                if (w == writers) {   // the fate
                    for (int round = 0; busy == writers && round < 6; ++round) {
                        const int before = said.executed;
                        co_await until([&] { return said.executed >= before + 40 || busy < writers; });
                        if (round % 2 == 0) {
                            etcd.pause();
                            const int doubts = said.unknown;
                            co_await until([&] { return said.unknown > doubts || busy == 0; });
                            etcd.resume();
                        } else {
                            etcd.kill();
                            etcd.start();
                        }
                    }
                    co_return;
                }
                for (int i = 0; i < 60; ++i) {
                    const std::string key = "once/" + std::to_string(w) + "/" + std::to_string(i);
                    const marker mark("markers/");
                    const txn what = writes_either_way(key, i % 2 == 0);
                    const auto done = co_await resolver.commit(mark, what, as_outcome);
                    said.count(done.state());
                    verdict c_{key, done.state(), done.executed() ? done.value().header.revision : 0};
                    if (done.unknown()) {
                        const resolution was = co_await resolve_at_last(resolver, mark);
                        resolved.count(was.state);
                        c_.state = was.state;
                        c_.revision = was.revision;
                    }
                    claims.push_back(c_);
                }
                --busy;
            };
            co_await in_parallel(writers + 1, act);
            const truth found = co_await read_all(store, "once/");
            check(claims, found);
        },
        180s);
    INFO(said.executed << " executed, " << said.unknown << " unknown of which " << resolved.executed << " were, " << said.not_executed << " not");
    CHECK(said.unknown > 0);
    CHECK(resolved.unknown == 0);
}

TEST_CASE("outcome: a write that is cancelled anywhere tells the truth", "[outcome]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    tally said;
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            kv store(c);
            outcome_resolver resolver(c);
            std::vector<verdict> claims;
            for (int i = 0; i < 150; ++i) {
                const std::string key = "once/" + std::to_string(i);
                const marker mark("markers/");
                asio::cancellation_signal stop;
                std::optional<write_outcome<txn_response>> done;
                resolver.commit(mark, writes_either_way(key, true), as_outcome(asio::bind_cancellation_slot(stop.slot(),
                    [&](write_outcome<txn_response> w) { done = std::move(w); })));
                for (int turn = 0; turn < i % 10; ++turn) co_await asio::post(ex, asio::use_awaitable);
                if (i % 10 == 9) co_await until([&] { return done.has_value(); });
                stop.emit(asio::cancellation_type::terminal);
                co_await until([&] { return done.has_value(); });
                said.count(done->state());
                verdict was{key, done->state(), done->executed() ? done->value().header.revision : 0};
                if (done->unknown()) {
                    CHECK(done->error().code == asio::error::operation_aborted);
                    const resolution r = co_await resolver.resolve(mark);
                    was.state = r.state;
                    was.revision = r.revision;
                }
                claims.push_back(was);
            }
            const truth found = co_await read_all(store, "once/");
            check(claims, found);
        },
        60s);
    INFO(said.executed << " executed, " << said.unknown << " unknown, " << said.not_executed << " not");
    CHECK(said.executed > 0);
    CHECK(said.unknown > 0);
    CHECK(said.not_executed > 0);
}
