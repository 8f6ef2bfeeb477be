// Locks and elections on three members of which one fails, or cannot be reached, while they are held and waited for.

#include "integration/lease_scene.hpp"
#include "support/parallel.hpp"
#include "support/relay.hpp"

#include <dynconf/condition.hpp>
#include <dynconf/election.hpp>
#include <dynconf/lock.hpp>
#include <dynconf/maintenance.hpp>

#include <boost/asio/use_future.hpp>

#include <future>
#include <memory>
#include <optional>

using namespace dynconf;
using namespace dynconf::test;

namespace {

const std::string name = "/locks/job", counter = "/counter";

enum class fault { leader_killed, leader_stopped, follower_stopped, link_silent, link_refused };

/// Three members, each behind a wire of its own.
class members {
public:
    explicit members(const etcd_binary& binary) : etcd(binary, 3) {
        for (std::size_t i = 0; i < 3; ++i) wires.push_back(std::make_unique<relay>(etcd[i].port()));
    }

    /// For a client that prefers that member.
    client_options options(std::size_t first) const {
        strings endpoints;
        for (std::size_t i = 0; i < 3; ++i) endpoints.push_back(wires[(first + i) % 3]->endpoint());
        client_options o = hasty(endpoints);
        o.request_timeout = 2s;
        o.total_timeout = 10s;
        o.max_staleness = 4s;
        return o;
    }

    std::size_t leader() {
        for (std::size_t i = 0;; i = (i + 1) % 3) {
            const auto said = nlohmann::json::parse(etcd_admin(etcd[i]).call("/v3/maintenance/status", "{}"));
            if (said.value("leader", "0") == said["header"].value("member_id", "")) return i;
        }
    }

    /// The member to which that happens: the leader, or the one after it.
    static std::size_t struck_by(fault what, std::size_t leads) {
        return what == fault::leader_killed || what == fault::leader_stopped ? leads : (leads + 1) % 3;
    }

    /// Something happens to a member; which one.
    std::size_t strike(fault what, std::size_t leads) {
        const std::size_t at = struck_by(what, leads);
        switch (what) {
            case fault::leader_killed: etcd[at].kill(); break;
            case fault::leader_stopped:
            case fault::follower_stopped: etcd[at].pause(); break;
            case fault::link_silent: wires[at]->black_hole(); break;
            case fault::link_refused: wires[at]->refuse(); break;
        }
        return at;
    }
    std::size_t strike(fault what) { return strike(what, leader()); }

    etcd_cluster etcd;
    std::vector<std::unique_ptr<relay>> wires;
};

auto each_fault() {
    return GENERATE(fault::leader_killed, fault::leader_stopped, fault::follower_stopped, fault::link_silent, fault::link_refused);
}

/// Whether two members agree that nobody holds it or waits for it.
bool is_free(const etcd_process& one, const etcd_process& other) {
    return becomes_true([&] { return keys_at(one, name) == 0 && keys_at(other, name) == 0; });
}

}  // namespace

