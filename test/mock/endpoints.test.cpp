#include <dynconf/mirror.hpp>

#include "mock/core_scene.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

TEST_CASE("endpoints: a probe readmits a member once it can serve again", "[endpoints]") {
    struct { const char* what; gateway_answer bad; gateway_answer good; } const rows[] = {
        {"no leader, refused", json(fault(14, "etcdserver: no leader"), 503), json(status_body())},
        {"no leader, said", json(status_body(1, ",\"errors\":[\"etcdserver: no leader\"]")), json(status_body())},
        {"no leader, not named", json(status_body(0)), json(status_body())},
        {"learner", json(status_body(1, ",\"isLearner\":true")), json(status_body())},
        {"no gateway", text("404 page not found\n", 404), json(status_body())},
        {"not etcd", text("hello", 200), json(status_body())},
        {"closed", hang_up(), json(status_body())},
        {"asked without a token", hang_up(), json(fault(3, "etcdserver: user name is empty"), 400)},
        {"a token of before", hang_up(), json(fault(16, "etcdserver: invalid auth token"), 401)},
        {"not permitted", hang_up(), json(fault(7, "etcdserver: permission denied"), 403)},
        {"an alarm is no reason", hang_up(), json(status_body(1, ",\"errors\":[\"memberID:1 alarm:NOSPACE\"]"))},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        std::atomic<bool> well{false};
        fake_gateway gateway;
        gateway.on(range_path, [&](const auto& r) { return well ? empty_range(r) : no_leader(r); });
        gateway.on(status_path, [&](const auto& r) {
            if (r.number < 3) return row.bad;
            well = true;
            return row.good;
        });
        with_core(options_for({gateway.url()}), [&](etcd::client_core& core) -> asio::awaitable<void> {
            auto first = co_await read(core, true);
            REQUIRE(!first);
            CHECK(core.all_endpoints_down());
            CHECK(core.last_failure().code == server_errc::no_leader);
            const bool reachable = co_await core.until_reachable();
            CHECK(reachable);
            auto second = co_await read(core, true);
            CHECK(second.has_value());
        });
        CHECK(gateway.count(status_path) == 3);
        CHECK(gateway.count(range_path) == 2);
        CHECK(gateway.requests(status_path).at(0).has("Grpc-Metadata-hasleader: true"));
    }
}

TEST_CASE("endpoints: background calls make one try at each endpoint that is up, and none when all are down", "[endpoints]") {
    fake_gateway first, second;
    first.on(range_path, no_leader);
    second.on(range_path, no_leader);
    with_core(options_for({first.url(), second.url()}), [&](etcd::client_core& core) -> asio::awaitable<void> {
        for (int i = 0; i < 5; ++i) {
            auto got = co_await read(core, true);
            REQUIRE(!got);
            CHECK(got.error().code == errc::no_endpoint_available);
            CHECK(got.error().detail.find("no leader") != std::string::npos);
        }
        CHECK(first.count(range_path) + second.count(range_path) == 2);
        // A caller's own call deserves a try.
        auto got = co_await read(core);
        CHECK(!got);
        CHECK(first.count(range_path) == 4);
        CHECK(second.count(range_path) == 4);
    });
}

TEST_CASE("endpoints: waiting for one that works ends when cancelled, and leaves nothing behind", "[endpoints][cancel]") {
    fake_gateway gateway;
    gateway.on(range_path, no_leader);
    gateway.on(status_path, [](const auto&) { return silence(); });   // the cancellation meets a probe under way
    client_options o = options_for({gateway.url()});
    const auto begin = std::chrono::steady_clock::now();
    with_core(o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        auto got = co_await read(core, true);
        CHECK(!got);
        asio::cancellation_signal stop;
        bool ended = false;
        bool answer = true;
        auto waits = [&]() -> asio::awaitable<void> {
            co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
            co_await asio::this_coro::throw_if_cancelled(false);
            answer = co_await core.until_reachable();
            ended = true;
        };
        asio::co_spawn(core.executor(), std::move(waits), asio::bind_cancellation_slot(stop.slot(), asio::detached));
        while (gateway.count(status_path) == 0) (void)co_await core.sleep(1ms);
        stop.emit(asio::cancellation_type::terminal);
        while (!ended) (void)co_await core.sleep(1ms);
        CHECK_FALSE(answer);
    });
    CHECK(std::chrono::steady_clock::now() - begin < 2s);   // shorter than a probe may take
    CHECK(gateway.count(status_path) == 1);
}

