#include "etcd/client_access.hpp"
#include "etcd/watch_hub.hpp"
#include "etcd/watch_subscription.hpp"
#include "mock/core_scene.hpp"
#include "mock/watch_scene.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;


TEST_CASE("watch: says what it wants and asks for a leader", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto&) { return stream({created(4), news(5, {put_event("/a/x", "1", 5)})}, then::hold); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watch_options all = from(3);
        all.prev_kv = all.fragment = all.no_put = all.no_delete = true;
        watcher w(c, ours(), all);
        std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher plain(c, ours());
        std::string got = co_await next_of(plain);
        CHECK(got == "/a/x=1@5");
    });
    const auto asked = gateway.requests(watch_path);
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].has("Grpc-Metadata-hasleader: true"));
    CHECK(asked[0].has("Connection: close"));   // else Go may throw away a part of the body
    CHECK(asked[0].header("Grpc-Timeout").empty());   // it would end the stream
    for (const char* word : {"\"start_revision\":\"2\"", "\"prev_kv\":true", "\"fragment\":true", "NOPUT", "NODELETE", "\"progress_notify\":true"})
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
    std::atomic<std::size_t> cut{0};
    std::atomic<bool> first{true};
    fake_gateway gateway;
    gateway.on(watch_path, [&](const auto& r) {
        if (first.exchange(false)) return raw(whole.substr(0, cut), then::close);
        return stream(past.lines(start_revision(r)), then::hold);
    });
    client_options o = options_for({gateway.url()});
    o.backoff.first = 0ms;
    for (cut = 0; cut < whole.size(); ++cut) {
        INFO("cut at " << cut);
        first = true;
        std::string got;
        with_client(o, [&](client& c) -> asio::awaitable<void> {
            watcher w(c, ours(), from(3));
            while (got.size() < std::string(history::all).size()) {
                const std::string more = co_await next_of(w);
                got += (got.empty() ? "" : " ") + more;
            }
        });
        if (got != history::all) CHECK(got == history::all);   // a thousand that hold would only be noise
    }
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

TEST_CASE("watch: one that is given up before it was confirmed does not hold up the next", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return silence();
        if (r.number == 2) return stream({}, then::hold);   // the head alone
        return stream({created(4), news(5, {put_event("/a/x", "1", 5)})}, then::hold);
    });
    client_options o = options_for({gateway.url()});
    o.created_timeout = 60s;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        for (const std::size_t asked : {1u, 2u}) {
            watcher given_up(c, ours());
            asio::cancellation_signal enough;
            bool ended = false;
            given_up.next(asio::bind_cancellation_slot(enough.slot(), [&](const error_code&, const watch_batch&) { ended = true; }));
            co_await until([&] { return gateway.count(watch_path) == asked; });
            enough.emit(asio::cancellation_type::terminal);
            co_await until([&] { return ended; });
        }
        watcher w(c, ours());
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
    });
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

TEST_CASE("watch: a stream that came because one was not trusted has its time", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return stream({created(4), news(5, {put_event("/a/x", "1", 5)})}, then::hold);
        return stream({created(20)}, then::hold);   // and nothing yet of what was before
    });
    gateway.on(range_path, [](const auto&) { return json(range_body(20)); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        etcd::watch_hub& hub = core_of(c).watches();
        const error why{errc::watch_ended, "nothing comes"};
        watcher w(c, ours(), from(4));
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
        const auto first = hub.distrust(why);
        co_await until([&] { return gateway.count(range_path) == 1; });   // the probe of the one that came
        for (int others = 0; others < 3; ++others) CHECK(hub.distrust(why) == first);
        co_await core_of(c).sleep(50ms);
    });
    CHECK(gateway.count(watch_path) == 2);
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

TEST_CASE("watch: lost history is the end, however often it is asked for more", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto&) {
        return stream({created(4), news(5, {put_event("/a/x", "1", 5)}), compacted_cancel(15)}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours());
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@5");
        const auto next = [&]() -> asio::awaitable<void> { co_await w.next(); };
        for (int again = 0; again < 3; ++again) {
            const error e = co_await failure_of(next);
            CHECK(e.code == errc::history_lost);
            CHECK(e.detail.find("15") != std::string::npos);
        }
    });
    CHECK(gateway.count(watch_path) == 1);
}

TEST_CASE("watch: a proxy that limits the rate does not end it", "[watch]") {
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto& r) {
        if (r.number == 1) return text("slow down", 429);
        return stream({created(9), news(9, {put_event("/a/1", "x", 9)})}, then::hold);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours(), from(9));
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/1=x@9");
    });
    CHECK(gateway.count(watch_path) == 2);
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
    std::chrono::steady_clock::duration passed{};
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours());
        asio::cancellation_signal signal;
        bool ended = false;
        const auto began = std::chrono::steady_clock::now();
        w.next(asio::bind_cancellation_slot(signal.slot(), [&](error_code, const watch_batch&) { ended = true; }));
        co_await until([&] { return first.count(watch_path) + second.count(watch_path) >= 8; });
        passed = std::chrono::steady_clock::now() - began;
        signal.emit(asio::cancellation_type::terminal);
        co_await until([&] { return ended; });
    });
    // Two without a pause between them, 20 ms, two more, 40 ms, two, 80 ms: no machine is too slow for that.
    CHECK(passed >= 140ms);
}

