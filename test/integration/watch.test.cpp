#include "integration/scene.hpp"
#include "support/parallel.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <map>

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;

namespace {

enum class end { terminate, kill };

/// Down and up again, and what `meanwhile` does comes first: nobody else is on this thread to reconnect before it.
template <class Meanwhile>
void restart(etcd_process& etcd, end how, Meanwhile meanwhile) {
    if (how == end::kill) etcd.kill();
    else CHECK(etcd.terminate());
    etcd.start();
    meanwhile();
}

watcher from_the_start(const client& c) {
    watch_options options;
    options.start_revision = 2;
    return watcher(c, key_range::prefix("k"), options);
}

/// Content as the events leave it.
std::map<std::string, std::string> replayed(
    std::map<std::string, std::string> content, const std::vector<event>& events) {
    for (const event& e : events) {
        if (e.type == event::kind::put) content[e.kv.key] = e.kv.value;
        else content.erase(e.kv.key);
    }
    return content;
}

std::map<std::string, std::string> values(const etcd_admin::content& content) {
    std::map<std::string, std::string> all;
    for (const auto& [key, item] : content) all[key] = item.value;
    return all;
}

}  // namespace

TEST_CASE("watcher: history and news, each revision whole, filtered as asked", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    other.put("a/1", "one");
    other.put("b/1", "not ours");
    other.put_all({{"a/2", "two"}, {"b/2", "not ours"}, {"a/\xFF", std::string("\0\x80", 2)}});
    other.erase("a/1");
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c(ex, hasty(etcd));
        watch_options options;
        options.start_revision = 1;
        options.prev_kv = true;
        watcher news(c, key_range::prefix("a/"), options);
        const std::vector<event> history = co_await events_until(news, 5);
        CHECK(shown(history)
            == strings{
                "put a/1=one @2", "put a/2=two @4", "put a/\xFF=" + std::string("\0\x80", 2) + " @4", "delete a/1 @5"});
        REQUIRE(history.back().prev_kv);
        CHECK(history.back().prev_kv->value == "one");
        CHECK(history.front().is_create());

        const auto at = other.put_all({{"a/3", "three"}, {"a/4", ""}});
        const watch_batch both = co_await news.next();
        CHECK(both.revision == at);
        CHECK(shown(both.events) == strings{"put a/3=three @" + std::to_string(at), "put a/4= @" + std::to_string(at)});

        options.no_put = true;
        watcher deletes(c, key_range::prefix("a/"), options);
        const watch_batch only = co_await deletes.next();
        CHECK(shown(only.events) == strings{"delete a/1 @5"});
    });
}

TEST_CASE("watcher: what changes while etcd restarts or is killed arrives once and in order", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            watcher news = from_the_start(c);
            strings expected;
            int n = 0;
            const auto write = [&] {
                const std::string key = "k" + std::to_string(n % 3);
                const std::string value = std::to_string(n++);
                expected.push_back("put " + key + "=" + value + " @" + std::to_string(other.put(key, value)));
                expected.push_back("delete " + key + " @" + std::to_string(other.erase(key)));
            };
            write();
            strings seen = shown(co_await events_until(news, other.revision()));
            for (const end how : {end::terminate, end::kill, end::kill}) {
                restart(etcd, how, write);
                const std::vector<event> some = co_await events_until(news, other.revision());
                for (const event& e : some) seen.push_back(shown(e));
                write();
                const std::vector<event> more = co_await events_until(news, other.revision());
                for (const event& e : more) seen.push_back(shown(e));
            }
            CHECK(seen == expected);
        },
        60s);
}

TEST_CASE("watcher: each() is called for what happens, through restarts, until it is cancelled", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            watcher news = from_the_start(c);
            strings expected, seen;
            const auto write = [&] { expected.push_back("put k=v @" + std::to_string(other.put("k", "v"))); };
            const auto note = [&](const watch_batch& batch) {
                for (const event& e : batch.events) seen.push_back(shown(e));
            };
            error_code why;
            asio::cancellation_signal enough;
            const auto ended = [&](const error_code& ec) { why = ec; };
            news.each(note, asio::bind_cancellation_slot(enough.slot(), asio::bind_executor(ex, ended)));
            write();
            co_await until([&] { return seen == expected; });
            for (const end how : {end::terminate, end::kill}) {
                restart(etcd, how, write);
                write();
                co_await until([&] { return seen == expected; });
            }
            enough.emit(asio::cancellation_type::total);
            co_await until([&] { return why == asio::error::operation_aborted; });
            const strings before = expected;
            write();
            co_await events_until(news, other.revision());   // it was there to be told
            CHECK(seen == before);
        },
        60s);
}

TEST_CASE("watcher: compacted history is told", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    other.put("k", "0");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            watcher news = from_the_start(c);
            (void)co_await events_until(news, 2);
            restart(etcd, end::kill, [&] {
                for (const char* value : {"1", "2", "3"}) other.put("k", value);
                other.compact(other.revision());
            });
            const auto lost = co_await outcome(news.next());
            REQUIRE(!lost);
            CHECK(lost.error().code == errc::history_lost);
            CHECK(lost.error().detail.find("revision 5") != std::string::npos);
        },
        60s);
}

