#include <dynconf/client.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/watch.hpp>

#include "etcd/client_access.hpp"
#include "etcd/watch_loop.hpp"
#include "support/catch.hpp"
#include "support/fake_gateway.hpp"
#include "support/gateway_words.hpp"
#include "support/parallel.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

const std::string watch_path = "/v3/watch";
const std::string range_path = "/v3/kv/range";
const std::string auth_path = "/v3/auth/authenticate";

key_range ours() { return key_range::prefix("/a/"); }

watch_options from(revision_t revision) {
    watch_options o;
    o.start_revision = revision;
    return o;
}

/// "key=value@revision" or "-key@revision".
std::string shown(const event& e) {
    const std::string at = "@" + std::to_string(e.kv.mod_revision);
    return e.type == event::kind::erase ? "-" + e.kv.key + at : e.kv.key + "=" + e.kv.value + at;
}

std::string shown(const std::vector<event>& events) {
    std::string all;
    for (const event& e : events) all += (all.empty() ? "" : " ") + shown(e);
    return all;
}

std::string shown(std::vector<key_value> content) {
    std::sort(content.begin(), content.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    std::string all;
    for (const key_value& kv : content) all += (all.empty() ? "" : " ") + kv.key + "=" + kv.value + "@" + std::to_string(kv.mod_revision);
    return all;
}

/// The next events of a watch, as text.
asio::awaitable<std::string> next_of(watcher& w) {
    watch_batch batch = co_await w.next();
    CHECK(batch.revision == (batch.events.empty() ? 0 : batch.events.back().kv.mod_revision));
    co_return shown(batch.events);
}

/// The next step that is neither `connected` nor `interrupted`, as text.
asio::awaitable<std::string> next_of(mirror& m) {
    for (;;) {
        mirror_step s = co_await m.next();
        const std::string at = " at " + std::to_string(s.revision) + ": ";
        if (s.what == mirror_step::kind::snapshot) co_return "snapshot" + at + shown(std::move(s.content));
        if (s.what == mirror_step::kind::update) co_return "update" + at + shown(s.events);
        if (s.what == mirror_step::kind::resync) co_return "resync" + at + shown(s.events);
    }
}

using body = std::function<asio::awaitable<void>(client&)>;

void with_client(const client_options& options, const body& what) {
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client etcd(executor, options);
        co_await what(etcd);
    });
}

client_options with_user(client_options o) {
    o.auth = credentials{"svc", "hunter2"};
    return o;
}

std::vector<revision_t> starts(const fake_gateway& gateway) {
    std::vector<revision_t> all;
    for (const gateway_request& r : gateway.requests(watch_path)) all.push_back(start_revision(r));
    return all;
}

/// A history that any number of watches can be served from.
struct history {
    std::map<revision_t, std::vector<std::string>> events{
        {3, {put_event("/a/1", "one", 3), put_event("/a/2", "two", 3)}},
        {5, {erase_event("/a/1", 5)}},
        {8, {put_event("/a/3", "three", 8), erase_event("/a/2", 8), put_event("/a/4", "", 8)}},
        {9, {put_event("/a/1", "again", 9)}},
    };
    static constexpr const char* all =
        "/a/1=one@3 /a/2=two@3 -/a/1@5 /a/3=three@8 -/a/2@8 /a/4=@8 /a/1=again@9";

    /// From `first` on: one line up to revision 5, one for the rest.
    std::vector<std::string> lines(revision_t first) const {
        std::vector<std::string> early, late, out;
        for (const auto& [revision, some] : events) {
            if (revision < first) continue;
            auto& to = revision <= 5 ? early : late;
            to.insert(to.end(), some.begin(), some.end());
        }
        out.push_back(created(9));
        if (!early.empty()) out.push_back(news(9, early));
        if (!late.empty()) out.push_back(news(9, late));
        return out;
    }
};

}  // namespace