TEST_CASE("endpoints: nobody probes for a client that is not in use", "[endpoints]") {
    fake_gateway first, second;
    first.on(range_path, no_leader);
    first.on(status_path, healthy_status);
    second.on(range_path, empty_range);
    with_core(options_for({first.url(), second.url()}), [&](etcd::client_core& core) -> asio::awaitable<void> {
        auto got = co_await read(core);
        CHECK(got.has_value());
        for (int i = 0; i < 20; ++i) got = co_await read(core);
        CHECK(first.count(status_path) == 0);
        // With a stream, or whatever else is going on behind, there is.
        const etcd::client_core::in_use use(core);
        while (first.count(status_path) == 0) (void)co_await core.sleep(1ms);
        first.on(range_path, empty_range);
        while (first.count(range_path) < 2) {
            core.return_to_first_endpoint();
            got = co_await read(core);
            CHECK(got.has_value());
        }
    });
}

TEST_CASE("endpoints: one try at a given endpoint neither retries nor goes elsewhere", "[endpoints]") {
    fake_gateway first, second;
    first.on(range_path, [](const auto&) { return silence(); });
    second.on(range_path, empty_range);
    with_core(options_for({second.url(), first.url()}), [&](etcd::client_core& core) -> asio::awaitable<void> {
        const std::string body = "{}";
        auto good = co_await core.unary_at<range_response>(0, read_call(), body, 5s);
        CHECK(good.has_value());
        const auto begin = std::chrono::steady_clock::now();
        auto silent = co_await core.unary_at<range_response>(1, read_call(), body, 50ms);
        REQUIRE(!silent);
        CHECK(silent.error().code == errc::deadline_exceeded);
        CHECK(silent.error().detail.find(first.url()) != std::string::npos);
        CHECK(std::chrono::steady_clock::now() - begin < 4s);
        CHECK_FALSE(core.last_failure().code);   // so short a time says nothing of the member
        etcd::call is_it_there = read_call();
        is_it_there.sign_of_life = true;
        silent = co_await core.unary_at<range_response>(1, is_it_there, body, 50ms);
        CHECK(!silent);
        CHECK(core.last_failure().code == errc::deadline_exceeded);
    });
    CHECK(first.count(range_path) == 2);
    CHECK(second.count(range_path) == 1);
}

TEST_CASE("endpoints: that all connections are busy is not the member's failure", "[endpoints]") {
    std::atomic<bool> go{false};
    fake_gateway busy, idle;
    busy.on(range_path, [&](const auto&) { return json(range_body(5)).once([&] { return go.load(); }); });
    idle.on(range_path, empty_range);
    client_options o = options_for({busy.url(), idle.url()});
    o.max_connections = 1;
    o.total_timeout = 40ms;
    with_core(o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        const std::string body = "{}";
        co_await in_parallel(2, [&](int i) -> asio::awaitable<void> {
            etcd::call what = read_call();
            if (i == 0) what.due = etcd::client_core::clock::now() + 60s;
            else co_await until([&] { return busy.count(range_path) == 1; });
            const auto got = co_await core.unary<range_response>(what, body);
            if (i == 0) {
                CHECK(got.has_value());
                co_return;
            }
            REQUIRE(!got);
            CHECK(got.error().message().find("stayed busy") != std::string::npos);
            CHECK(core.best_endpoint(std::nullopt) == 0);
            CHECK(core.last_failure().code == error_code());
            go = true;
        });
    });
    CHECK(idle.count(range_path) == 0);
}

TEST_CASE("endpoints: one try renews a token that was refused", "[endpoints][auth]") {
    token_keeper tokens;
    fake_gateway gateway;
    tokens.install(gateway);
    gateway.on(range_path, [&](const auto& r) {
        if (r.number == 2) tokens.revoked = true;
        return tokens.accepts(r) ? json(range_body(5)) : json(fault(16, "etcdserver: invalid auth token"), 401);
    });
    with_core(with_user(options_for({gateway.url()})), [&](etcd::client_core& core) -> asio::awaitable<void> {
        const std::string body = "{}";
        for (int i = 0; i < 2; ++i) {
            auto good = co_await core.unary_at<range_response>(0, read_call(), body, 5s);
            CHECK(good.has_value());
        }
    });
    CHECK(tokens.issued == 2);
}