TEST_CASE("mirror: follows through restarts, a gap costs nothing", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    other.put("k/1", "one");
    other.put("other", "not ours");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            mirror content(c, key_range::prefix("k/"));
            const mirror_step first = co_await content.next();
            REQUIRE(first.what == kind::snapshot);
            CHECK(first.revision == 3);
            REQUIRE(first.content.size() == 1);
            CHECK(first.content[0].value == "one");
            const mirror_step up = co_await content.next();
            CHECK(up.what == kind::connected);
            CHECK(up.endpoint == etcd.endpoint());

            for (const end how : {end::terminate, end::kill}) {
                revision_t last = 0;
                restart(etcd, how, [&] {
                    other.put("k/1", "changed");
                    other.put("other", "not ours either");
                    other.erase("k/1");
                    last = other.put_all({{"k/1", "again"}, {"k/2", "two"}});
                });
                const mirror_step down = co_await content.next();
                CHECK(down.what == kind::interrupted);
                CHECK(down.cause.code);
                const std::vector<event> changes = co_await changes_until(content, last);
                const strings expected{"put k/1=changed @" + std::to_string(last - 3),
                    "delete k/1 @" + std::to_string(last - 1), "put k/1=again @" + std::to_string(last),
                    "put k/2=two @" + std::to_string(last)};
                CHECK(shown(changes) == expected);
            }
        },
        60s);
}

TEST_CASE("mirror: after a compaction it loads again and tells the differences only", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    for (const char* key : {"k/change", "k/delete", "k/stay"}) other.put(key, "before");
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            mirror content(c, key_range::prefix("k/"));
            (void)co_await next_of(content, kind::connected);
            restart(etcd, end::kill, [&] {
                other.put("k/change", "between");
                other.put("k/change", "after");
                other.erase("k/delete");
                other.put("k/new", "after");
                other.put("k/gone", "never seen");
                other.erase("k/gone");
                other.compact(other.revision());
            });
            const mirror_step again = co_await next_of(content, kind::resync);
            CHECK(again.revision == 10);
            CHECK(shown(again.events) == strings{"put k/change=after @6", "delete k/delete @10", "put k/new=after @8"});
            (void)co_await next_of(content, kind::connected);
            const auto at = other.put("k/stay", "still followed");
            const mirror_step update = co_await next_of(content, kind::update);
            CHECK(shown(update.events) == strings{"put k/stay=still followed @" + std::to_string(at)});
        },
        60s);
}

TEST_CASE("mirror: several prefixes, a revision that touches both stays one", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    other.put_all({{"a/1", "x"}, {"b/1", "not ours"}, {"c/1", "y"}});
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            // The last is a part of the first: its keys may not count twice.
            mirror content(
                c, std::vector<key_range>{key_range::prefix("c/"), key_range::prefix("a/"), key_range::prefix("c/1")});
            const mirror_step first = co_await content.next();
            REQUIRE(first.what == kind::snapshot);
            strings keys;
            for (const key_value& kv : first.content) keys.push_back(kv.key);
            CHECK(keys == strings{"a/1", "c/1"});
            other.put("b/1", "still not ours");
            other.put_all({{"a/1", "1"}, {"b/1", "2"}, {"c/1", "3"}});
            const mirror_step update = co_await next_of(content, kind::update);
            CHECK(update.revision == 4);
            CHECK(shown(update.events) == strings{"put a/1=1 @4", "put c/1=3 @4"});

            restart(etcd, end::kill, [&] {
                for (const char* value : {"newer", "newest"}) other.put("a/1", value);
                other.compact(other.revision());
            });
            const mirror_step again = co_await next_of(content, kind::resync);
            CHECK(shown(again.events) == strings{"put a/1=newest @6"});
        },
        60s);
}

TEST_CASE("mirror: an etcd that appears later, and one that comes back empty", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    etcd.kill();
    etcd.wipe();
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            mirror content(c, key_range::prefix("k/"));
            const mirror_step down = co_await content.next();
            REQUIRE(down.what == kind::interrupted);
            CHECK(down.cause.code == asio::error::connection_refused);
            etcd.start();
            for (const char* key : {"k/1", "k/2", "k/3"}) other.put(key, "first life");
            const mirror_step first = co_await next_of(content, kind::snapshot);
            CHECK(first.content.size() == 3);
            (void)co_await next_of(content, kind::connected);

            etcd.kill();
            etcd.wipe();
            etcd.start();
            other.put("k/1", "second life");
            const mirror_step again = co_await next_of(content, kind::resync);
            CHECK(shown(again.events) == strings{"put k/1=second life @2", "delete k/2 @2", "delete k/3 @2"});
            (void)co_await next_of(content, kind::connected);
            other.put("k/4", "followed");
            const mirror_step update = co_await next_of(content, kind::update);
            CHECK(shown(update.events) == strings{"put k/4=followed @3"});
        },
        60s);
}

TEST_CASE("mirror: thousands of changes while away end in the same content", "[watch]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin other(etcd);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c(ex, hasty(etcd));
            mirror content(c, key_range::prefix("k/"));
            const mirror_step first = co_await next_of(content, kind::snapshot);
            (void)co_await next_of(content, kind::connected);
            revision_t last = 0;
            restart(etcd, end::kill, [&] {
                for (int i = 0; i < 40; ++i) {
                    std::vector<std::pair<std::string, std::string>> some;
                    for (int k = 0; k < 100; ++k)
                        some.emplace_back("k/" + std::to_string(i * 37 % 50 + k), std::to_string(i));
                    last = other.put_all(some);
                    if (i % 4 == 3) last = other.erase(some.front().first);
                }
            });
            const std::vector<event> changes = co_await changes_until(content, last);
            CHECK(replayed({}, changes) == values(other.read("k/")));
            CHECK(changes.size() == 4010);
            CHECK(first.content.empty());
        },
        60s);
}
