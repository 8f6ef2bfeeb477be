// The sealer by itself: which values of an answer it looks at, and how it asks for keys.

#include "etcd/sealer.hpp"

#include "support/catch.hpp"
#include "support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using etcd::sealer;
using etcd::values;

namespace {

using strings = std::vector<std::string>;

key_value item(std::string key) {
    key_value kv;
    kv.key = std::move(key);
    return kv;
}

range_response found(strings keys) {
    range_response r;
    for (std::string& key : keys) r.kvs.push_back(item(std::move(key)));
    return r;
}

/// "a b- c": the keys, with a minus where the value is a previous one.
std::string shown(const values& what) {
    std::string all;
    for (const values::item& i : what.all()) all += (all.empty() ? "" : " ") + i.kv->key + (i.newest ? "" : "-");
    return all;
}

using provide = std::function<asio::awaitable<std::optional<sealing_key>>(std::string)>;

std::shared_ptr<sealer> with(const etcd::strand& on, provide provider, std::chrono::milliseconds limit = 10s) {
    sealing_options options;
    options.provider = std::move(provider);
    options.key_timeout = limit;
    return std::make_shared<sealer>(on, key_ring("own", sealing_key::generate()), std::move(options));
}

const auto never = transport::clock::time_point::max();

struct found_keys {
    policy::wanted_keys keys;
    bool complete;
};

/// What is there for an answer sealed with these, by `due`.
asio::awaitable<found_keys> keys_for(std::shared_ptr<sealer> s, std::set<std::string> ids, transport::clock::time_point due) {
    policy::wanted_keys keys = s->none_yet();
    s->want(keys, ids);
    const bool complete = co_await s->at_hand(keys, due);
    co_return found_keys{std::move(keys), complete};
}

/// Runs `body(strand)` on a strand.
template <class Body>
void run_on_strand(Body body) {
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const etcd::strand on = asio::make_strand(asio::any_io_executor(executor));
        co_await asio::co_spawn(on, body(on), asio::use_awaitable);
    });
}

}  // namespace

TEST_CASE("sealer: it looks at the values of an answer, and at nothing that has none", "[sealing]") {
    range_response read = found({"a", "b"});
    range_options names, count;
    names.keys_only = count.count_only = true;
    CHECK(shown(values(read, range_options())) == "a b");
    CHECK(shown(values(read, names)).empty());
    CHECK(shown(values(read, count)).empty());

    put_response put;
    CHECK(shown(values(put)).empty());
    put.prev_kv = item("p");
    CHECK(shown(values(put)) == "p-");
    delete_response gone;
    gone.prev_kvs = {item("d"), item("e")};
    CHECK(shown(values(gone)) == "d- e-");

    std::vector<event> events(3);
    events[0].kv = item("x");
    events[1].kv = item("y");
    events[1].prev_kv = item("y");
    events[2].kv = item("z");
    events[2].type = event::kind::erase;
    events[2].prev_kv = item("z");
    CHECK(shown(values(events)) == "x y y- z-");

    // A transaction by the branch that was executed, whole or cut.
    const auto asked = [&] {
        return txn()
            .then(op::range(key_range::all(), names)).then(op::put("p", "1")).then(op::range(key_range::all()))
            .else_(op::txn(txn().then(op::range(key_range::all(), count)).else_(op::range(key_range::all()))));
    };
    txn_response then;
    then.succeeded = true;
    then.responses = {found({"a"}), put, found({"b"})};
    CHECK(shown(values(then, asked())) == "p- b");
    txn_response inner;
    inner.responses = {found({"c"})};
    txn_response otherwise;
    otherwise.responses = {inner};
    CHECK(shown(values(otherwise, asked())) == "c");
    otherwise.responses.clear();
    CHECK(shown(values(otherwise, asked())).empty());
    otherwise.responses = {found({"not asked for"})};
    CHECK(shown(values(otherwise, asked())).empty());
}

TEST_CASE("sealer: many who need a key ask for it once, also when the first of them goes", "[sealing]") {
    run_on_strand([](etcd::strand on) -> asio::awaitable<void> {
        const auto gate = std::make_shared<asio::steady_timer>(on, std::chrono::hours(1));
        strings asked;
        const std::shared_ptr<sealer> s = with(on, [gate, &asked](std::string id) -> asio::awaitable<std::optional<sealing_key>> {
            asked.push_back(id);
            co_await gate->async_wait(transport::as_result);
            co_return sealing_key::generate();
        });
        int ended = 0, complete = 0;
        const auto need = [&, s]() -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            const std::set<std::string> ids{"own", "x"};
            const found_keys with = co_await keys_for(s, ids, never);
            ++ended;
            if (with.complete && with.keys.keys().has("x")) ++complete;
        };
        asio::cancellation_signal stop;
        asio::co_spawn(on, need(), asio::bind_cancellation_slot(stop.slot(), asio::detached));
        for (int i = 0; i < 4; ++i) asio::co_spawn(on, need(), asio::detached);
        while (asked.empty()) co_await asio::post(on, asio::use_awaitable);
        stop.emit(asio::cancellation_type::terminal);
        while (ended == 0) co_await asio::post(on, asio::use_awaitable);
        CHECK(complete == 0);
        gate->cancel();
        while (ended < 5) co_await asio::post(on, asio::use_awaitable);
        CHECK(complete == 4);
        CHECK(asked == strings{"x"});
    });
}