TEST_CASE("endpoints: a thousand calls to a cluster that fails everything are a bounded number of requests", "[endpoints][budget]") {
    fake_gateway first, second;
    first.on(range_path, no_leader);
    second.on(range_path, no_leader);
    client_options o = options_for({first.url(), second.url()});
    with_core(o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        int told = 0;
        for (int i = 0; i < 1000; ++i) {
            auto got = co_await read(core);
            REQUIRE(!got);
            if (got.error().detail.find("retry budget") != std::string::npos) ++told;
        }
        CHECK(told > 950);
        CHECK(first.count(range_path) + second.count(range_path) == 1000 + 20);

        // The first tries that work earn it back.
        for (fake_gateway* g : {&first, &second}) g->on(range_path, empty_range);
        for (int i = 0; i < 10; ++i) {
            auto got = co_await read(core);
            CHECK(got.has_value());
        }
        std::atomic<int> failures{1};
        for (fake_gateway* g : {&first, &second})
            g->on(range_path, [&](const auto& r) { return failures-- > 0 ? no_leader(r) : empty_range(r); });
        auto got = co_await read(core);
        CHECK(got.has_value());
        failures = 1;
        got = co_await read(core);
        CHECK(!got);
    });
}

TEST_CASE("endpoints: a mirror whose cluster is away leaves the tries to one prober", "[endpoints][mirror]") {
    // Closes each connection that comes, and counts them.
    asio::io_context other;
    using asio::ip::tcp;
    std::vector<std::string> urls;
    std::vector<std::unique_ptr<tcp::acceptor>> doors;
    std::atomic<int> attempts{0};
    std::function<void(tcp::acceptor&)> shut = [&](tcp::acceptor& door) {
        door.async_accept([&](boost::system::error_code ec, tcp::socket) {
            if (ec) return;
            ++attempts;
            shut(door);
        });
    };
    for (int i = 0; i < 3; ++i) {
        doors.push_back(std::make_unique<tcp::acceptor>(other, tcp::endpoint(asio::ip::address_v4::loopback(), 0)));
        urls.push_back("http://127.0.0.1:" + std::to_string(doors.back()->local_endpoint().port()));
        shut(*doors.back());
    }
    struct runner {   // ended whatever the test comes to
        asio::io_context& io;
        std::vector<std::unique_ptr<tcp::acceptor>>& doors;
        std::thread thread{[this] { io.run(); }};
        ~runner() {
            asio::post(io, [this] { for (auto& door : doors) door->close(); });
            thread.join();
        }
    };
    const runner running{other, doors};
    client_options o = options_for(urls);
    o.backoff.first = o.backoff.most = 200ms;
    o.backoff.factor = 1.0;
    o.backoff.jitter = 0.0;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        // Ten of them, each with a list to load.
        auto executor = co_await asio::this_coro::executor;
        std::vector<std::unique_ptr<mirror>> mirrors;   // ends, like all that is Asio's, before its io_context does
        for (int i = 0; i < 10; ++i) mirrors.push_back(std::make_unique<mirror>(c, key_range::prefix("/a/")));
        int told = 0, ended = 0;
        std::vector<asio::cancellation_signal> stops(mirrors.size());
        for (std::size_t i = 0; i < mirrors.size(); ++i) {
            auto follow = [&told, &m = *mirrors[i]]() -> asio::awaitable<void> {
                for (;;) {
                    mirror_step s = co_await m.next();
                    CHECK(s.what == mirror_step::kind::interrupted);
                    ++told;
                }
            };
            asio::co_spawn(executor, std::move(follow), asio::bind_cancellation_slot(stops[i].slot(), [&ended](std::exception_ptr) { ++ended; }));
        }
        asio::steady_timer timer(executor);
        const auto until = [&](auto met) -> asio::awaitable<void> {
            while (!met()) {
                timer.expires_after(1ms);
                co_await timer.async_wait(asio::use_awaitable);
            }
        };
        const auto begin = std::chrono::steady_clock::now();
        co_await until([&] { return attempts >= 12; });
        const auto pauses = (std::chrono::steady_clock::now() - begin) / 200ms;
        // Each was told once. They made the first round together, one try at each endpoint; the others are probes.
        CHECK(told == 10);
        CHECK(attempts <= 3 + pauses + 1);
        CHECK(pauses >= 2);
        for (auto& s : stops) s.emit(asio::cancellation_type::terminal);
        co_await until([&] { return ended == 10; });
    });
}

