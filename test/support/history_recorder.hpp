#pragma once

#include "testing/history.hpp"

#include <dynconf/conditional.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/write_outcome.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::test {

namespace asio = boost::asio;

/// Makes calls of a client, and writes down what became of each: for the thread of one io_context.
class history_recorder {
public:
    using clock = std::chrono::steady_clock;

    explicit history_recorder(testing::history& h) : history_(h) {}

    /// One call through `kv`; whether it was executed.
    asio::awaitable<bool> call(unsigned client, kv store, op what) {
        const std::size_t i = begin(client, what);
        if (const auto* r = std::get_if<op::range_op>(&what.what())) {
            auto [ec, done] = co_await store.range(r->range, r->options, asio::as_tuple(asio::use_awaitable));
            finish(i, ec ? write_state::not_executed : write_state::executed);
            if (!ec) answer(i, std::move(done));
        } else if (const auto* p = std::get_if<op::put_op>(&what.what())) {
            auto done = co_await store.put(p->key, p->value, p->options, as_outcome);
            end(i, std::move(done));
        } else if (const auto* d = std::get_if<op::delete_op>(&what.what())) {
            auto done = co_await store.delete_range(d->range, d->options, as_outcome);
            end(i, std::move(done));
        } else {
            auto done = co_await store.commit(*std::get<op::txn_op>(what.what()).what, as_outcome);
            end(i, std::move(done));
        }
        co_return history_.operations[i].state == write_state::executed;
    }

    /// A conditional write: written down as the transaction that it is.
    asio::awaitable<bool> swap(unsigned client, conditional writes, std::string key, revision_t expected, std::string value) {
        txn same = txn().if_(mod_revision_of(key) == expected).then(op::put(key, value)).else_(op::range(key_range::key(key)));
        const std::size_t i = begin(client, op::txn(std::move(same)));
        auto done = co_await writes.compare_and_swap(key, expected, value, {}, as_outcome);
        finish(i, done.state());
        if (!done.executed()) co_return false;
        const conditional_response r = done.value();
        txn_response t;
        t.header = r.header;
        t.succeeded = r.succeeded;
        if (r.succeeded) {
            t.responses.push_back(put_response());
        } else {
            range_response found;
            if (r.current) found.kvs.push_back(*r.current);
            found.count = r.current ? 1 : 0;
            t.responses.push_back(std::move(found));
        }
        answer(i, std::move(t));
        co_return true;
    }

private:
    std::size_t begin(unsigned client, const op& what) {
        history_.operations.push_back({client, what, clock::now(), {}, write_state::unknown, {}});
        return history_.operations.size() - 1;
    }
    void finish(std::size_t i, write_state s) {
        history_.operations[i].returned = clock::now();
        history_.operations[i].state = s;
    }
    template <class T>
    void answer(std::size_t i, T a) { history_.operations[i].answer = op_response(std::move(a)); }
    template <class T>
    void end(std::size_t i, write_outcome<T> done) {
        finish(i, done.state());
        if (done.executed()) answer(i, std::move(done).value());
    }

    testing::history& history_;
};

/// Turns the steps of a mirror into what it claims: current from a proof on, for as long as the proof is good.
class mirror_recorder {
public:
    using sight = testing::sight;
    using clock = std::chrono::steady_clock;

    explicit mirror_recorder(testing::observer& to) : to_(to) { to_.what = testing::observer::kind::mirror; }

    void take(const mirror_step& step) {
        const auto now = clock::now();
        expire(now);
        switch (step.what) {
            case mirror_step::kind::snapshot: to_.seen.push_back({sight::kind::snapshot, now, step.revision, {}, step.content}); break;
            case mirror_step::kind::update: to_.seen.push_back({sight::kind::batch, now, step.revision, step.events}); break;
            case mirror_step::kind::resync: to_.seen.push_back({sight::kind::resync, now, step.revision, step.events, {}, step.why}); break;
            case mirror_step::kind::connected:
            case mirror_step::kind::verified:
                good_until_ = step.good_until;
                if (!live_ && now < good_until_) {
                    live_ = true;
                    to_.seen.push_back({sight::kind::live, now});
                }
                break;
            case mirror_step::kind::interrupted: break;   // the last proof holds for as long as it said
        }
    }
    /// Nothing more comes.
    void end() { expire(clock::now()); }

private:
    void expire(clock::time_point now) {
        if (!live_ || now <= good_until_) return;
        live_ = false;
        to_.seen.push_back({sight::kind::stale, good_until_});
    }

    testing::observer& to_;
    clock::time_point good_until_{};
    bool live_ = false;
};

}  // namespace dynconf::test