TEST_CASE("watch: says what it wants and asks for a leader", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto&) { return stream({created(4), news(5, {put_event("/a/x", "1", 5)})}, then::hold); });
    client_options o = options_for({gateway.url()});
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        watch_options all = from(3);
        all.prev_kv = all.fragment = all.no_put = all.no_delete = true;
        watcher w(c, ours(), all);
        std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
        watcher plain(c, ours());
        got = co_await next_of(plain);
        CHECK(got == "/a/x=1@5");
    });
    const auto asked = gateway.requests(watch_path);
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].has("Grpc-Metadata-hasleader: true"));
    CHECK(asked[0].header("Grpc-Timeout").empty());   // it would end the stream
    for (const char* word : {"\"start_revision\":\"3\"", "\"prev_kv\":true", "\"fragment\":true", "NOPUT", "NODELETE", "\"progress_notify\":true"})
        CHECK(asked[0].body.find(word) != std::string::npos);
    CHECK(start_revision(asked[1]) == 0);
    CHECK(asked[1].body.find("prev_kv") == std::string::npos);
    CHECK(gateway.connections() == 2);   // a connection of its own for each
}

TEST_CASE("watch: resumes behind the last applied revision, and from the confirmation when there was none", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(4)}, then::close);
        if (r.number == 2) return stream({created(4), news(7, {put_event("/a/x", "1", 6), put_event("/a/y", "2", 7)})}, then::close);
        if (r.number == 3) return stream({created(7), "{\"result\":{" + header(20) + "}}"}, then::close);   // progress
        return stream({created(20), news(21, {put_event("/a/x", "1", 6), erase_event("/a/x", 21)})}, then::hold);   // a replay too
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours());
        std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@6 /a/y=2@7");
        got = co_await next_of(w);
        CHECK(got == "-/a/x@21");
    });
    CHECK(starts(gateway) == std::vector<revision_t>{0, 5, 8, 21});
}

TEST_CASE("watch: a stream cut at any byte loses nothing and doubles nothing", "[watch][cut]") {
    const history past;
    const std::string whole = stream_bytes(past.lines(3));
    fake_gateway gateway;
    std::atomic<std::size_t> cut{0};
    std::atomic<bool> first{true};
    gateway.on(watch_path, [&](const auto& r) {
        if (first.exchange(false)) return raw(whole.substr(0, cut), then::close);
        return stream(past.lines(start_revision(r)), then::hold);
    });
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options o = options_for({gateway.url()});
        o.backoff.first = 0ms;
        const client c(executor, o);
        for (cut = 0; cut < whole.size(); ++cut) {
            first = true;
            watcher w(c, ours(), from(3));
            std::string got;
            while (got.size() < std::string(history::all).size()) {
                const std::string more = co_await next_of(w);
                got += (got.empty() ? "" : " ") + more;
            }
            if (got != history::all) {   // a CHECK for each of a thousand cuts would only be noise
                INFO("cut at " << cut);
                CHECK(got == history::all);
            }
        }
    }, 60s);
    CHECK(gateway.count(watch_path) >= 2 * (whole.size() - 200));
}

TEST_CASE("watch: a fragmented revision that is cut comes whole from the next stream", "[watch][cut]") {
    fake_gateway gateway;
    const auto piece = [](std::vector<std::string> events, bool more) {
        return "{\"result\":{" + header(9) + (more ? ",\"fragment\":true" : "") + ",\"events\":[" + joined(events) + "]}}";
    };
    gateway.on(watch_path, [&](const auto& r) {
        if (r.number == 1)
            return stream({created(9), piece({put_event("/a/1", "x", 3), put_event("/a/2", "x", 4)}, true), piece({put_event("/a/3", "x", 4)}, true)}, then::close);
        return stream({created(9), piece({put_event("/a/2", "x", 4)}, true), piece({put_event("/a/3", "x", 4), put_event("/a/4", "x", 4)}, false)}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours(), from(3));
        std::string got = co_await next_of(w);
        CHECK(got == "/a/1=x@3");
        got = co_await next_of(w);
        CHECK(got == "/a/2=x@4 /a/3=x@4 /a/4=x@4");
    });
    CHECK(starts(gateway) == std::vector<revision_t>{3, 4});
}

TEST_CASE("watch: a server that confirms nothing is left for another", "[watch]") {
    fake_gateway silent, headless, good;
    silent.on(watch_path, [](const auto&) { return silence(); });
    headless.on(watch_path, [](const auto&) { return stream({}, then::hold); });
    good.on(watch_path, [](const auto&) { return stream({created(4), news(5, {put_event("/a/x", "1", 5)})}, then::hold); });
    std::mutex guard;
    std::string logged;
    client_options o = options_for({silent.url(), headless.url(), good.url()});
    o.created_timeout = 30ms;
    o.log = [&](const log_record& r) {
        const std::lock_guard lock(guard);
        logged += std::string(r.event) + ": " + r.text + "\n";
    };
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours());
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
    });
    CHECK(silent.count(watch_path) == 1);
    CHECK(headless.count(watch_path) == 1);
    const error not_acknowledged{errc::not_acknowledged, {}};
    CHECK(logged.find("watch_interrupted: watch at " + silent.url()) != std::string::npos);
    CHECK(logged.find(not_acknowledged.message()) != std::string::npos);
}

