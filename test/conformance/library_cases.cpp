#include "conformance/library_cases.hpp"

#include <dynconf/bulk.hpp>
#include <dynconf/election.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/lock.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <list>
#include <utility>

namespace dynconf::test {
namespace {

namespace asio = boost::asio;
const auto tupled = asio::as_tuple(asio::use_awaitable);
using lines = std::vector<std::string>;

std::string words(error_code ec) { return ec ? ec.message() : "done"; }
std::string value_of(const std::optional<key_value>& kv) { return kv ? kv->value : "(none)"; }

asio::awaitable<void> until_queued(mutex& m, std::size_t contenders) {
    for (;;) {
        const std::vector<key_value> queue = co_await m.queue();
        if (queue.size() == contenders) co_return;
    }
}

asio::awaitable<void> locks(client c, lines& seen) {
    mutex one(c, "/locks/one");
    held_lock held = co_await one.lock();
    std::optional<key_value> holder = co_await one.holder();
    seen.push_back(holder && holder->key == held.key() && holder->create_revision == held.token() ? "held" : "held by another");
    held_lock tried = co_await one.try_lock();
    seen.push_back(tried.valid() ? "taken" : "not taken");
    co_await held.unlock();
    bool locked = co_await one.is_locked();
    seen.push_back(locked ? "locked" : "free");
    held_lock again = co_await one.try_lock();
    seen.push_back(again.valid() ? "taken" : "not taken");
    seen.push_back(again.token() > held.token() ? "a greater token" : "no greater token");
    co_await again.unlock();
    kv store(c);
    const std::int64_t left = co_await store.count(key_range::prefix("/locks/"));
    seen.push_back(std::to_string(left) + " keys left");
}

asio::awaitable<void> contention(client c, lines& seen) {
    mutex one(c, "/locks/one");
    held_lock now = co_await one.lock();
    std::list<held_lock> next;
    std::size_t queued = 1;
    for (const char* who : {"second", "third", "fourth"}) {
        one.lock([&seen, &next, who](error_code ec, held_lock l) {
            seen.push_back(who + (": " + words(ec)));
            next.push_back(std::move(l));
        });
        co_await until_queued(one, ++queued);
    }
    for (; queued > 1; --queued) {
        seen.push_back("it is left");
        co_await now.unlock();
        while (next.empty()) co_await one.is_locked();
        now = std::move(next.front());
        next.pop_front();
    }
    co_await now.unlock();
}

asio::awaitable<void> elections(client c, lines& seen) {
    election e(c, "/elections/one");
    leader_observer observer(c, "/elections/one");
    std::optional<key_value> leader = co_await observer.next();
    seen.push_back("leader " + value_of(leader));
    leadership first = co_await e.campaign("one");
    leader = co_await observer.next();
    seen.push_back("leader " + value_of(leader));
    co_await first.proclaim("one and a half");
    leader = co_await observer.next();
    seen.push_back("leader " + value_of(leader));

    leadership second;
    bool leads = false;
    e.campaign("two", [&](error_code ec, leadership l) {
        seen.push_back("two: " + words(ec));
        second = std::move(l);
        leads = true;
    });
    kv store(c);
    for (std::int64_t n = 0; n < 2;) n = co_await store.count(key_range::prefix("/elections/one/"));
    co_await first.resign();
    leader = co_await observer.next();
    while (!leads) co_await e.leader();
    seen.push_back("leader " + value_of(leader));
    seen.push_back(second.token() > first.token() ? "a greater token" : "no greater token");
    auto [late] = co_await first.proclaim("late", tupled);
    seen.push_back("proclaimed late: " + words(late));
    co_await second.resign();
    leader = co_await observer.next();
    seen.push_back("leader " + value_of(leader));
}

asio::awaitable<void> bulks(client c, lines& seen) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (int i = 0; i < 128; ++i) pairs.emplace_back("/bulk/" + std::to_string(1000 + i), std::to_string(i));
    bulk atomic(c);
    bulk_response done = co_await atomic.put(pairs);
    seen.push_back(done.complete() && done.atomic() ? "all at once" : "not all");
    kv store(c);
    const key_range all = key_range::prefix("/bulk/");
    range_response read = co_await store.range(all);
    bool one_revision = read.kvs.size() == 128;
    for (const key_value& kv : read.kvs) one_revision = one_revision && kv.mod_revision == read.header.revision;
    seen.push_back(one_revision ? "one revision" : "several");

    for (int i = 128; i < 300; ++i) pairs.emplace_back("/bulk/" + std::to_string(1000 + i), std::to_string(i));
    const put_options plain;
    const bulk_progress untold;
    auto [many, none] = co_await atomic.put(pairs, plain, untold, tupled);
    seen.push_back("300 at once: " + words(many));
    bulk_options parts;
    parts.split = true;
    bulk split(c, parts);
    done = co_await split.put(pairs);
    seen.push_back(std::to_string(done.parts.size()) + " parts" + (done.complete() ? ", complete" : ""));
    for (std::size_t i = 1; i < done.parts.size(); ++i)
        seen.push_back(done.parts[i].header.revision == done.parts[i - 1].header.revision + 1 ? "the next revision" : "some revision");

    std::vector<op> doubled{op::put("/bulk/x", "1"), op::put("/bulk/x", "2")};
    auto [twice, nothing] = co_await atomic.execute(doubled, untold, tupled);
    seen.push_back("the same key twice: " + words(twice));
    const std::vector<std::string> wanted{"/bulk/1001", "/bulk/none", "/bulk/1299"};
    const bulk_read_response some = co_await atomic.read(wanted);
    for (const auto& item : some.items) seen.push_back(value_of(item));
    std::vector<std::string> names;
    for (const auto& [key, value] : pairs) names.push_back(key);
    done = co_await split.delete_keys(names);
    const std::int64_t left = co_await store.count(all);
    seen.push_back(std::to_string(left) + " keys left");
}

}  // namespace

const std::vector<library_case>& library_cases() {
    static const std::vector<library_case> all = {
        {"locks", locks, {"held", "not taken", "free", "taken", "a greater token", "0 keys left"}},
        {"contention", contention,
            {"it is left", "second: done", "it is left", "third: done", "it is left", "fourth: done"}},
        {"elections", elections,
            {"leader (none)", "leader one", "leader one and a half", "two: done", "leader two", "a greater token",
                "proclaimed late: " + words(errc::not_held), "leader (none)"}},
        {"bulk", bulks,
            {"all at once", "one revision", "300 at once: " + words(server_errc::too_many_ops), "3 parts, complete",
                "the next revision", "the next revision", "the same key twice: " + words(server_errc::duplicate_key), "1", "(none)",
                "299", "0 keys left"}},
    };
    return all;
}

}  // namespace dynconf::test