TEST_CASE("lock on three members: contenders count without losing one while a member fails", "[lock_cluster]") {
    FOR_EACH_ETCD(binary);
    const fault what = each_fault();
    INFO("fault " << static_cast<int>(what));
    members all(binary);
    etcd_admin(all.etcd[0]).put(counter, "0");
    const std::size_t leads = all.leader();
    constexpr int contenders = 6, rounds = 4;
    std::optional<std::size_t> struck;
    int inside = 0, sure = 0, doubtful = 0;
    revision_t newest = 0;
    std::optional<key_value> last;
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        std::vector<client> clients;
        for (std::size_t i = 0; i < 3; ++i) clients.emplace_back(ex, all.options(i));
        co_await in_parallel(contenders, [&](int who) -> asio::awaitable<void> {
            client c = clients[static_cast<std::size_t>(who % 3)];
            kv store(c);
            mutex m(c, name, with(30s));
            for (int done = 0; done < rounds;) {
                auto got = co_await outcome(m.lock());
                if (!got) {
                    INFO(got.error().message());
                    CHECK(is_retryable(got.error().code));
                    continue;
                }
                held_lock mine = std::move(*got);
                CHECK(++inside == 1);
                CHECK(mine.token() > newest);
                newest = mine.token();
                if (!struck && sure >= 6) struck = all.strike(what, leads);
                const auto now = co_await outcome(store.range(key_range::key(counter)));
                if (now) {
                    const txn write = txn().if_(mine).then(op::put(counter, std::to_string(std::stoi(now->kvs.at(0).value) + 1)));
                    const auto written = co_await outcome(store.commit(write));
                    if (written) {
                        CHECK(written->succeeded);
                        ++sure;
                        ++done;
                    } else {
                        doubtful += written.error().in_doubt;
                    }
                }
                CHECK(mine.valid());
                --inside;
                for (error why = co_await failure(mine.unlock()); why.code; why = co_await failure(mine.unlock())) {
                    INFO(why.message());
                    CHECK(is_retryable(why.code));
                }
            }
        });
        kv store(clients[0]);
        while (!last) {
            auto read = co_await outcome(store.range(key_range::key(counter)));
            if (read) last = std::move(read->kvs.at(0));
        }
    }, 120s);
    REQUIRE(struck);
    CHECK(sure == contenders * rounds);
    const int counted = std::stoi(last->value);
    CHECK(counted == last->version - 1);   // each write has seen the one before it
    CHECK(counted >= sure);
    CHECK(counted <= sure + doubtful);
    CHECK(is_free(all.etcd[(*struck + 1) % 3], all.etcd[(*struck + 2) % 3]));
}

TEST_CASE("lock on three members: who waits gets it though the member that it asks fails", "[lock_cluster]") {
    FOR_EACH_ETCD(binary);
    const fault what = each_fault();
    INFO("fault " << static_cast<int>(what));
    members all(binary);
    const std::size_t leads = all.leader();
    const std::size_t hit = members::struck_by(what, leads);
    const std::size_t well = (hit + 1) % 3;
    io_threads io(1);
    client holds(io.get_executor(), all.options(well)), waits(io.get_executor(), all.options(hit));
    held_lock mine = mutex(holds, name, with(20s)).lock(asio::use_future).get();
    auto theirs = mutex(waits, name, with(20s)).lock(asio::use_future);
    REQUIRE(becomes_true([&] { return keys_at(all.etcd[well], name) == 2; }));
    REQUIRE(all.strike(what, leads) == hit);
    error_code unlocked = asio::error::would_block;
    while (unlocked) {
        try {
            mine.unlock(asio::use_future).get();
            unlocked = {};
        } catch (const boost::system::system_error& e) {
            unlocked = e.code();
            INFO(unlocked.message());
            REQUIRE(is_retryable(unlocked));
        }
    }
    REQUIRE(theirs.wait_for(30s) == std::future_status::ready);
    held_lock next = theirs.get();
    CHECK(next.valid());
    CHECK(next.token() > mine.token());
    const txn late = txn().if_(mine).then(op::put("/data", "late"));
    CHECK_FALSE(kv(waits).commit(late, asio::use_future).get().succeeded);
    const txn good = txn().if_(next).then(op::put("/data", "good"));
    CHECK(kv(waits).commit(good, asio::use_future).get().succeeded);
    next.unlock(asio::use_future).get();
    CHECK(is_free(all.etcd[well], all.etcd[(hit + 2) % 3]));
}