TEST_CASE("watch: once confirmed it may be silent as long as it likes", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto&) {
        gateway_answer a = stream({created(4)}, then::hold);
        auto& late = a.steps.emplace_back();
        late.bytes = chunk(news(5, {put_event("/a/x", "1", 5)}));
        late.pause = 120ms;
        return a;
    });
    client_options o = options_for({gateway.url()});
    o.created_timeout = 40ms;
    o.request_timeout = 40ms;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours());
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
    });
    CHECK(gateway.count(watch_path) == 1);
}

TEST_CASE("watch: every form of a refused token fetches a new one and goes on", "[watch][auth]") {
    struct { const char* what; std::function<gateway_answer()> refusal; } const forms[] = {
        {"cancel text", [] { return stream({refused_create("rpc error: code = Unauthenticated desc = etcdserver: invalid auth token")}, then::hold); }},
        {"no user", [] { return stream({refused_create("rpc error: code = InvalidArgument desc = etcdserver: user name is empty")}, then::hold); }},
        {"old revision", [] { return stream({refused_create("rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old")}, then::hold); }},
        {"error line", [] { return stream({created(6), stream_fault(16, "etcdserver: invalid auth token")}, then::next_request); }},
        {"status", [] { return json(fault(16, "etcdserver: invalid auth token"), 401); }},
    };
    for (const auto& form : forms) {
        INFO(form.what);
        fake_gateway gateway;
        gateway.on(auth_path, [](const auto& r) { return token_answer("token-" + std::to_string(r.number)); });
        gateway.on(watch_path, [&](const auto& r) {
            if (r.number == 1) return stream({created(4), news(6, {put_event("/a/x", "1", 6)})}, then::close);
            if (r.header("Authorization") == "token-1") return form.refusal();
            return stream({created(6), news(7, {put_event("/a/x", "2", 7)})}, then::hold);
        });
        with_client(with_user(options_for({gateway.url()})), [&](client& c) -> asio::awaitable<void> {
            watcher w(c, ours());
            std::string got = co_await next_of(w);
            CHECK(got == "/a/x=1@6");
            got = co_await next_of(w);
            CHECK(got == "/a/x=2@7");
        });
        CHECK(gateway.count(auth_path) == 2);
        CHECK(starts(gateway) == std::vector<revision_t>{0, 7, 7});
    }
}

TEST_CASE("watch: what will not heal ends next(), all else is tried again", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto&) { return stream({refused_create("rpc error: code = PermissionDenied desc = etcdserver: permission denied")}, then::hold); });
    const auto failure = [](const client_options& o) {
        error e;
        with_client(o, [&](client& c) -> asio::awaitable<void> {
            watcher w(c, ours());
            const auto next = [&]() -> asio::awaitable<void> { co_await w.next(); };
            e = co_await failure_of(next);
        });
        return e;
    };
    error e = failure(options_for({gateway.url()}));
    CHECK(e.code == server_errc::permission_denied);
    CHECK(e.detail.find("watch at " + gateway.url()) == 0);

    gateway.on(auth_path, [](const auto&) { return json(fault(3, "etcdserver: authentication failed, invalid user ID or password"), 400); });
    e = failure(with_user(options_for({gateway.url()})));
    CHECK(e.code == server_errc::auth_failed);

    gateway.on(watch_path, [](const auto&) { return stream({created(4), compacted_cancel(15)}, then::hold); });
    e = failure(options_for({gateway.url()}));
    CHECK(e.code == errc::history_lost);
    CHECK(e.detail.find("15") != std::string::npos);
}

