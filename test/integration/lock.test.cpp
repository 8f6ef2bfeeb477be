#include "integration/lease_scene.hpp"
#include "support/etcdctl.hpp"
#include "support/parallel.hpp"
#include "support/relay.hpp"

#include <dynconf/lock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <csignal>
#include <deque>
#include <future>
#include <memory>
#include <optional>

using namespace dynconf;
using namespace dynconf::test;

namespace {

const std::string name = "/locks/job";

/// Neither a key nor a lease.
bool nothing_left(const etcd_process& etcd) {
    return becomes_true([&] { return keys_at(etcd, name) == 0 && leases_at(etcd) == 0; }, 10s);
}

error_code failure_in(std::future<void> operation) {
    try {
        operation.get();
    } catch (const boost::system::system_error& e) {
        return e.code();
    }
    return {};
}

/// lock() or try_lock() under way on other threads.
class locking {
public:
    enum class how { wait, try_once };

    locking(io_threads& io, mutex m, how way = how::wait) : io_(io) {
        outcome_ = shared_->done.get_future();
        asio::co_spawn(io.get_executor(), run(std::move(m), way),
            asio::bind_cancellation_slot(shared_->stop.slot(), [s = shared_](std::exception_ptr e, held_lock l) {
                if (e) s->done.set_value(to_error(e));
                else s->done.set_value(std::move(l));
            }));
    }
    bool done() const { return outcome_.wait_for(0s) == std::future_status::ready; }
    result<held_lock> get() {
        if (outcome_.wait_for(20s) != std::future_status::ready) throw std::runtime_error("the lock call did not end");
        return outcome_.get();
    }
    void cancel() {
        asio::post(io_.get_executor(), asio::use_future([s = shared_] { s->stop.emit(asio::cancellation_type::terminal); })).get();
    }

private:
    struct shared {
        asio::cancellation_signal stop;
        std::promise<result<held_lock>> done;
    };

    static asio::awaitable<held_lock> run(mutex m, how way) {
        if (way == how::wait) co_return co_await m.lock();
        co_return co_await m.try_lock();
    }

    io_threads& io_;
    std::shared_ptr<shared> shared_ = std::make_shared<shared>();   // the signal outlives the operation
    std::future<result<held_lock>> outcome_;
};

}  // namespace

TEST_CASE("lock: one holds it, the others get it in their order", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    io_threads io(2);
    {
        client c(io.get_executor(), hasty(etcd));
        mutex m(c, name, with(10s));
        CHECK_FALSE(m.is_locked(asio::use_future).get());
        CHECK_FALSE(m.holder(asio::use_future).get());

        held_lock first = m.lock(asio::use_future).get();
        CHECK(first.valid());
        CHECK(m.is_locked(asio::use_future).get());
        const auto holder = m.holder(asio::use_future).get();
        REQUIRE(holder);
        CHECK(holder->key == name + "/" + hex(first.lease()));
        CHECK(holder->key == first.key());
        CHECK(holder->create_revision == first.token());
        CHECK(holder->lease == first.lease());

        const held_lock busy = m.try_lock(asio::use_future).get();
        CHECK_FALSE(busy);
        CHECK(keys_at(etcd, name) == 1);
        CHECK(leases_at(etcd) == 1);
        const auto impatient = locking(io, mutex(c, name, with(10s, 50ms))).get();
        CHECK(impatient.error() == errc::not_acquired);
        CHECK(keys_at(etcd, name) == 1);
        CHECK(leases_at(etcd) == 1);

        locking second(io, m);
        REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 2; }));
        locking third(io, m);
        REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 3; }));
        locking fourth(io, m);
        REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 4; }));
        const auto queue = m.queue(asio::use_future).get();
        REQUIRE(queue.size() == 4);
        CHECK(queue[0].key == first.key());
        third.cancel();   // a place in the middle
        CHECK(third.get().error() == asio::error::operation_aborted);
        CHECK(keys_at(etcd, name) == 3);
        CHECK_FALSE(second.done());
        first.unlock(asio::use_future).get();
        CHECK_FALSE(first.valid());
        first.unlock(asio::use_future).get();   // once more is no error
        auto next = second.get();
        REQUIRE(next);
        CHECK(next->key() == queue[1].key);
        CHECK(next->token() > first.token());
        CHECK_FALSE(fourth.done());
        *next = held_lock();   // given up in the background
        auto last = fourth.get();
        REQUIRE(last);
        CHECK(last->key() == queue[3].key);
    }
    CHECK(nothing_left(etcd));
}

