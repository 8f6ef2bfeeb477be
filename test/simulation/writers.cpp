#include "simulation/stage.hpp"

#include <dynconf/bulk.hpp>
#include <dynconf/conditional.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/lease.hpp>

// Clients that read and write keys.

namespace dynconf::simulation_test {

namespace {

using testing::lease_operation;

class writer {
public:
    writer(stage& s, std::size_t who, std::size_t c, seeded_random random)
        : stage_(s), who_(who), client_(s.client_of(c)), random_(random), name_("writer " + std::to_string(who)) {}

    asio::awaitable<void> work() {
        while (!stage_.over()) {
            co_await one();
            const milliseconds pause = random_.between(0ms, 1'500ms);
            co_await stage_.sleep(pause);
        }
    }

private:
    std::string some_key() { return key(random_.below(key_count)); }
    std::string new_value() { return "w" + std::to_string(who_) + "-" + std::to_string(++values_); }

    asio::awaitable<void> one() {
        signal_ = stage_.patience(random_, 0.03);
        const auto which = random_.below(20);
        if (which < 6) co_await put();
        else if (which < 8) co_await erase();
        else if (which < 11) co_await read();
        else if (which < 15) co_await transact();
        else if (which < 17) co_await swap();
        else if (which < 19) co_await many();
        else co_await lease();
        signal_.reset();
    }

    auto as_write() { return as_outcome(asio::bind_cancellation_slot(signal_->slot(), asio::use_awaitable)); }
    auto as_read() { return asio::bind_cancellation_slot(signal_->slot(), in_tuple); }

    asio::awaitable<void> put() {
        const std::string k = some_key(), v = new_value();
        const stage::doing now(stage_, name_ + " puts " + k);
        put_options how;
        how.prev_kv = random_.chance(0.3);
        const time_point called = stage_.now();
        kv store(client_);
        auto token = as_write();
        auto done = co_await store.put(k, v, how, token);
        stage_.note(who_, op::put(k, v, how), called, done);
    }

    asio::awaitable<void> erase() {
        const key_range range = random_.chance(0.8) ? key_range::key(some_key()) : key_range::interval(key(0), key(1 + random_.below(key_count - 1)));
        const stage::doing now(stage_, name_ + " deletes " + range.first());
        delete_options how;
        how.prev_kv = random_.chance(0.3);
        const time_point called = stage_.now();
        kv store(client_);
        auto token = as_write();
        auto done = co_await store.delete_range(range, how, token);
        stage_.note(who_, op::delete_range(range, how), called, done);
    }

    asio::awaitable<void> read() {
        const key_range range = random_.chance(0.5) ? key_range::key(some_key()) : key_range::prefix(keys);
        const stage::doing now(stage_, name_ + " reads " + range.first());
        range_options how;
        if (random_.chance(0.2)) how.limit = 3;
        const time_point called = stage_.now();
        kv store(client_);
        auto token = as_read();
        auto [ec, answer] = co_await store.range(range, how, token);
        testing::operation& o = stage_.noted(who_, op::range(range, how), called, ec ? write_state::not_executed : write_state::executed);
        if (ec) co_return;
        for (const key_value& kv : answer.kvs) seen_ = kv;
        o.answer = op_response(std::move(answer));
    }

    /// One of two branches, by what was seen last.
    asio::awaitable<void> transact() {
        const std::string a = some_key();
        std::string b = some_key();
        if (b == a) b = keys + "other";
        txn what;
        if (random_.chance(0.5) && !seen_.key.empty()) what.if_(mod_revision_of(seen_.key) == seen_.mod_revision);
        else what.if_(version_of(a) != 0);
        what.then(op::put(a, new_value()));
        if (random_.chance(0.7)) what.then(op::put(b, new_value()));
        else what.then(op::delete_range(key_range::key(b)));
        if (random_.chance(0.5)) what.then(op::range(key_range::prefix(keys)));
        if (random_.chance(0.5)) what.else_(op::put(b, new_value()));
        else what.else_(op::range(key_range::key(b)));
        const stage::doing now(stage_, name_ + " commits on " + a);
        const time_point called = stage_.now();
        kv store(client_);
        auto token = as_write();
        auto done = co_await store.commit(what, token);
        stage_.note(who_, op::txn(what), called, done);
    }

    /// The library's own transactions, whose answers are told apart.
    asio::awaitable<void> swap() {
        const std::string k = some_key(), v = new_value();
        const stage::doing now(stage_, name_ + " swaps " + k);
        txn what;
        if (random_.chance(0.5)) what.if_(version_of(k) == 0);
        else what.if_(version_of(k) != 0);
        const bool create = what.compares().front().is == comparison::relation::equal;
        put_options as_written;
        as_written.ignore_lease = !create;
        what.then(op::put(k, v, as_written));
        what.else_(op::range(key_range::key(k)));
        const time_point called = stage_.now();
        conditional writes(client_);
        put_options how;
        auto token = as_write();
        if (create) {
            auto done = co_await writes.create_if_absent(k, v, how, token);
            note(std::move(what), called, done);
        } else {
            auto done = co_await writes.update_if_exists(k, v, how, token);
            note(std::move(what), called, done);
        }
    }
    void note(txn what, time_point called, const write_outcome<conditional_response>& done) {
        testing::operation& o = stage_.noted(who_, op::txn(std::move(what)), called, done.state());
        if (!done.executed()) return;
        txn_response answer;
        answer.header = done.value().header;
        answer.succeeded = done.value().succeeded;
        o.answer = op_response(std::move(answer));
    }

    asio::awaitable<void> many() {
        bulk_options how;
        how.split = random_.chance(0.7);
        how.max_ops = how.split ? 1 + random_.below(4) : 128;
        std::vector<op> ops;
        for (std::uint64_t k = 0; k < key_count; ++k)
            if (random_.chance(0.5)) ops.push_back(random_.chance(0.7) ? op::put(key(k), new_value()) : op::delete_range(key_range::key(key(k))));
        if (ops.empty()) co_return;
        const stage::doing now(stage_, name_ + " works in bulk");
        const time_point called = stage_.now();
        bulk store(client_, how);
        bulk_progress none;
        auto token = as_read();
        auto [ec, answer] = co_await store.execute(ops, none, token);
        if (ec) co_return stage_.fault(name_ + ": bulk failed: " + ec.message());
        for (const bulk_part& part : answer.parts) {
            txn what;
            for (std::size_t i = part.first; i < part.first + part.count; ++i) what.then(ops[i]);
            testing::operation& o = stage_.noted(who_, op::txn(what), called, part.state);
            if (part.state != write_state::executed) continue;
            txn_response said;
            said.header = part.header;
            said.succeeded = true;
            said.responses = part.responses;
            o.answer = op_response(std::move(said));
        }
    }

    /// A key that lives for a while, with keep-alives or without.
    asio::awaitable<void> lease() {
        const stage::doing now(stage_, name_ + " leases");
        leases all(client_);
        const milliseconds ttl = random_.between(2'000ms, 6'000ms);
        time_point called = stage_.now();
        const lease_id drawn = 0;
        auto granted = co_await all.grant(ttl, drawn, as_outcome);
        if (!granted.executed()) co_return;
        const lease_grant_response given = granted.value();
        note(lease_operation::kind::grant, given.id, called, write_state::executed, given.ttl.count());

        const std::string k = keys + "leased", v = new_value();
        put_options how;
        how.lease = given.id;
        called = stage_.now();
        kv store(client_);
        auto put = co_await store.put(k, v, how, as_outcome);
        stage_.note(who_, op::put(k, v, how), called, put);

        if (random_.chance(0.6)) {
            const auto enough = std::make_shared<asio::cancellation_signal>();
            stop_after(enough, random_.between(500ms, 15'000ms));
            auto token = asio::bind_cancellation_slot(enough->slot(), in_tuple);
            auto [ec] = co_await all.keep_alive(given, token);
            // Who was not told of a loss until it went may rely on the lease.
            const auto& there = stage_.cluster().store().leases();
            if (ec == asio::error::operation_aborted && !there.contains(given.id)) stage_.fault(name_ + ": a lease that is kept alive has ended");
            if (ec == errc::lease_revoked) stage_.fault(name_ + ": a lease ended before its time");
            if (ec != asio::error::operation_aborted && stage_.calm()) stage_.fault(name_ + ": a lease was lost though all was well: " + ec.message());
        }
        if (!random_.chance(0.5)) co_return;
        called = stage_.now();
        auto revoked = co_await all.revoke(given.id, as_outcome);
        note(lease_operation::kind::revoke, given.id, called, revoked.state(), 0);
    }

    void stop_after(const std::shared_ptr<asio::cancellation_signal>& what, milliseconds d) {
        stage_.spawn(name_ + "'s clock", [](stage& s, std::shared_ptr<asio::cancellation_signal> signal, milliseconds time) -> asio::awaitable<void> {
            co_await s.sleep(time);
            signal->emit(asio::cancellation_type::terminal);
        }(stage_, what, d));
    }

    void note(lease_operation::kind what, lease_id id, time_point called, write_state state, std::int64_t ttl) {
        lease_operation o;
        o.client = static_cast<unsigned>(who_);
        o.what = what;
        o.id = id;
        o.called = called;
        o.returned = stage_.now();
        o.state = state;
        o.ttl = ttl;
        stage_.record().leases.push_back(o);
    }

    stage& stage_;
    std::size_t who_;
    client client_;
    seeded_random random_;
    std::string name_;
    std::size_t values_ = 0;
    key_value seen_;
    std::shared_ptr<asio::cancellation_signal> signal_;
};

asio::awaitable<void> work(stage& s, std::size_t who, std::size_t c, seeded_random random) {
    writer w(s, who, c, random);
    co_await w.work();
}

}  // namespace

void begin_writers(stage& s, seeded_random& random) {
    const std::size_t writers = 1 + random.below(3);
    for (std::size_t i = 0; i < writers; ++i)
        s.spawn("writer " + std::to_string(i), work(s, i, random.below(s.drawn().clients), random.branch()));
}

}  // namespace dynconf::simulation_test