TEST_CASE("watch: with no member up, also none to fetch a token from, it keeps trying", "[watch][auth]") {
    fake_gateway first, second;
    const auto starting = [](const auto& r) {
        return r.number < 2 ? json(fault(14, "etcdserver: no leader"), 503) : token_answer("token");
    };
    first.on(auth_path, starting);
    second.on(auth_path, starting);
    for (fake_gateway* g : {&first, &second})
        g->on(watch_path, [](const auto&) { return stream({created(4), news(5, {put_event("/a/x", "1", 5)})}, then::hold); });
    client_options o = with_user(options_for({first.url(), second.url()}));
    o.max_rounds = 1;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours());
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
    });
}

TEST_CASE("watch: streams that end as soon as they are confirmed are not reopened without a pause", "[watch]") {
    fake_gateway first, second;
    for (fake_gateway* g : {&first, &second}) g->on(watch_path, [](const auto&) { return stream({created(4)}, then::close); });
    client_options o = options_for({first.url(), second.url()});
    o.backoff.first = 20ms;
    o.backoff.most = 1000ms;
    o.backoff.jitter = 0;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        watcher w(c, ours());
        asio::cancellation_signal signal;
        bool ended = false;
        w.next(asio::bind_cancellation_slot(signal.slot(), [&](error_code, const watch_batch&) { ended = true; }));
        asio::steady_timer timer(executor, 150ms);
        co_await timer.async_wait(as_values);
        signal.emit(asio::cancellation_type::terminal);
        co_await until([&] { return ended; });
    });
    // Two without a pause between them, then 20, 40, 80, 160 ms: some four rounds at the most.
    CHECK(first.count(watch_path) + second.count(watch_path) >= 4);
    CHECK(first.count(watch_path) + second.count(watch_path) <= 12);
}

TEST_CASE("watch: a cancelled next() loses nothing", "[watch][cancel]") {
    fake_gateway gateway;
    std::atomic<bool> go{false};
    gateway.on(watch_path, [&](const auto& r) {
        if (r.number == 1) return stream({created(4)}, then::hold);
        return stream({created(4), news(6, {put_event("/a/x", "1", 6)})}, then::hold).once([&] { return go.load(); });
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours(), from(5));
        for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::total}) {
            const std::size_t before = gateway.count(watch_path);
            asio::cancellation_signal signal;
            error_code how;
            bool ended = false;
            w.next(asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, const watch_batch&) {
                how = ec;
                ended = true;
            }));
            co_await until([&] { return gateway.count(watch_path) > before; });
            signal.emit(type);
            co_await until([&] { return ended; });
            CHECK(how == asio::error::operation_aborted);
        }
        go = true;
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@6");
    });
    CHECK(starts(gateway) == std::vector<revision_t>{5, 5, 5});
}

TEST_CASE("watch: a cancellation that meets a message which brings nothing is not lost", "[watch][cancel]") {
    fake_gateway gateway;
    std::atomic<bool> go{false}, sent{false};
    gateway.on(watch_path, [&](const auto&) {
        gateway_answer a = stream({created(4)}, then::hold);
        auto& progress = a.steps.emplace_back();
        progress.bytes = chunk("{\"result\":{" + header(4) + "}}");
        progress.until = [&] { return go.load(); };
        auto& after = a.steps.emplace_back();
        after.until = [&] { sent = true; return true; };
        return a;
    });
    asio::io_context io;
    const client c(io.get_executor(), options_for({gateway.url()}));
    watcher w(c, ours());
    asio::cancellation_signal signal;
    bool ended = false;
    w.next(asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, const watch_batch&) {
        CHECK(ec == asio::error::operation_aborted);
        ended = true;
    }));
    const auto due = std::chrono::steady_clock::now() + 10s;
    while (gateway.count(watch_path) == 0 && std::chrono::steady_clock::now() < due) io.run_for(1ms);
    io.run_for(20ms);   // the confirmation is read; the next read waits
    // While the strand is held, the cancellation queues up first and the end of the read behind it.
    asio::post(detail::client_access::core(c)->executor(), [&] {
        signal.emit(asio::cancellation_type::terminal);
        go = true;
        while (!sent && std::chrono::steady_clock::now() < due) std::this_thread::sleep_for(1ms);
        std::thread other([&io] {   // on this thread the read would end at once, inside the strand
            for (int i = 0; i < 10; ++i) io.poll();
        });
        other.join();
    });
    io.run_for(3s);
    CHECK(ended);
}