TEST_CASE("lock: etcdctl and this one exclude each other", "[lock]") {
    FOR_EACH_ETCD(binary);
    REQUIRE_ETCDCTL(binary);
    etcd_process etcd(binary);
    io_threads io(1);
    client c(io.get_executor(), hasty(etcd));
    mutex m(c, name, with(10s));
    SECTION("etcdctl has it") {
        child_process other(etcdctl_command(binary, etcd, {"lock", name}), {}, etcdctl_environment());
        REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 1; }));
        CHECK_FALSE(m.try_lock(asio::use_future).get());
        locking mine(io, m);
        REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 2; }));
        CHECK_FALSE(mine.done());
        other.signal(SIGINT);
        auto got = mine.get();
        REQUIRE(got);
        got->unlock(asio::use_future).get();
    }
    SECTION("etcdctl waits for it") {
        held_lock mine = m.lock(asio::use_future).get();
        auto run = std::async(std::launch::async, [&] { return etcdctl(binary, etcd, {"lock", name, "echo", "it is mine"}); });
        REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 2; }));
        CHECK(run.wait_for(0s) != std::future_status::ready);
        mine.unlock(asio::use_future).get();
        CHECK(run.get().find("it is mine") != std::string::npos);
    }
    CHECK(becomes_true([&] { return keys_at(etcd, name) == 0; }));   // etcdctl may leave its lease behind
}

TEST_CASE("lock: twenty contenders count without losing one", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    constexpr int contenders = 20, clients = 4;
    const int times = rounds(3, 200);
    const std::string counter = "/counter";
    etcd_admin(etcd).put(counter, "0");
    int inside = 0, refused = 0;
    revision_t newest = 0;
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        std::vector<client> all;
        for (int i = 0; i < clients; ++i) all.emplace_back(ex, hasty(etcd));
        co_await in_parallel(contenders, [&](int who) -> asio::awaitable<void> {
            client c = all[static_cast<std::size_t>(who % clients)];
            kv store(c);
            mutex m(c, name, with(10s));
            for (int round = 0; round < times; ++round) {
                held_lock mine = co_await m.lock();
                CHECK(++inside == 1);
                CHECK(mine.token() > newest);
                newest = mine.token();
                const range_response now = co_await store.range(key_range::key(counter));
                const std::string next = std::to_string(std::stoi(now.kvs.at(0).value) + 1);
                const txn write = txn().if_(mine).then(op::put(counter, next));
                const txn_response done = co_await store.commit(write);
                if (!done.succeeded) ++refused;
                --inside;
                co_await mine.unlock();
            }
        });
    }, std::chrono::minutes(10));
    CHECK(refused == 0);
    CHECK(etcd_admin(etcd).read(counter).at(counter).value == std::to_string(contenders * times));
    CHECK(nothing_left(etcd));
}

TEST_CASE("lock: a holder that stood still for longer than its TTL cannot write any more", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    io_threads mine_io(1), others_io(1);
    client mine(mine_io.get_executor(), hasty(etcd)), others(others_io.get_executor(), hasty(etcd));
    held_lock held = mutex(mine, name, with(2s)).lock(asio::use_future).get();
    auto lost = held.lost(asio::use_future);
    bool began = false, finished = false;
    auto work = asio::co_spawn(mine_io.get_executor(), [&, l = held]() -> asio::awaitable<void> {
        auto forever = [&]() -> asio::awaitable<void> {
            began = true;
            co_await wait_for(1h);
            finished = true;
        };
        co_await l.protect(forever());
    }, asio::use_future);
    REQUIRE(becomes_true([&] { return asio::post(mine_io.get_executor(), asio::use_future([&] { return began; })).get(); }));

    std::promise<void> go_on;
    asio::post(mine_io.get_executor(), [&] { go_on.get_future().wait(); });
    held_lock theirs = mutex(others, name, with(10s)).lock(asio::use_future).get();
    CHECK_FALSE(held.valid());
    CHECK(theirs.valid());
    CHECK(theirs.token() > held.token());
    go_on.set_value();

    const txn late = txn().if_(held.held()).then(op::put("/data", "of the one that stood still"));
    CHECK_FALSE(kv(mine).commit(late, asio::use_future).get().succeeded);
    const txn good = txn().if_(theirs.held()).then(op::put("/data", "good"));
    CHECK(kv(others).commit(good, asio::use_future).get().succeeded);
    CHECK(lost.get().cause == errc::lease_expired);
    try {
        work.get();
        FAIL("the work went on");
    } catch (const exception& e) {
        CHECK(e.code() == errc::lease_expired);
    }
    CHECK_FALSE(finished);
    CHECK(failure_in(held.unlock(asio::use_future)) == errc::lease_expired);
    CHECK(theirs.valid());
    theirs.unlock(asio::use_future).get();
    CHECK(nothing_left(etcd));
}

