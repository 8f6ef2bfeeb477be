// Locks and elections whose answers come late, and what runs under them on other threads.

#include "mock/core_scene.hpp"
#include "support/io_threads.hpp"
#include "support/parallel.hpp"

#include <dynconf/lock.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>

using namespace dynconf;
using namespace dynconf::test;

namespace {

const std::string grant_path = "/v3/lease/grant", revoke_path = "/v3/lease/revoke";
constexpr revision_t joined_at = 5;

gateway_answer granted(const gateway_request& r) { return json("{" + header(4) + ",\"ID\":\"" + r.member("ID") + "\",\"TTL\":\"1\"}"); }

gateway_answer kept_alive(const gateway_request& r) {
    return stream({"{\"result\":{" + header(joined_at) + ",\"ID\":\"" + r.member("ID") + "\",\"TTL\":\"1\"}}"}, gateway_answer::then::next_request);
}

const std::string wrote = "{\"response_put\":{" + header(joined_at) + "}}", found_none = "{\"response_range\":{" + header(joined_at) + "}}";

std::string found(revision_t created) {
    return "{\"response_range\":{" + header(joined_at) + R"(,"kvs":[{"key":"L2xvY2tzL2EvMQ==","create_revision":")" + std::to_string(created)
        + R"(","mod_revision":"5","version":"1"}],"count":"1"}})";
}

gateway_answer executed(const std::string& responses) { return json("{" + header(joined_at) + ",\"succeeded\":true,\"responses\":[" + responses + "]}"); }

/// Where all is well, and nobody else is.
void install_free_lock(fake_gateway& gateway) {
    gateway.on(grant_path, granted);
    gateway.on(keep_alive_path, kept_alive);
    gateway.on(revoke_path, [](const auto&) { return json("{" + header(6) + "}"); });
    gateway.on(txn_path, [](const auto&) { return executed(wrote + "," + found(joined_at)); });
}

using io_strand = asio::strand<asio::any_io_executor>;

/// Until it is cancelled: whether that was done on `home`.
asio::awaitable<bool> cancelled_on(io_strand home) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto start = [home](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto kept = std::make_shared<decltype(handler)>(std::move(handler));
        slot.assign([home, kept](asio::cancellation_type) {
            const bool at_home = home.running_in_this_thread();
            asio::post(asio::get_associated_executor(*kept), [kept, at_home] { std::move(*kept)(at_home); });
        });
    };
    auto cancelled = asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(start, asio::use_awaitable);
    co_return co_await std::move(cancelled);
}

error_code code_of(std::future<void> operation) {
    try {
        operation.get();
    } catch (...) {
        return to_error(std::current_exception()).code;
    }
    return {};
}

}  // namespace

TEST_CASE("claims: a lock whose lease was lost before the answer came is not had", "[claims]") {
    enum class late { place_of_the_first, question, only_try };
    const late what = GENERATE(late::place_of_the_first, late::question, late::only_try);
    INFO(static_cast<int>(what));
    std::atomic<bool> lost{false};
    fake_gateway gateway;
    gateway.on(grant_path, granted);
    gateway.on(keep_alive_path, [](const auto&) { return silence(); });
    gateway.on(revoke_path, [](const auto&) { return json("{" + header(6) + "}"); });
    gateway.on(txn_path, [&](const gateway_request& r) {
        const auto in_the_end = [&] { return lost.load(); };
        if (what == late::only_try) return executed(wrote).once(in_the_end);
        if (what == late::place_of_the_first) return executed(wrote + "," + found(joined_at)).once(in_the_end);
        if (r.number == 1) return executed(wrote + "," + found(joined_at - 1));
        return executed(found_none + "," + found(joined_at)).once(in_the_end);
    });
    client_options o = options_for({gateway.url()});
    o.log = [&](const log_record& r) { lost = lost || r.event == "lease_lost"; };
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mutex jobs(c, "/locks/a");
        held_lock mine;
        const error why = co_await failure_of([&]() -> asio::awaitable<void> {
            if (what == late::only_try) mine = co_await jobs.try_lock();
            else mine = co_await jobs.lock();
        });
        CHECK(why == errc::lease_unreachable);
        CHECK_FALSE(mine);
    });
    CHECK(gateway.count(revoke_path) == 1);   // it may live on at the server
}