namespace {

const std::string members_path = "/v3/cluster/member/list";

std::string member_json(const std::string& name, const std::vector<std::string>& urls, bool learner = false) {
    std::vector<std::string> quoted;
    for (const std::string& u : urls) quoted.push_back("\"" + u + "\"");
    return "{\"ID\":\"1\",\"name\":\"" + name + "\",\"peerURLs\":[\"http://127.0.0.1:1\"],\"clientURLs\":[" + joined(quoted) + "]"
        + (learner ? ",\"isLearner\":true" : "") + "}";
}

std::string members_body(const std::vector<std::string>& members) {
    return "{" + header(5) + ",\"members\":[" + joined(members) + "]}";
}

}  // namespace

TEST_CASE("discovery: only members that show to be of the same cluster are used, and given endpoints are kept", "[endpoints][discovery]") {
    std::atomic<bool> left{false};
    fake_gateway good, other, learner, listed_as_learner, bare, gone;
    const std::string port = good.url().substr(good.url().rfind(':'));
    fake_gateway seed;
    seed.on(status_path, healthy_status);
    for (fake_gateway* g : {&good, &listed_as_learner, &gone}) g->on(status_path, healthy_status);
    other.on(status_path, [](const auto&) { return json("{" + header(5, 7) + ",\"leader\":\"1\"}"); });
    learner.on(status_path, [](const auto&) { return json(status_body(1, ",\"isLearner\":true")); });
    bare.on(status_path, [](const auto&) { return text("404 page not found\n", 404); });
    seed.on(members_path, [&](const auto&) {
        std::vector<std::string> all{
            member_json("other", {other.url()}), member_json("learner", {learner.url()}), member_json("l", {listed_as_learner.url()}, true),
            member_json("", {"http://127.0.0.1:3"}), member_json("bare", {bare.url()}), member_json("nobody", {refusing_url()}),
            member_json("odd", {"http://0.0.0.0" + port, "unix:///x", "not a url", "http://[::]" + port}),
            member_json("none", {}), member_json("good", {good.url()}),
        };
        if (!left) all.push_back(member_json("gone", {gone.url()}));
        return json(members_body(all));
    });
    for (fake_gateway* g : {&good, &gone}) g->on(members_path, [&](const auto&) { return json(members_body({member_json("good", {good.url()})})); });
    good.on(range_path, empty_range);
    client_options o = options_for({seed.url()});
    o.discovery.members = true;
    o.discovery.refresh = 40ms;
    with_core(o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        CHECK(core.endpoint_count() == 1);
        const etcd::client_core::in_use use(core);
        while (core.endpoint_count() != 3) (void)co_await core.sleep(1ms);
        left = true;
        while (core.endpoint_count() != 2) (void)co_await core.sleep(1ms);
        // The one that was given is down: what was learned serves.
        seed.on(range_path, no_leader);
        auto got = co_await read(core);
        CHECK(got.has_value());
        // It is not in anybody's list, and comes back all the same.
        while (seed.count(status_path) == 0) (void)co_await core.sleep(1ms);
        CHECK(core.endpoint_count() == 2);
    });
    CHECK(good.count(range_path) == 1);
    for (fake_gateway* g : {&other, &learner, &bare}) {
        CHECK(g->count(status_path) >= 1);
        CHECK(g->count(range_path) + g->count(members_path) == 0);
    }
    CHECK(listed_as_learner.connections() == 0);
}

TEST_CASE("discovery: is off unless asked for", "[endpoints][discovery]") {
    fake_gateway seed;
    with_core(options_for({seed.url()}), [&](etcd::client_core& core) -> asio::awaitable<void> {
        seed.on(range_path, no_leader);
        const etcd::client_core::in_use use(core);
        auto got = co_await read(core, true);
        CHECK(!got);
        const bool reachable = co_await core.until_reachable();
        CHECK(reachable);
    });
    CHECK(seed.count(members_path) == 0);
}