TEST_CASE("lock: a loss is told and ends the scope", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        mutex m(c, name, with(3s));
        int done = 0;
        co_await m.run([&](const held_lock& l) -> asio::awaitable<void> {
            CHECK(l.valid());
            ++done;
            co_return;
        });
        CHECK(done == 1);
        CHECK(keys_at(etcd, name) == 0);

        const error why = co_await failure_of([&]() -> asio::awaitable<void> {
            co_await m.run([&](const held_lock& l) -> asio::awaitable<void> {
                revoke_at(etcd, l.lease());
                co_await wait_for(1h);
            });
        });
        CHECK(why == errc::lease_revoked);

        std::string thrown;
        try {
            co_await m.run([&](const held_lock&) -> asio::awaitable<void> { throw std::runtime_error("of the body"); });
        } catch (const std::runtime_error& e) {
            thrown = e.what();
        }
        CHECK(thrown == "of the body");
    });
    CHECK(nothing_left(etcd));
}

TEST_CASE("lock: who gives up what was lost before is told so", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    io_threads mine_io(1), others_io(1);
    client mine(mine_io.get_executor(), hasty(etcd)), others(others_io.get_executor(), hasty(etcd));
    SECTION("revoked by somebody else, long before it would be kept alive") {
        held_lock held = mutex(mine, name, with(60s)).lock(asio::use_future).get();
        revoke_at(etcd, held.lease());
        held_lock theirs = mutex(others, name, with(60s)).lock(asio::use_future).get();
        CHECK(failure_in(held.unlock(asio::use_future)) == errc::lease_revoked);
        CHECK_FALSE(failure_in(held.unlock(asio::use_future)));   // once more is no error
        CHECK(theirs.valid());
        theirs.unlock(asio::use_future).get();
    }
    SECTION("expired while the thread stood still, before anybody else could tell") {
        held_lock held = mutex(mine, name, with(2s)).lock(asio::use_future).get();
        std::promise<void> go_on;
        asio::post(mine_io.get_executor(), [&] { go_on.get_future().wait(); });
        held_lock theirs = mutex(others, name, with(60s)).lock(asio::use_future).get();
        auto unlocked = held.unlock(asio::use_future);   // the first to run
        go_on.set_value();
        CHECK(failure_in(std::move(unlocked)) == errc::lease_expired);
        CHECK(theirs.valid());
        theirs.unlock(asio::use_future).get();
    }
    CHECK(nothing_left(etcd));
}

TEST_CASE("lock: a slow network changes no answer", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    for (const auto delay : {3ms, 100ms}) {
        relay wire(etcd.port());
        wire.delay(delay);
        io_threads io(1);
        client c(io.get_executor(), hasty({wire.endpoint()})), near(io.get_executor(), hasty(etcd));
        for (int i = 0; i < 3; ++i) {
            held_lock mine = mutex(c, name).try_lock(asio::use_future).get();
            REQUIRE(mine);
            CHECK(keys_at(etcd, name) == 1);
            mine.unlock(asio::use_future).get();
            CHECK(keys_at(etcd, name) == 0);
        }
        held_lock theirs = mutex(near, name).lock(asio::use_future).get();
        for (int i = 0; i < 3; ++i) {
            CHECK_FALSE(mutex(c, name).try_lock(asio::use_future).get());
            CHECK(keys_at(etcd, name) == 1);
            CHECK(leases_at(etcd) == 1);
        }
        locking waits(io, mutex(c, name));
        REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 2; }));
        theirs.unlock(asio::use_future).get();
        auto mine = waits.get();
        REQUIRE(mine);
        mine->unlock(asio::use_future).get();
        CHECK(nothing_left(etcd));
        // Slower than anybody waits: what is granted and written meanwhile is taken back.
        const auto impatient = locking(io, mutex(c, name, with(60s, delay / 2))).get();
        CHECK((impatient || impatient.error() == errc::deadline_exceeded));
        if (!impatient) CHECK(leases_at(etcd) == 0);
    }
}