TEST_CASE("mirror: lists at one revision, watches from the next, and goes on after a cut", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7)})); });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7), news(9, {put_event("/a/3", "z", 9)})}, then::close);
        return stream({created(9), news(11, {erase_event("/a/1", 10), put_event("/a/3", "w", 11)})}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        std::vector<mirror_step::kind> kinds;
        std::vector<std::string> data;
        while (data.size() < 3) {
            mirror_step s = co_await m.next();
            kinds.push_back(s.what);
            if (s.what == mirror_step::kind::snapshot) data.push_back(shown(s.content));
            if (s.what == mirror_step::kind::update) data.push_back(shown(s.events));
            if (s.what == mirror_step::kind::connected) CHECK(s.endpoint == gateway.url());
            if (s.what == mirror_step::kind::interrupted) CHECK(s.cause.code == errc::connection_closed);
            else CHECK(s.cluster_id == some_cluster);
        }
        CHECK(data == std::vector<std::string>{"/a/1=x@3 /a/2=y@7", "/a/3=z@9", "-/a/1@10 /a/3=w@11"});
        using kind = mirror_step::kind;
        CHECK(kinds == std::vector<kind>{kind::snapshot, kind::connected, kind::update, kind::interrupted, kind::connected, kind::update});
    });
    CHECK(starts(gateway) == std::vector<revision_t>{8, 10});
    CHECK(gateway.count(range_path) == 1);
}

TEST_CASE("mirror: after a compaction it lists again and brings only what differs", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.number == 1) return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7), pair("/a/3", "z", 5)}));
        return json(range_body(30, {pair("/a/1", "x", 3), pair("/a/3", "new", 25), pair("/a/4", "w", 28)}));
    });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7)}, then::close);
        if (r.number == 2) return stream({created(30), compacted_cancel(20)}, then::hold);
        return stream({created(30), news(31, {put_event("/a/1", "last", 31)})}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 7: /a/1=x@3 /a/2=y@7 /a/3=z@5");
        got = co_await next_of(m);
        CHECK(got == "resync at 30: -/a/2@30 /a/3=new@25 /a/4=w@28");
        got = co_await next_of(m);
        CHECK(got == "update at 31: /a/1=last@31");
    });
    CHECK(starts(gateway) == std::vector<revision_t>{8, 8, 31});
}

TEST_CASE("mirror: a compaction while it pages through the list starts the list over", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.number == 1) return json(range_body(7, {pair("/a/1", "x", 3)}, true));
        if (r.number == 2) return json(fault(11, "etcdserver: mvcc: required revision has been compacted"), 400);
        if (r.member("revision").empty()) return json(range_body(9, {pair("/a/1", "x", 3)}, true));
        return json(range_body(9, {pair("/a/2", "y", 8)}));
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        const std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 9: /a/1=x@3 /a/2=y@8");
    });
}

TEST_CASE("mirror: a store that went back, or another one, is loaded anew", "[mirror]") {
    struct { const char* what; revision_t revision; std::uint64_t cluster; } const stores[] = {
        {"went back", 4, some_cluster}, {"another", 4, 99}, {"another, further on", 400, 99}};
    for (const auto& store : stores) {
        INFO(store.what);
        fake_gateway gateway;
        std::atomic<bool> replaced{false};
        gateway.on(range_path, [&](const auto&) {
            if (replaced) return json(range_body(store.revision, {pair("/a/1", "x", 3), pair("/a/9", "n", 4)}, false, store.cluster));
            return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7)}));
        });
        gateway.on(watch_path, [&](const auto& r) {
            if (r.number == 1) {
                replaced = true;
                return stream({created(7)}, then::close);
            }
            if (r.number == 2) return stream({created(store.revision, store.cluster)}, then::hold);
            return stream({created(store.revision, store.cluster), news(500, {erase_event("/a/9", 500)})}, then::hold);
        });
        with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
            mirror m(c, ours());
            const std::string first = co_await next_of(m);
            CHECK(first == "snapshot at 7: /a/1=x@3 /a/2=y@7");
            mirror_step s;
            do s = co_await m.next();
            while (s.what == mirror_step::kind::connected || s.what == mirror_step::kind::interrupted);
            CHECK(s.what == mirror_step::kind::resync);
            CHECK(s.revision == store.revision);
            CHECK(s.cluster_id == store.cluster);
            // Revisions of two stores cannot be compared: every key counts as changed.
            CHECK(shown(s.events) == "/a/1=x@3 -/a/2@" + std::to_string(store.revision) + " /a/9=n@4");
            const std::string after = co_await next_of(m);
            CHECK(after == "update at 500: -/a/9@500");
        });
        CHECK(starts(gateway) == std::vector<revision_t>{8, 8, store.revision + 1});
    }
}

