#include "simulation/stage.hpp"

#include <dynconf/election.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/lock.hpp>

// Clients that want to be alone: locks and elections.

namespace dynconf::simulation_test {

namespace {

class contestant {
public:
    contestant(stage& s, std::size_t who, std::size_t c, seeded_random random, std::string name)
        : stage_(s), who_(who), client_(s.client_of(c)), random_(random), label_(std::move(name)) {
        how_.ttl = random_.between(2'000ms, 6'000ms);
        how_.wait_timeout = random_.between(1'000ms, 30'000ms);
    }

    asio::awaitable<void> lock() {
        mutex m(client_, "/locks/a", how_);
        while (!stage_.over()) {
            signal_ = stage_.patience(random_, 0.1);
            auto token = asio::bind_cancellation_slot(signal_->slot(), in_tuple);
            const bool wait = random_.chance(0.8);
            stage_.say([&] { return label_ + " wants the lock"; });
            held_lock mine;
            {
                const stage::doing now(stage_, label_ + (wait ? " waits for the lock" : " tries the lock"));
                if (wait) {
                    auto [ec, got] = co_await m.lock(token);
                    if (!ec) mine = std::move(got);
                } else {
                    auto [ec, got] = co_await m.try_lock(token);
                    if (!ec) mine = std::move(got);
                }
            }
            if (mine) {
                const std::size_t holding = begin(mine, "/locks/a");
                co_await use(mine, holding);
                const stage::doing now(stage_, label_ + " unlocks");
                end(holding);
                co_await mine.unlock(in_tuple);
            }
            const milliseconds pause = random_.between(100ms, 4'000ms);
            co_await stage_.sleep(pause);
        }
    }

    asio::awaitable<void> lead() {
        election e(client_, "/elections/b", how_);
        while (!stage_.over()) {
            signal_ = stage_.patience(random_, 0.1);
            auto token = asio::bind_cancellation_slot(signal_->slot(), in_tuple);
            leadership mine;
            {
                const stage::doing now(stage_, label_ + " campaigns");
                auto [ec, won] = co_await e.campaign(label_, token);
                if (!ec) mine = std::move(won);
            }
            if (mine) {
                const std::size_t holding = begin(mine, "/elections/b");
                if (random_.chance(0.5)) {
                    const stage::doing now(stage_, label_ + " proclaims");
                    const std::string value = label_ + " again";
                    (void)co_await mine.proclaim(value, as_outcome);   // the store tells what came of it
                }
                co_await use(mine, holding);
                const stage::doing now(stage_, label_ + " resigns");
                end(holding);
                co_await mine.resign(in_tuple);
            }
            const milliseconds pause = random_.between(100ms, 4'000ms);
            co_await stage_.sleep(pause);
        }
    }

private:
    std::size_t begin(const claim& mine, std::string name) {
        stage_.say([&] { return label_ + " holds " + mine.key() + ", token " + std::to_string(mine.token()); });
        testing::holding h;
        h.client = static_cast<unsigned>(who_);
        h.name = std::move(name);
        h.key = mine.key();
        h.token = mine.token();
        h.from = stage_.now();
        auto& all = stage_.record().holdings;
        all.push_back(std::move(h));
        const std::size_t number = all.size() - 1;
        stage_.spawn(label_ + " may lose " + mine.key(), [](stage& s, claim what, std::size_t which) -> asio::awaitable<void> {
            co_await what.lost(in_tuple);
            auto& until = s.record().holdings[which].until;
            if (!until) until = s.now();
        }(stage_, mine, number));
        return number;
    }
    void end(std::size_t number) {
        stage_.say([&] { return label_ + " gives up " + stage_.record().holdings[number].key; });
        auto& until = stage_.record().holdings[number].until;
        if (!until) until = stage_.now();
    }

    /// Writes under the claim's guard. What the guard compares is not part of this history: a write that was refused for it
    /// leaves nothing to be judged.
    asio::awaitable<void> use(const claim& mine, std::size_t) {
        const auto writes = random_.below(4);
        for (std::uint64_t i = 0; i < writes && mine.valid(); ++i) {
            const std::string k = keys + "guarded", v = label_ + "-" + std::to_string(++values_);
            const stage::doing now(stage_, label_ + " writes under guard");
            txn what = txn().if_(mine.held()).then(op::put(k, v));
            const time_point called = stage_.now();
            kv store(client_);
            auto done = co_await store.commit(what, as_outcome);
            if (done.executed() && !done.value().succeeded) co_return;
            testing::operation& o = stage_.noted(who_, op::put(k, v), called, done.state());
            o.guard = mine.token();
            if (done.executed()) {
                put_response said;
                said.header = done.value().header;
                o.answer = op_response(std::move(said));
            }
            const milliseconds pause = random_.between(0ms, 2'000ms);
            co_await stage_.sleep(pause);
        }
    }

    stage& stage_;
    std::size_t who_;
    client client_;
    seeded_random random_;
    std::string label_;
    claim_options how_;
    std::size_t values_ = 0;
    std::shared_ptr<asio::cancellation_signal> signal_;
};

using part = asio::awaitable<void> (contestant::*)();

asio::awaitable<void> contend(stage& s, std::size_t who, std::size_t c, seeded_random random, std::string name, part how) {
    contestant one(s, who, c, random, std::move(name));
    co_await (one.*how)();
}

}  // namespace

void begin_claims(stage& s, seeded_random& random) {
    const std::size_t lockers = random.below(3), leaders = random.below(3);
    for (std::size_t i = 0; i < lockers + leaders; ++i) {
        const bool locks = i < lockers;
        const std::string name = (locks ? "locker " : "candidate ") + std::to_string(i);
        s.spawn(name, contend(s, 10 + i, random.below(s.drawn().clients), random.branch(), name, locks ? &contestant::lock : &contestant::lead));
    }
}

}  // namespace dynconf::simulation_test