TEST_CASE("claims: who waits no longer for others waits no longer for etcd", "[claims]") {
    enum class silent { grant, place, question };
    const silent what = GENERATE(silent::grant, silent::place, silent::question);
    INFO(static_cast<int>(what));
    fake_gateway gateway;
    install_free_lock(gateway);
    if (what == silent::grant) gateway.on(grant_path, [](const auto&) { return silence(); });
    gateway.on(txn_path, [what](const gateway_request& r) {
        return what == silent::question && r.number == 1 ? executed(wrote + "," + found(joined_at - 1)) : silence();
    });
    client_options o = options_for({gateway.url()});
    o.request_timeout = o.total_timeout = 1min;   // longer than this test may take
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        claim_options impatient;
        impatient.wait_timeout = 100ms;
        mutex jobs(c, "/locks/a", impatient);
        const error why = co_await failure_of([&]() -> asio::awaitable<void> { co_await jobs.lock(); });
        if (what == silent::question) CHECK(why == errc::not_acquired);
        else CHECK(why == errc::deadline_exceeded);
    });
    REQUIRE(gateway.count(revoke_path) == 1);
    CHECK(gateway.requests(revoke_path)[0].member("ID") == gateway.requests(grant_path)[0].member("ID"));
}

TEST_CASE("claims: the work under a claim is cancelled where it runs", "[claims]") {
    fake_gateway gateway;
    install_free_lock(gateway);
    io_threads io(2);
    client c(io.get_executor(), options_for({gateway.url()}));
    held_lock mine = mutex(c, "/locks/a").lock(asio::use_future).get();
    const io_strand home = asio::make_strand(asio::any_io_executor(io.get_executor()));
    std::promise<void> began;
    std::promise<bool> at_home;
    auto ended = asio::co_spawn(home, [&, mine]() -> asio::awaitable<void> {
        auto work = [&]() -> asio::awaitable<void> {
            began.set_value();
            at_home.set_value(co_await cancelled_on(home));
        };
        co_await mine.protect(work());
    }, asio::use_future);
    began.get_future().wait();
    mine.unlock(asio::use_future).get();
    CHECK(at_home.get_future().get());
    CHECK(code_of(std::move(ended)) == errc::not_held);
}

TEST_CASE("claims: a loss meets the end of the work, again and again", "[claims]") {
    fake_gateway gateway;
    install_free_lock(gateway);
    io_threads io(4);
    client c(io.get_executor(), options_for({gateway.url()}));
    const mutex jobs(c, "/locks/a");
    int ended_by_itself = 0;
    for (int round = 0; round < 200; ++round) {
        held_lock mine = mutex(jobs).lock(asio::use_future).get();
        const io_strand home = asio::make_strand(asio::any_io_executor(io.get_executor()));
        auto ended = asio::co_spawn(home, [mine, steps = round % 20]() -> asio::awaitable<void> {
            auto work = [](int left) -> asio::awaitable<void> {
                while (left-- > 0) co_await asio::post(asio::use_awaitable);
            };
            co_await mine.protect(work(steps));
        }, asio::use_future);
        mine.unlock(asio::use_future).get();
        const error_code why = code_of(std::move(ended));
        if (!why) ++ended_by_itself;
        else CHECK(why == errc::not_held);
    }
    CHECK(ended_by_itself < 200);
}

TEST_CASE("claims: work that blocked for longer than the claim lives has not worked under it", "[claims]") {
    fake_gateway gateway;
    install_free_lock(gateway);
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        mutex jobs(c, "/locks/a");
        held_lock mine = co_await jobs.lock();
        auto blocking = [](held_lock l) -> asio::awaitable<void> {
            while (l.valid()) std::this_thread::yield();
            co_return;
        };
        const error why = co_await failure_of([&]() -> asio::awaitable<void> { co_await mine.protect(blocking(mine)); });
        CHECK(why == errc::lease_expired);
        const error under_run = co_await failure_of([&]() -> asio::awaitable<void> { co_await jobs.run(blocking); });
        CHECK(under_run == errc::lease_expired);
        auto failing = [&](held_lock l) -> asio::awaitable<void> {
            co_await blocking(l);
            throw exception(error{errc::invalid_argument, "of the work"});
        };
        const error of_the_work = co_await failure_of([&]() -> asio::awaitable<void> { co_await jobs.run(failing); });
        CHECK(of_the_work == errc::invalid_argument);
    });
}

TEST_CASE("claims: neither a mutex nor a handle has to outlive what it began", "[claims]") {
    fake_gateway gateway;
    install_free_lock(gateway);
    io_threads io(1);
    client c(io.get_executor(), options_for({gateway.url()}));
    std::atomic<int> worked{0};
    const auto body = [&worked](held_lock l) -> asio::awaitable<void> {
        if (l.valid()) ++worked;
        co_return;
    };
    asio::co_spawn(io.get_executor(), mutex(c, "/locks/a").run(body), asio::use_future).get();
    CHECK(worked == 1);
    REQUIRE(gateway.count(txn_path) == 1);
    CHECK(gateway.requests(txn_path)[0].member("key").rfind("L2xvY2tzL2Ev", 0) == 0);   // "/locks/a/"
    auto mine = std::make_unique<held_lock>(mutex(c, "/locks/a").lock(asio::use_future).get());
    auto protecting = mine->protect(body(*mine));
    mine.reset();   // the last handle, but what it began has the claim
    asio::co_spawn(io.get_executor(), std::move(protecting), asio::use_future).get();
    CHECK(worked == 2);
}