TEST_CASE("mirror: a member that only lags behind is no reason to load again", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(7, {pair("/a/1", "x", 3)})); });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7)}, then::close);
        return stream({created(5), news(8, {put_event("/a/1", "y", 8)})}, then::hold);   // catches up
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        std::string got = co_await next_of(m);
        got = co_await next_of(m);
        CHECK(got == "update at 8: /a/1=y@8");
    });
    CHECK(gateway.count(range_path) == 2);   // the list, and the linearizable question for the revision
}

TEST_CASE("mirror: when nobody can say whether the store went back, it is loaded again", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.number == 1) return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7)}));
        if (r.body.find("count_only") != std::string::npos) return json(fault(14, "etcdserver: no leader"), 503);
        return json(range_body(4, {pair("/a/1", "x", 3)}));
    });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7)}, then::close);
        return stream({created(4)}, then::hold);
    });
    client_options o = options_for({gateway.url()});
    o.max_rounds = 1;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        std::string got = co_await next_of(m);
        got = co_await next_of(m);
        CHECK(got == "resync at 4: /a/1=x@3 -/a/2@4");
    });
}

TEST_CASE("mirror: several ranges share one watch, and show no other keys", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        const std::string key = key_of(r);
        if (key == "/a/") return json(range_body(7, {pair("/a/1", "x", 3)}));
        if (key == "/c") return json(range_body(7, {pair("/c", "y", 4)}));
        return json(range_body(7));
    });
    gateway.on(watch_path, [](const auto&) {
        return stream({created(7), news(8, {put_event("/b", "no", 8)}),
                       news(9, {put_event("/a/2", "yes", 9), put_event("/b", "no", 9), put_event("/c", "yes", 9), put_event("/c/", "no", 9)})},
                      then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        std::vector<key_range> ranges{key_range::prefix("/a/"), key_range::key("/c")};
        mirror m(c, std::move(ranges));
        std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 7: /a/1=x@3 /c=y@4");
        got = co_await next_of(m);
        CHECK(got == "update at 9: /a/2=yes@9 /c=yes@9");
    });
    CHECK(gateway.count(watch_path) == 1);
    CHECK(gateway.requests(range_path).at(1).member("revision") == "7");
}

TEST_CASE("mirror: ranges that overlap bring each key once", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.member("range_end").empty()) return json(range_body(7, {pair("/a/1", "x", 3)}));
        return json(range_body(7, {pair("/a/1", "x", 3), pair("/a/2", "y", 7)}));
    });
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(7), compacted_cancel(5)}, then::hold);
        return stream({created(7), news(9, {put_event("/a/2", "z", 9)})}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        std::vector<key_range> ranges{key_range::key("/a/1"), key_range::prefix("/a/"), key_range::prefix("/a/1")};
        mirror m(c, std::move(ranges));
        std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 7: /a/1=x@3 /a/2=y@7");
        got = co_await next_of(m);
        CHECK(got == "resync at 7: ");
        got = co_await next_of(m);
        CHECK(got == "update at 9: /a/2=z@9");
    });
}

TEST_CASE("mirror: starts while nothing is up, with a pause and a cause for each try", "[mirror]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.number <= 3) return json(fault(14, "etcdserver: no leader"), 503);
        return json(range_body(7, {pair("/a/1", "x", 3)}));
    });
    client_options o = options_for({gateway.url()});
    o.max_rounds = 1;
    o.backoff.jitter = 0;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        for (const auto pause : {1ms, 2ms, 4ms}) {
            mirror_step s = co_await m.next();
            REQUIRE(s.what == mirror_step::kind::interrupted);
            CHECK(s.cause.code == server_errc::no_leader);
            CHECK(s.pause == pause);
        }
        const std::string got = co_await next_of(m);
        CHECK(got == "snapshot at 7: /a/1=x@3");
    });
    asio::io_context io;
    const client c(io.get_executor(), o);
    CHECK_THROWS_AS(mirror(c, std::vector<key_range>()), std::invalid_argument);
}