TEST_CASE("sealer: a provider that throws, has no such key, or is too late", "[sealing]") {
    run_on_strand([](etcd::strand on) -> asio::awaitable<void> {
        const auto why = [on](provide provider, std::chrono::milliseconds limit) -> asio::awaitable<error> {
            const std::shared_ptr<sealer> s = with(on, std::move(provider), limit);
            const std::set<std::string> ids{"x"};
            const found_keys got = co_await keys_for(s, ids, never);
            CHECK(got.complete);
            co_return got.keys.why_without("x").value();
        };
        const provide throws_at_once = [](std::string) -> asio::awaitable<std::optional<sealing_key>> { throw std::runtime_error("no vault"); };
        const provide throws_later = [](std::string) -> asio::awaitable<std::optional<sealing_key>> {
            throw std::runtime_error("no vault");
            co_return std::nullopt;
        };
        const provide has_none = [](std::string) -> asio::awaitable<std::optional<sealing_key>> { co_return std::nullopt; };
        const std::vector<provide> failing{throws_at_once, throws_later};
        for (const provide& fails : failing) {
            const error e = co_await why(fails, 10s);
            CHECK(e.code == errc::key_unavailable);
            CHECK(e.message().find("no vault") != std::string::npos);
        }
        const error none = co_await why(has_none, 10s);
        CHECK(none.code == errc::unknown_key_id);
        bool cancelled = false;
        const provide waits = [&cancelled](std::string) -> asio::awaitable<std::optional<sealing_key>> {
            asio::steady_timer long_time(co_await asio::this_coro::executor, std::chrono::hours(1));
            co_await long_time.async_wait(transport::as_result);
            cancelled = true;
            co_return std::nullopt;
        };
        const error late = co_await why(waits, 20ms);
        CHECK(late.code == errc::key_unavailable);
        CHECK(late.message().find("20 ms") != std::string::npos);
        while (!cancelled) co_await asio::post(on, asio::use_awaitable);
    });
}

TEST_CASE("sealer: an answer that comes too late is kept, and nobody waits past his own limit", "[sealing]") {
    run_on_strand([](etcd::strand on) -> asio::awaitable<void> {
        const auto gate = std::make_shared<asio::steady_timer>(on, std::chrono::hours(1));
        const auto deaf = [gate](std::string) -> asio::awaitable<std::optional<sealing_key>> {
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            co_await gate->async_wait(transport::as_result);
            co_return sealing_key::generate();
        };
        const std::shared_ptr<sealer> s = with(on, deaf, 30ms);
        const std::set<std::string> ids{"x"};
        const found_keys hasty = co_await keys_for(s, ids, transport::clock::now());
        CHECK_FALSE(hasty.complete);
        const found_keys given_up = co_await keys_for(s, ids, never);
        CHECK(given_up.complete);
        CHECK(given_up.keys.why_without("x").value().code == errc::key_unavailable);
        gate->cancel();
        for (;;) {
            const found_keys now = co_await keys_for(s, ids, transport::clock::now());
            if (now.keys.keys().has("x")) break;
            co_await asio::post(on, asio::use_awaitable);
        }
    });
}

TEST_CASE("sealer: made-up ids cost so many calls, so many at once, and no key that is known", "[sealing]") {
    run_on_strand([](etcd::strand on) -> asio::awaitable<void> {
        std::size_t asked = 0, at_once = 0, most_at_once = 0;
        const std::shared_ptr<sealer> s = with(on, [&](std::string id) -> asio::awaitable<std::optional<sealing_key>> {
            ++asked;
            most_at_once = std::max(most_at_once, ++at_once);
            co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
            --at_once;
            if (id == "good") co_return sealing_key::generate();
            co_return std::nullopt;
        });
        const std::set<std::string> good{"good"};
        const found_keys before = co_await keys_for(s, good, never);
        CHECK(before.keys.keys().has("good"));
        CHECK(asked == 1);

        std::set<std::string> flood{"good"};
        for (int i = 0; i < 10'000; ++i) flood.insert("forged-" + std::to_string(i));
        const std::size_t most = sealer::most_asked_for;
        const found_keys flooded = co_await keys_for(s, flood, never);
        CHECK(flooded.complete);
        CHECK(asked == 1 + most);
        CHECK(most_at_once == policy::key_questions::most_at_once);
        CHECK(flooded.keys.keys().has("good"));
        std::size_t absent = 0, refused = 0;
        for (const std::string& id : flood) {
            const std::optional<error> why = flooded.keys.why_without(id);
            if (why && why->code == errc::unknown_key_id) ++absent;
            if (why && why->code == errc::key_unavailable) ++refused;
        }
        CHECK(absent == most);
        CHECK(refused == 10'000 - most);

        const found_keys after = co_await keys_for(s, good, never);
        CHECK(after.keys.keys().has("good"));
        CHECK(asked == 1 + most);
    });
}