TEST_CASE("watch: where reads fail and watches do not, streams follow each other with pauses", "[watch]") {
    const unsigned answer = GENERATE(400u, 403u, 404u, 429u, 500u, 503u);   // as of a proxy
    CAPTURE(answer);
    fake_gateway gateway;
    gateway.on(watch_path, [](const auto&) { return stream({created(4)}, then::hold); });
    gateway.on(range_path, [&](const auto&) { return json("{}", answer); });
    client_options o = options_for({gateway.url()});
    o.backoff.first = 20ms;
    o.backoff.most = 1000ms;
    o.backoff.jitter = 0;
    std::chrono::steady_clock::duration passed{};
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, {ours()}, {.revision = 4, .cluster_id = some_cluster, .kvs = {}});
        const auto began = std::chrono::steady_clock::now();
        asio::cancellation_signal signal;
        bool ended = false;
        m.next(asio::bind_cancellation_slot(signal.slot(), [&](error_code, const mirror_step&) { ended = true; }));
        co_await until([&] { return gateway.count(watch_path) >= 5; });
        passed = std::chrono::steady_clock::now() - began;
        signal.emit(asio::cancellation_type::terminal);
        co_await until([&] { return ended; });
    });
    CHECK(passed >= 140ms);   // one at once, then after 20, 40, 80 ms
}

TEST_CASE("watch: a reader that caught up while its stream was lost and the next one came without it is served", "[watch]") {
    std::atomic<bool> caught_up{false}, lost{false};
    const std::string big(4000, 'x');
    const auto confirmed = [](std::size_t id) { return std::vector<std::string>{created(9, some_cluster, id)}; };
    fake_gateway gateway;
    gateway.on(watch_path, [&](const auto& r) {
        if (r.number == 1) {
            gateway_answer first = stream({created(9), news(9, {put_event("/a/1", "x", 9)})}, then::close);
            first.steps.push_back({chunk(news(10, {put_event("/a/2", big, 10)})), 0ms, [&] { return gateway.count(watch_path) == 2; }});
            first.steps.push_back({"", 0ms, [&] { return caught_up.load(); }});
            return first;
        }
        // Both are asked for, but what was full has no part in it any more.
        if (r.number == 2) return stream(each_watch(r, confirmed), then::hold).once([&] { return lost.load(); });
        std::vector<std::string> lines = each_watch(r, confirmed);
        lines.push_back(news(11, {put_event("/a/3", "y", 11)}, 0));
        lines.push_back(news(11, {put_event("/b/1", "z", 11)}, 1));
        return stream(lines, then::hold);
    });
    client_options o = options_for({gateway.url()});
    o.watch_buffer_bytes = 3000;
    o.max_staleness = 1h;   // no sign of life, which would find out as well
    o.log = [&](const log_record& r) { lost = lost || r.event == "watch_interrupted"; };
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        watcher a(c, ours(), from(9)), b(c, key_range::prefix("/b/"), from(9));
        std::string got = co_await next_of(a);
        CHECK(got == "/a/1=x@9");
        co_await in_parallel(2, [&](int i) -> asio::awaitable<void> {
            if (i == 1) {
                const std::string other = co_await next_of(b);
                CHECK(other == "/b/1=z@11");
                co_return;
            }
            std::string next = co_await next_of(a);
            CHECK(next == "/a/2=" + big + "@10");
            caught_up = true;
            next = co_await next_of(a);
            CHECK(next == "/a/3=y@11");
        });
    });
    CHECK(starts(gateway) == std::vector<revision_t>{9, 10, 11});
}

TEST_CASE("watch: a cancelled next() loses nothing", "[watch][cancel]") {
    std::atomic<bool> go{false};
    fake_gateway gateway;
    gateway.on(watch_path, [&](const auto& r) {
        CHECK(r.number == 1);
        gateway_answer a = stream({created(4)}, then::hold);
        auto& change = a.steps.emplace_back();
        change.bytes = chunk(news(6, {put_event("/a/x", "1", 6)}));
        change.until = [&] { return go.load(); };
        return a;
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        watcher w(c, ours(), from(5));
        for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::total}) {
            asio::cancellation_signal signal;
            error_code how;
            bool ended = false;
            w.next(asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, const watch_batch&) {
                how = ec;
                ended = true;
            }));
            co_await until([&] { return gateway.count(watch_path) == 1; });
            signal.emit(type);
            co_await until([&] { return ended; });
            CHECK(how == asio::error::operation_aborted);
        }
        go = true;
        const std::string got = co_await next_of(w);
        CHECK(got == "/a/x=1@6");
    });
    CHECK(starts(gateway) == std::vector<revision_t>{5});   // the stream outlives the wait
}

TEST_CASE("watch: a cancellation that meets a message which brings nothing is not lost", "[watch][cancel]") {
    std::atomic<bool> go{false}, sent{false};
    fake_gateway gateway;
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
