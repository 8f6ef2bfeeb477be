// Random calls of eight clients on few keys, beside a watch and a mirror, while the members are killed, stopped and
// restarted and the wires to them cut, delayed and swallowed. What everybody was told and has seen is judged afterwards: one
// order of all calls has to explain every answer, those of unknown outcome executed or not.
// DYNCONF_TEST_SEED repeats the choices of a run, DYNCONF_TEST_FULL=1 runs longer, DYNCONF_TEST_HISTORY=FILE keeps the last
// record for dynconf-check.

#include "integration/scene.hpp"

#include "support/history_recorder.hpp"
#include "support/io_threads.hpp"
#include "support/parallel.hpp"
#include "support/random_calls.hpp"
#include "support/random_faults.hpp"
#include "testing/check.hpp"
#include "testing/history_file.hpp"
#include "testing/words.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <random>

using namespace dynconf;
using namespace dynconf::test;
using std::chrono::steady_clock;

namespace {

constexpr unsigned clients = 8;
constexpr unsigned keys = 5;

std::uint64_t seed_of_this_run() {
    const char* text = std::getenv("DYNCONF_TEST_SEED");
    return text && *text ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

/// Gives up soon, so that there are many calls whose outcome nobody knows.
client_options impatient(std::vector<std::string> endpoints) {
    client_options o = hasty(std::move(endpoints));
    o.request_timeout = 400ms;
    o.total_timeout = 1500ms;
    o.max_staleness = 2s;
    return o;
}

/// Everything that runs on the thread of the io_context.
struct bustle {
    testing::history past;
    history_recorder record{past};
    std::atomic<bool> stop{false};
    std::atomic<unsigned> calling{clients}, looking{0};
    std::atomic<revision_t> newest{0};         // of the answers
    std::atomic<revision_t> mirrored{0};
    std::deque<std::atomic<revision_t>> watched;   // of each watch; INT64_MAX where it was ended by a compaction
    std::atomic<bool> done_looking{false};
    std::atomic<const char*> thrown{""};

    /// Starts one of them; none may throw.
    void start(asio::any_io_executor ex, asio::awaitable<void> one) {
        asio::co_spawn(ex, std::move(one), [this](std::exception_ptr e) {
            try {
                if (e) std::rethrow_exception(e);
            } catch (const std::exception& x) {
                static std::string words;
                words = x.what();
                thrown = words.c_str();
            }
        });
    }

    asio::awaitable<void> call_at_random(unsigned number, client c, std::uint64_t seed) {
        kv store(c);
        conditional writes(c);
        std::mt19937_64 random(seed + number);
        random_calls draw(random, keys);
        for (unsigned n = 0; !stop; ++n) {
            bool well = true;
            const std::string value = "c" + std::to_string(number) + "-" + std::to_string(n);
            if (draw.below(8) == 0) {
                const std::string key = draw.key();
                const revision_t expected = draw.below(3) == 0 ? 0 : seen_of(key);
                well = co_await record.swap(number, writes, key, expected, value);
            } else if (const revision_t now = newest; now > 3 && draw.below(12) == 0) {
                const op past_one = op::range(key_range::all(), {.revision = now - static_cast<revision_t>(draw.below(3))});
                well = co_await record.call(number, store, past_one);
            } else {
                const op what = draw.next(value);
                well = co_await record.call(number, store, what);
            }
            learn();
            if (!well) co_await wait_for(10ms);   // or a wire that is cut would fill the record
        }
        --calling;
    }

    bool all_have_seen(revision_t end) const {
        return mirrored >= end && std::all_of(watched.begin(), watched.end(), [end](const auto& w) { return w >= end; });
    }
    bool none_has_seen_more_than(revision_t end) const {
        return mirrored == end && std::all_of(watched.begin(), watched.end(), [end](const auto& w) { return w == end || w == INT64_MAX; });
    }

    asio::awaitable<void> watch(client c, std::size_t who, std::atomic<revision_t>& how_far) {
        watch_options o;
        o.start_revision = past.start.revision + 1;
        o.prev_kv = true;
        watcher news(c, key_range::all(), o);
        while (!done_looking) {
            auto batch = co_await outcome(news.next());
            if (done_looking) break;
            if (!batch) {   // what it has not seen does not concern it any more; whether it had to end is judged
                past.observers[who].seen.push_back({.what = testing::sight::kind::ended, .at = steady_clock::now(), .end = testing::ending_of(batch.error().code)});
                how_far = INT64_MAX;
                break;
            }
            past.observers[who].seen.push_back({testing::sight::kind::batch, steady_clock::now(), batch->revision, batch->events});
            how_far = batch->revision;
        }
        --looking;
    }

    asio::awaitable<void> follow(client c, std::size_t who) {
        mirror content(c, key_range::all());
        mirror_recorder claims(past.observers[who]);
        while (!done_looking) {
            mirror_step step = co_await content.next();
            if (done_looking) break;
            claims.take(step);
            if (!step.events.empty() || step.what == mirror_step::kind::snapshot) mirrored = step.revision;
        }
        claims.end();
        --looking;
    }

private:
    void learn() {
        for (; learned_ < past.operations.size() && past.operations[learned_].returned != testing::time_point(); ++learned_) {
            const auto& a = past.operations[learned_].answer;
            if (!a) continue;
            std::visit([&](const auto& r) { newest = std::max<revision_t>(newest, r.header.revision); },
                static_cast<const op_response::variant&>(*a));
            if (const auto* r = std::get_if<range_response>(&*a))
                for (const key_value& kv : r->kvs) mod_[kv.key] = kv.mod_revision;
        }
    }
    revision_t seen_of(const std::string& key) { return mod_[key]; }

    std::size_t learned_ = 0;
    std::map<std::string, revision_t> mod_;
};

std::size_t count(const testing::history& h, write_state s) {
    return static_cast<std::size_t>(std::count_if(h.operations.begin(), h.operations.end(), [s](const auto& o) { return o.state == s; }));
}

void judge_a_run(const etcd_binary& binary, unsigned members, std::uint64_t seed) {
    INFO("seed " << seed);
    etcd_cluster etcd(binary, members);
    random_faults faults(etcd, seed, 3);
    bustle all;
    all.past.start.revision = etcd_admin(etcd[0]).revision();
    REQUIRE(etcd_admin(etcd[0]).read("").empty());
    // Those at each member, past the wires that break, tell which revisions there were: without them a compaction that meets
    // both of the others leaves more orders of the calls than can be tried.
    std::vector<std::string> observers{"mirror", "watch"};
    for (unsigned i = 0; i < members; ++i) observers.push_back("watch at member " + std::to_string(i));
    for (const std::string& name : observers) {
        testing::observer o;
        o.name = name;
        o.ranges.push_back(key_range::all());
        if (name != "mirror") {
            o.prev_kv = true;
            o.seen.push_back({testing::sight::kind::started, steady_clock::now(), all.past.start.revision + 1});
        }
        all.past.observers.push_back(std::move(o));
    }
    all.looking = static_cast<unsigned>(observers.size());
    for (unsigned i = 0; i <= members; ++i) all.watched.emplace_back(0);
    {
        io_threads threads(1);
        const auto ex = threads.get_executor();
        client followers(ex, impatient(faults.endpoints()));
        for (unsigned n = 0; n < clients; ++n)
            all.start(ex, all.call_at_random(n, client(ex, impatient(faults.endpoints())), seed));
        all.start(ex, all.follow(followers, 0));
        all.start(ex, all.watch(followers, 1, all.watched[0]));
        for (unsigned i = 0; i < members; ++i)
            all.start(ex, all.watch(client(ex, hasty({etcd[i].endpoint()})), 2 + i, all.watched[1 + i]));

        const auto over = steady_clock::now() + lasting(in_full() ? 60s : 5s);
        const auto compacting = [&](auto at, std::int64_t revision) {
            asio::post(ex, [&all, at, revision] { all.past.compactions.push_back({at, revision}); });
        };
        REQUIRE(becomes_true([&] {
            faults.step(steady_clock::now(), all.newest, compacting);
            return steady_clock::now() >= over;
        }, 300s));
        faults.heal();
        all.stop = true;
        if (!becomes_true([&] { return all.calling == 0; }, 60s)) {
            const testing::storyteller tell(all.past);
            for (std::size_t i = 0; i < all.past.operations.size(); ++i)
                if (all.past.operations[i].returned == testing::time_point()) FAIL_CHECK("has not ended: " << tell.operation(i));
            FAIL("there are clients that have not ended: " << all.thrown.load());
        }

        // One more write, and then what there is, once both have seen that and nothing later.
        auto last = [&]() -> asio::awaitable<void> {
            client c(ex, hasty(etcd.endpoints()));
            kv store(c);
            for (unsigned n = 0; !all.done_looking; ++n) {
                const op what = op::put("z", "last" + std::to_string(n));
                const bool well = co_await all.record.call(clients, store, what);
                if (!well) continue;
                range_response r = co_await store.range(key_range::all());
                const revision_t end = r.header.revision;
                all.past.end = testing::known_state{end, std::move(r.kvs)};
                all.past.ended = steady_clock::now();
                co_await until([&] { return all.all_have_seen(end); });
                all.done_looking = all.none_has_seen_more_than(end);
            }
        };
        all.start(ex, last());
        REQUIRE(becomes_true([&] { return all.done_looking.load(); }, 100s));
        etcd_admin(etcd[0]).put("z", "nobody looks any more");   // wakes them up
        REQUIRE(becomes_true([&] { return all.looking == 0; }, 60s));
    }
    if (const char* file = std::getenv("DYNCONF_TEST_HISTORY"); file && *file) {
        std::ofstream out(file);
        testing::write_history(out, all.past);
    }
    const auto judged_from = steady_clock::now();
    const auto wrong = testing::check(all.past, {.max_staleness = 2s});
    const auto judged_for = steady_clock::now() - judged_from;
    std::string harm;
    for (const auto& [name, n] : faults.done()) harm += ", " + std::to_string(n) + " " + name;
    WARN(binary << ", " << members << " members, seed " << seed << ": " << all.past.operations.size() << " calls, "
         << count(all.past, write_state::not_executed) << " not executed, " << count(all.past, write_state::unknown) << " unknown; revision "
         << all.past.end->revision << harm << "; judged in "
         << std::chrono::duration_cast<std::chrono::milliseconds>(judged_for).count() << " ms");
    for (const auto& v : wrong) FAIL_CHECK("seed " << seed << ", " << testing::name_of(v.broken) << ": " << v.words);
}

}  // namespace

TEST_CASE("history: calls of eight clients under faults (one member)", "[history]") {
    FOR_EACH_ETCD(binary);
    judge_a_run(binary, 1, seed_of_this_run());
}

TEST_CASE("history: calls of eight clients under faults (three members)", "[history]") {
    FOR_EACH_ETCD(binary);
    judge_a_run(binary, 3, seed_of_this_run());
}
