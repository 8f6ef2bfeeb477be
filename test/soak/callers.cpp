#include "soak/callers.hpp"

#include "support/random_calls.hpp"

#include <dynconf/bulk.hpp>
#include <dynconf/lease.hpp>
#include <dynconf/lock.hpp>
#include <dynconf/watch.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <exception>
#include <future>
#include <iterator>
#include <utility>

namespace dynconf::test {

using namespace std::chrono_literals;
using testing::lease_operation;
using testing::sight;

namespace {

constexpr auto in_tuple = asio::as_tuple(asio::use_awaitable);
constexpr unsigned kv_clients = 3;
constexpr unsigned lockers = 2;
const std::string lock_name = "locks/soak";   // beside what is watched: who waits there is not recorded

/// Gives up soon, so that there are many calls whose outcome nobody knows.
client_options impatient(std::vector<std::string> endpoints, std::chrono::milliseconds max_staleness) {
    client_options o;
    o.endpoints = std::move(endpoints);
    o.request_timeout = 500ms;
    o.total_timeout = 2s;
    o.max_staleness = max_staleness;
    o.backoff.first = 20ms;
    o.backoff.most = 500ms;
    o.slow_retry = 500ms;
    return o;
}

asio::awaitable<void> pause(std::chrono::milliseconds d) {
    asio::steady_timer timer(co_await asio::this_coro::executor, d);
    co_await timer.async_wait(in_tuple);
}

}  // namespace

soak_callers::soak_callers(const std::vector<std::string>& endpoints, const std::vector<std::string>& members, std::chrono::milliseconds max_staleness, std::uint64_t seed, testing::known_state start_state) {
    past_.start = std::move(start_state);
    past_.foreign_writers = true;   // the keys of the lock
    for (std::size_t i = 0; i < 2 + members.size(); ++i) {
        reached_.emplace_back(0);
        farewells_.emplace_back();
    }
    thread_.emplace(1);
    const auto at = [&](std::vector<std::string> where) { return client(thread_->get_executor(), impatient(std::move(where), max_staleness)); };
    const auto make = [&] { return at(endpoints); };
    for (unsigned n = 0; n < kv_clients; ++n) start("caller", call(n, make(), seed), calling_);
    start("bulk", work_in_bulk(10, make(), seed), calling_);
    start("leases", lease(11, make(), seed), calling_);
    for (unsigned n = 0; n < lockers; ++n) start("locker", lock(20 + n, make(), seed), calling_);
    const client followers = make();
    start("watch", watch("watch", followers, 0), looking_);
    start("mirror", follow(followers, 1), looking_);
    for (std::size_t i = 0; i < members.size(); ++i) {
        const std::string name = "watch of member " + std::to_string(i);
        start(name, watch(name, at({members[i]}), 2 + i), looking_);
    }
}

void soak_callers::start(std::string name, asio::awaitable<void> what, std::atomic<unsigned>& of) {
    ++of;
    asio::post(thread_->get_executor(), [this, name = std::move(name), what = std::move(what), &of]() mutable {
        const auto place = running_.insert(running_.end(), std::move(name));
        asio::co_spawn(thread_->get_executor(), std::move(what), [this, place, &of](std::exception_ptr e) {
            try {
                if (e) std::rethrow_exception(e);
            } catch (const std::exception& x) {
                thrown_ += *place + " threw: " + x.what() + "; ";
            }
            running_.erase(place);
            --of;
        });
    });
}

void soak_callers::compacted(testing::time_point at, std::int64_t revision) {
    asio::post(thread_->get_executor(), [this, at, revision] { past_.compactions.push_back({at, revision}); });
}

bool soak_callers::stop_calling(std::chrono::seconds limit) {
    stop_ = true;
    return becomes_true([this] { return calling_ == 0; }, limit);
}

bool soak_callers::await(std::int64_t revision, std::chrono::seconds limit) const {
    return becomes_true([&] { return std::all_of(reached_.begin(), reached_.end(), [&](const auto& r) { return r >= revision; }); }, limit);
}

bool soak_callers::stop_looking(std::chrono::seconds limit) {
    done_looking_ = true;
    asio::post(thread_->get_executor(), [this] {
        for (asio::cancellation_signal& each : farewells_) each.emit(asio::cancellation_type::terminal);
    });
    if (!becomes_true([this] { return looking_ == 0; }, limit)) return false;
    thread_.reset();
    for (testing::observer& o : observers_) past_.observers.push_back(std::move(o));
    return true;
}

std::string soak_callers::left() const {
    std::promise<std::string> said;
    auto words = said.get_future();
    const auto collect = [&] {
        std::string all = thrown_;
        for (const std::string& name : running_) all += name + " has not ended; ";
        said.set_value(std::move(all));
    };
    if (!thread_) collect();
    else asio::post(const_cast<io_threads&>(*thread_).get_executor(), collect);
    return words.get();
}

testing::operation& soak_callers::note(unsigned number, op what, clock::time_point called, write_state state) {
    past_.operations.push_back({number, std::move(what), called, clock::now(), state, std::nullopt});
    return past_.operations.back();
}

void soak_callers::note_lease(unsigned number, lease_operation::kind what, lease_id id, clock::time_point called, write_state state, std::int64_t ttl) {
    past_.leases.push_back({number, what, id, called, clock::now(), state, ttl});
}

testing::observer& soak_callers::observe(std::string name, std::vector<key_range> ranges) {
    testing::observer& o = observers_.emplace_back();
    o.name = std::move(name);
    o.ranges = std::move(ranges);
    return o;
}

asio::awaitable<void> soak_callers::call(unsigned number, client c, std::uint64_t seed) {
    kv store(c);
    conditional writes(c);
    std::mt19937_64 random(seed * 31 + number);
    random_calls draw(random, 5, "soak/k/");
    for (std::uint64_t n = 0; !stop_; ++n) {
        const std::string value = "c" + std::to_string(number) + "-" + std::to_string(n);
        bool well;
        if (draw.below(8) == 0) {
            const std::string key = draw.key();
            const revision_t expected = draw.below(3) == 0 ? 0 : mod_[key];
            well = co_await record_.swap(number, writes, key, expected, value);
        } else {
            const op what = draw.next(value);
            const std::size_t mine = past_.operations.size();
            well = co_await record_.call(number, store, what);
            const auto& answer = past_.operations[mine].answer;
            if (const auto* r = answer ? std::get_if<range_response>(&*answer) : nullptr) {
                for (const key_value& kv : r->kvs) mod_[kv.key] = kv.mod_revision;
                newest_ = std::max<std::int64_t>(newest_, r->header.revision);
            }
        }
        co_await pause(well ? 15ms : 30ms);
    }
}

asio::awaitable<void> soak_callers::work_in_bulk(unsigned number, client c, std::uint64_t seed) {
    std::mt19937_64 random(seed * 31 + number);
    for (std::uint64_t n = 0; !stop_; ++n) {
        bulk_options how;
        how.split = random() % 3 != 0;
        how.max_ops = how.split ? 1 + random() % 4 : 128;
        std::vector<op> ops;
        for (int k = 0; k < 8; ++k) {
            const std::string key = "soak/m/" + std::to_string(k);
            if (random() % 3 == 0) ops.push_back(op::delete_range(key_range::key(key)));
            else ops.push_back(op::put(key, "b" + std::to_string(n) + "-" + std::to_string(k)));
        }
        bulk store(c, how);
        const bulk_progress none;
        const auto called = clock::now();
        auto [ec, answer] = co_await store.execute(ops, none, in_tuple);
        if (ec) throw exception(error{ec, "bulk"});   // only for what can be seen before anything is sent
        for (const bulk_part& part : answer.parts) {
            if (part.state == write_state::not_executed) continue;
            txn what;
            for (std::size_t i = part.first; i < part.first + part.count; ++i) what.then(ops[i]);
            testing::operation& o = note(number, op::txn(std::move(what)), called, part.state);
            if (part.state != write_state::executed) continue;
            txn_response said;
            said.header = part.header;
            said.succeeded = true;
            said.responses = part.responses;
            o.answer = op_response(std::move(said));
        }
        co_await pause(100ms);
    }
}

asio::awaitable<void> soak_callers::lease(unsigned number, client c, std::uint64_t seed) {
    std::mt19937_64 random(seed * 31 + number);
    leases all(c);
    kv store(c);
    for (std::uint64_t n = 0; !stop_; ++n) {
        co_await pause(200ms);
        auto called = clock::now();
        const std::chrono::milliseconds ttl = 2s + std::chrono::seconds(random() % 4);
        auto granted = co_await all.grant(ttl, lease_id{0}, as_outcome);
        if (!granted.executed()) continue;
        const lease_grant_response given = granted.value();
        note_lease(number, lease_operation::kind::grant, given.id, called, write_state::executed, given.ttl.count());

        const std::string key = "soak/l/leased", value = "l" + std::to_string(n);
        put_options how;
        how.lease = given.id;
        called = clock::now();
        auto put = co_await store.put(key, value, how, as_outcome);
        testing::operation& o = note(number, op::put(key, value, how), called, put.state());
        if (put.executed()) o.answer = op_response(put.value());

        for (auto times = random() % 4; times > 0; --times) {
            co_await pause(500ms);
            called = clock::now();
            auto [ec, kept] = co_await all.keep_alive_once(given.id, in_tuple);
            if (ec) break;
            note_lease(number, lease_operation::kind::keep_alive, given.id, called, write_state::executed, kept.ttl.count());
        }
        if (random() % 2 == 0) continue;   // it ends by itself
        called = clock::now();
        auto revoked = co_await all.revoke(given.id, as_outcome);
        note_lease(number, lease_operation::kind::revoke, given.id, called, revoked.state());
    }
}

asio::awaitable<void> soak_callers::note_loss(claim mine, std::size_t holding) {
    co_await mine.lost(in_tuple);
    auto& until = past_.holdings[holding].until;
    if (!until) until = clock::now();
}

asio::awaitable<void> soak_callers::lock(unsigned number, client c, std::uint64_t seed) {
    std::mt19937_64 random(seed * 31 + number);
    claim_options how;
    how.ttl = 3s;
    how.wait_timeout = 10s;
    mutex m(c, lock_name, how);
    kv store(c);
    const std::string key = "soak/l/guarded";
    for (std::uint64_t n = 0; !stop_;) {
        auto [ec, mine] = co_await m.lock(in_tuple);
        if (ec) {
            co_await pause(100ms);
            continue;
        }
        const std::size_t holding = past_.holdings.size();
        past_.holdings.push_back({number, lock_name, mine.key(), mine.token(), clock::now(), std::nullopt});
        start("loss", note_loss(mine, holding), calling_);
        for (auto writes = 1 + random() % 4; writes > 0 && mine.valid(); --writes) {
            const std::string value = "g" + std::to_string(number) + "-" + std::to_string(n++);
            txn what = txn().if_(mine.held()).then(op::put(key, value));
            const auto called = clock::now();
            auto done = co_await store.commit(what, as_outcome);
            if (done.executed() && !done.value().succeeded) break;   // refused: it has changed nothing
            testing::operation& o = note(number, op::put(key, value), called, done.state());
            o.guard = mine.token();
            if (done.executed()) {
                put_response said;
                said.header = done.value().header;
                o.answer = op_response(std::move(said));
            }
            co_await pause(50ms);
        }
        auto& until = past_.holdings[holding].until;
        if (!until) until = clock::now();
        co_await mine.unlock(in_tuple);
        co_await pause(20ms);
    }
}

asio::awaitable<void> soak_callers::watch(std::string name, client c, std::size_t number) {
    watch_options how;
    how.start_revision = past_.start.revision + 1;
    how.prev_kv = true;
    const key_range range = key_range::prefix("soak/");
    asio::cancellation_signal& farewell = *std::next(farewells_.begin(), static_cast<std::ptrdiff_t>(number));
    for (unsigned n = 0; !done_looking_; ++n) {
        testing::observer& me = observe(name + ", " + std::to_string(n), {range});
        me.prev_kv = true;
        me.seen.push_back({.what = sight::kind::started, .at = clock::now(), .revision = how.start_revision});
        watcher news(c, range, how);
        for (;;) {
            auto token = asio::bind_cancellation_slot(farewell.slot(), in_tuple);
            auto [ec, batch] = co_await news.next(token);
            if (done_looking_) co_return;
            if (ec) {
                me.seen.push_back({.what = sight::kind::ended, .at = clock::now(), .end = testing::ending_of(ec)});
                break;
            }
            reached_[number] = batch.revision;
            me.seen.push_back({.at = clock::now(), .revision = batch.revision, .events = std::move(batch.events)});
        }
        // What it has not seen does not concern it any more, another one begins at the present. Whether it had to is judged.
        while (!done_looking_) {
            kv store(c);
            range_options count;
            count.count_only = true;
            const key_range any = key_range::key("soak/");
            auto [ec, present] = co_await store.range(any, count, in_tuple);
            if (!ec) {
                how.start_revision = present.header.revision + 1;
                break;
            }
            co_await pause(50ms);
        }
    }
}

asio::awaitable<void> soak_callers::follow(client c, std::size_t number) {
    std::vector<key_range> ranges{key_range::prefix("soak/k/"), key_range::prefix("soak/l/"), key_range::prefix("soak/m/")};
    testing::observer& me = observe("mirror", ranges);
    mirror content(c, ranges);
    mirror_recorder claims(me);
    asio::cancellation_signal& farewell = *std::next(farewells_.begin(), static_cast<std::ptrdiff_t>(number));
    while (!done_looking_) {
        auto token = asio::bind_cancellation_slot(farewell.slot(), in_tuple);
        auto [ec, step] = co_await content.next(token);
        if (done_looking_) break;
        if (ec) continue;
        claims.take(step);
        if (!step.events.empty() || step.what == mirror_step::kind::snapshot) reached_[number] = step.revision;
    }
    claims.end();
}

}  // namespace dynconf::test