TEST_CASE("lock: the end of one wakes the next one only", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    io_threads io(1);
    client c(io.get_executor(), hasty(etcd));
    const auto questions = [&] {
        return etcd.metric("grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Txn\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}");
    };
    constexpr int waiters = 5;
    mutex m(c, name, with(30s));
    held_lock mine = m.lock(asio::use_future).get();
    std::deque<locking> queue;
    for (int i = 1; i <= waiters; ++i) {
        queue.emplace_back(io, m);
        REQUIRE(becomes_true([&] { return questions() == 1 + 2 * i; }));   // to join, and whom to wait for
    }
    const double before = questions();
    for (locking& next : queue) {
        mine.unlock(asio::use_future).get();
        auto got = next.get();
        REQUIRE(got);
        mine = *got;
    }
    CHECK(questions() == before + waiters);
    mine.unlock(asio::use_future).get();
}

TEST_CASE("lock: an unlock that did not get through can be repeated", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    io_threads io(1);
    client_options o = hasty({wire.endpoint()});
    o.total_timeout = 1s;
    client c(io.get_executor(), o);
    held_lock mine = mutex(c, name, with(60s)).lock(asio::use_future).get();
    wire.refuse();
    CHECK(failure_in(mine.unlock(asio::use_future)));
    CHECK_FALSE(mine.valid());   // nobody keeps it alive any more
    CHECK(keys_at(etcd, name) == 1);
    wire.mend();
    mine.unlock(asio::use_future).get();
    CHECK(keys_at(etcd, name) == 0);
    CHECK(leases_at(etcd) == 0);
}

TEST_CASE("lock: cut at each byte of the exchange, it is had all the same, and nothing is left of it", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const int step = rounds(58, 1);
    const auto way = GENERATE(locking::how::wait, locking::how::try_once);
    INFO(static_cast<int>(way));
    io_threads io(1);
    int at = 1, had = 0;
    for (bool through = false; !through; at += step) {
        INFO("after " << at << " bytes");
        relay wire(etcd.port());
        auto first = std::make_shared<std::atomic<bool>>(true);
        wire.cut_after([first, at] { return *first ? (*first = false, static_cast<std::size_t>(at)) : std::size_t{1} << 40; });
        client c(io.get_executor(), hasty({wire.endpoint()}));
        auto got = locking(io, mutex(c, name), way).get();
        through = wire.accepted() == 1;
        INFO((got ? std::string() : got.error().message()));
        CHECK(got);
        if (!got || !*got) continue;
        ++had;
        CHECK(keys_at(etcd, name) == 1);
        CHECK(leases_at(etcd) == 1);
        got->unlock(asio::use_future).get();
        CHECK(keys_at(etcd, name) == 0);
        CHECK(leases_at(etcd) == 0);
    }
    CHECK(at > 800);
    CHECK(had >= 800 / step);
}

TEST_CASE("lock: cancelled at any point, nothing is left of it", "[lock]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const int step = rounds(97, 5);
    io_threads io(1);
    client other(io.get_executor(), hasty(etcd));
    int cancelled = 0;
    for (const bool busy : {false, true}) {
        held_lock theirs;
        if (busy) theirs = mutex(other, name).lock(asio::use_future).get();
        for (std::uint64_t at = 0;; at += static_cast<std::uint64_t>(step)) {
            INFO("after " << at << " bytes, busy: " << busy);
            relay wire(etcd.port());
            wire.delay(2ms);
            client c(io.get_executor(), hasty({wire.endpoint()}));
            locking mine(io, mutex(c, name));
            const auto passed = [&] { return wire.seen().request_bytes + wire.seen().answer_bytes; };
            CHECK(becomes_true([&] { return mine.done() || passed() >= at; }, 5s));
            mine.cancel();
            auto got = mine.get();
            if (got) *got = held_lock();
            else CHECK(got.error() == asio::error::operation_aborted);
            cancelled += !got;
            CHECK(becomes_true([&] { return keys_at(etcd, name) == busy && leases_at(etcd) == busy; }, 10s));
            if (got || at > 2500) break;
        }
        if (busy) theirs.unlock(asio::use_future).get();
    }
    CHECK(cancelled > 10);
    CHECK(nothing_left(etcd));
}