TEST_CASE("lock on three members: a holder that is cut off learns the loss before the lease ends", "[lock_cluster]") {
    FOR_EACH_ETCD(binary);
    const bool leader_dies = GENERATE(false, true);
    const bool silent = GENERATE(true, false);
    INFO("the leader dies: " << leader_dies << ", silent: " << silent);
    members all(binary);
    const std::size_t leads = all.leader(), well = (leads + 1) % 3;
    io_threads io(1);
    client cut_off(io.get_executor(), all.options(0)), other(io.get_executor(), hasty({all.etcd[well].endpoint(), all.etcd[(leads + 2) % 3].endpoint()}));
    held_lock mine = mutex(cut_off, name, with(6s)).lock(asio::use_future).get();
    auto lost = mine.lost(asio::use_future);
    auto theirs = mutex(other, name, with(20s)).lock(asio::use_future);
    REQUIRE(becomes_true([&] { return keys_at(all.etcd[well], name) == 2; }));
    if (leader_dies) all.etcd[leads].kill();
    for (auto& w : all.wires) silent ? w->black_hole() : w->refuse();
    const claim_loss told = lost.get();
    CHECK(theirs.wait_for(0s) != std::future_status::ready);   // it was told in time
    CHECK(told.cause == errc::lease_unreachable);
    CHECK_FALSE(mine.valid());
    REQUIRE(theirs.wait_for(40s) == std::future_status::ready);
    held_lock next = theirs.get();
    CHECK(next.token() > mine.token());
    for (auto& w : all.wires) w->mend();
    const txn late = txn().if_(mine).then(op::put("/data", "late"));
    std::optional<txn_response> answered;
    while (!answered) {
        try {
            answered = kv(cut_off).commit(late, asio::use_future).get();
        } catch (const boost::system::system_error&) {   // connections that the fault has spoiled
        }
    }
    CHECK_FALSE(answered->succeeded);
    CHECK(next.valid());
    next.unlock(asio::use_future).get();
    CHECK(is_free(all.etcd[well], all.etcd[(leads + 2) % 3]));
}

TEST_CASE("election on three members: it goes on while a member fails", "[lock_cluster]") {
    FOR_EACH_ETCD(binary);
    const fault what = each_fault();
    INFO("fault " << static_cast<int>(what));
    members all(binary);
    const std::size_t leads = all.leader();
    const std::size_t hit = members::struck_by(what, leads);
    const std::size_t well = (hit + 1) % 3;
    io_threads io(1);
    client a(io.get_executor(), all.options(hit)), b(io.get_executor(), all.options(hit)), c(io.get_executor(), all.options(hit));
    leader_observer observer(c, name);
    CHECK_FALSE(observer.next(asio::use_future).get());
    leadership first = election(a, name, with(20s)).campaign("first", asio::use_future).get();
    CHECK(observer.next(asio::use_future).get()->value == "first");
    auto campaign = election(b, name, with(20s)).campaign("second", asio::use_future);
    REQUIRE(becomes_true([&] { return keys_at(all.etcd[well], name) == 2; }));
    REQUIRE(all.strike(what, leads) == hit);

    const auto persistently = [](const auto& attempt) {
        for (;;) {
            try {
                return attempt().get();
            } catch (const boost::system::system_error& e) {
                INFO(e.what());
                REQUIRE(is_retryable(e.code()));
            }
        }
    };
    auto news = observer.next(asio::use_future);
    persistently([&] { return first.proclaim("still first", asio::use_future); });
    REQUIRE(news.wait_for(30s) == std::future_status::ready);
    CHECK(news.get()->value == "still first");
    CHECK(first.valid());
    CHECK(campaign.wait_for(0s) != std::future_status::ready);
    news = observer.next(asio::use_future);
    persistently([&] { return first.resign(asio::use_future); });
    REQUIRE(campaign.wait_for(30s) == std::future_status::ready);
    leadership second = campaign.get();
    CHECK(second.valid());
    CHECK(second.token() > first.token());
    REQUIRE(news.wait_for(30s) == std::future_status::ready);
    CHECK(news.get()->value == "second");
    const txn late = txn().if_(first).then(op::put("/data", "late"));
    CHECK_FALSE(persistently([&] { return kv(a).commit(late, asio::use_future); }).succeeded);
    persistently([&] { return second.resign(asio::use_future); });
    CHECK(is_free(all.etcd[well], all.etcd[(hit + 2) % 3]));
}
