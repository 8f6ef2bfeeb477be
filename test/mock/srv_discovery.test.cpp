#include <dynconf/config/manager.hpp>
#include <dynconf/mirror.hpp>

#include "etcd/snapshot.hpp"
#include "mock/srv_scene.hpp"
#include "support/scratch_dir.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;

TEST_CASE("srv discovery: names that cannot be looked up are refused at once", "[srv]") {
    asio::io_context io;
    const auto refused = [&](const std::string& srv, const std::string& name) {
        client_options o = options_for({});
        o.discovery.srv = srv;
        o.discovery.srv_name = name;
        CHECK_THROWS_AS(client(io.get_executor(), o), std::invalid_argument);
    };
    refused("", "");
    refused("", "blue");
    refused("exa mple.com", "");
    refused("http://example.com", "");
    refused("example.com:53", "");
    refused("example..com", "");
    refused("example.com", "a.b");
    refused("example.com", "a/b");
    refused("example.com", std::string(64, 'a'));
    client_options good = options_for({});
    good.discovery.srv = "example.com.";
    good.discovery.srv_name = "blue";
    CHECK_NOTHROW(client(io.get_executor(), good));
}

TEST_CASE("srv discovery: the first call looks the endpoints up, and goes to the best", "[srv]") {
    fake_gateway best, next;
    for (fake_gateway* g : {&best, &next}) serves(*g);
    const domain d(dns_reply{0, {record(next, 20), record(best, 10)}});
    with_domain(d, by_srv(), [&](etcd::client_core& core) -> asio::awaitable<void> {
        CHECK(core.endpoint_count() == 0);
        CHECK_FALSE(core.all_endpoints_down());
        for (int i = 0; i < 3; ++i) {
            auto got = co_await read(core);
            CHECK(got.has_value());
        }
        CHECK(core.endpoint_count() == 2);
        best.on(range_path, no_leader);
        auto got = co_await read(core);
        CHECK(got.has_value());
    });
    CHECK(best.count(range_path) == 4);
    CHECK(next.count(range_path) == 1);
    CHECK(d.asked(secure_name) == 1);
    CHECK(d.asked(plain_name) == 1);
}

TEST_CASE("srv discovery: a failure names the domain and the cause, and the next call looks again", "[srv]") {
    fake_gateway member;
    serves(member);
    struct { dns_reply plain; dns_reply secure; const char* words; } const rows[] = {
        {no_such_name(), no_such_name(), "no such record"},
        {{0, {{0, 0, 0, "."}}}, no_such_name(), "no such record"},
        {no_such_name(), {2, {}}, "SERVFAIL"},
        {{0, {record(member)}}, {2, {}}, "SERVFAIL"},
        {{0, {{0, 0, 0, "no-port"}, {0, 0, 1, "not a name"}}}, no_such_name(), "none names an endpoint"},
    };
    for (const auto& row : rows) {
        INFO(row.words);
        domain d(row.plain, row.secure);
        with_domain(d, by_srv(), [&](etcd::client_core& core) -> asio::awaitable<void> {
            auto got = co_await read(core);
            REQUIRE(!got);
            INFO(got.error().message());
            CHECK(got.error().code == errc::discovery_failed);
            CHECK_FALSE(got.error().in_doubt);
            CHECK(says(got.error(), "'example.test'"));
            CHECK(says(got.error(), row.words));
            CHECK(core.all_endpoints_down());
            d.says({0, {record(member)}});
            got = co_await read(core);
            CHECK(got.has_value());
        });
    }
}

TEST_CASE("srv discovery: many first calls share one look-up, also where it fails", "[srv]") {
    fake_gateway member;
    serves(member);
    for (const bool good : {true, false}) {
        const domain d(good ? dns_reply{0, {record(member)}} : no_such_name());
        with_domain(d, by_srv(), [&](etcd::client_core& core) -> asio::awaitable<void> {
            int ended = 0, worked = 0;
            for (int i = 0; i < 100; ++i)
                asio::co_spawn(core.executor(), [&]() -> asio::awaitable<void> {
                    auto got = co_await read(core);
                    worked += got ? 1 : 0;
                    ++ended;
                }, asio::detached);
            while (ended != 100) (void)co_await core.sleep(1ms);
            CHECK(worked == (good ? 100 : 0));
        });
        CHECK(d.asked(secure_name) == 1);
    }
}

TEST_CASE("srv discovery: a look-up is bounded by its own limit and by the call's, and blocks nothing else", "[srv]") {
    const domain d(silent(), silent());
    client_options o = by_srv();
    SECTION("the look-up's") { o.connect_timeout = 300ms; }
    SECTION("the call's") { o.total_timeout = 300ms; }
    with_domain(d, o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        bool ended = false;
        int turns = 0;
        asio::co_spawn(core.executor(), [&]() -> asio::awaitable<void> {
            while (!ended) {
                (void)co_await core.sleep(1ms);
                ++turns;
            }
        }, asio::detached);
        auto got = co_await read(core);
        ended = true;
        REQUIRE(!got);
        INFO(got.error().message());
        CHECK(got.error().code == (o.total_timeout == 300ms ? errc::deadline_exceeded : errc::discovery_failed));
        CHECK(says(got.error(), "'example.test'"));
        CHECK(turns > 10);
        (void)co_await core.sleep(2ms);
    });
}

TEST_CASE("srv discovery: cancelled, a call does not wait for the name servers, and another one takes over", "[srv][cancel]") {
    fake_gateway member;
    serves(member);
    domain d(silent(), silent());
    with_domain(d, by_srv(), [&](etcd::client_core& core) -> asio::awaitable<void> {
        asio::cancellation_signal stop;
        int ended = 0;
        bool second_worked = false;
        auto first = [&]() -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            auto got = co_await read(core);
            CHECK((!got && got.error().code == asio::error::operation_aborted));
            ++ended;
        };
        auto second = [&]() -> asio::awaitable<void> {
            auto got = co_await read(core);
            second_worked = got.has_value();
            ++ended;
        };
        asio::co_spawn(core.executor(), std::move(first), asio::bind_cancellation_slot(stop.slot(), asio::detached));
        while (d.asked(secure_name) == 0) (void)co_await core.sleep(1ms);
        asio::co_spawn(core.executor(), std::move(second), asio::detached);
        d.says({0, {record(member)}});
        stop.emit(asio::cancellation_type::terminal);
        (void)co_await core.sleep(0ms);
        while (ended != 2) (void)co_await core.sleep(1ms);
        CHECK(second_worked);
    });
}

TEST_CASE("srv discovery: an io_context may be destroyed while the name servers are asked", "[srv]") {
    const domain d(silent(), silent());
    {
        asio::io_context io;
        client c(io.get_executor(), by_srv());
        core_of(c).ask_name_servers(d.servers());
        kv store(c);
        asio::co_spawn(io, [&]() -> asio::awaitable<void> { co_await read_once(store); }, asio::detached);
        while (d.asked(secure_name) == 0) io.run_for(1ms);
    }
    CHECK(d.asked(plain_name) == 0);
}

TEST_CASE("srv discovery: background work goes on by itself once there is a record", "[srv]") {
    fake_gateway member;
    serves(member);
    domain d;
    with_domain(d, by_srv(), [&](etcd::client_core& core) -> asio::awaitable<void> {
        auto got = co_await read(core, true);
        REQUIRE(!got);
        CHECK(got.error().code == errc::discovery_failed);
        CHECK(core.last_failure().code == errc::discovery_failed);
        asio::co_spawn(core.executor(), [&]() -> asio::awaitable<void> {
            while (d.asked(secure_name) < 3) (void)co_await core.sleep(1ms);
            d.says({0, {record(member)}});
        }, asio::detached);
        const bool reachable = co_await core.until_reachable();
        CHECK(reachable);
        got = co_await read(core, true);
        CHECK(got.has_value());
    });
}

TEST_CASE("srv discovery: a record that appears is used once it shows to be of the same cluster", "[srv]") {
    fake_gateway first, later, other, gone;
    for (fake_gateway* g : {&first, &later, &gone}) serves(*g);
    other.on(status_path, [](const auto&) { return json("{" + header(5, 7) + ",\"leader\":\"1\"}"); });
    domain d(dns_reply{0, {record(first, 10), record(gone, 20)}});
    with_domain(d, by_srv(), [&](etcd::client_core& core) -> asio::awaitable<void> {
        auto got = co_await read(core);
        CHECK(got.has_value());
        CHECK(core.endpoint_count() == 2);
        const etcd::client_core::in_use use(core);
        d.says({0, {record(first, 10), record(later, 5), record(other, 1)}});
        while (later.count(status_path) == 0 || other.count(status_path) == 0 || core.endpoint_count() != 2) (void)co_await core.sleep(1ms);
        got = co_await read(core);
        CHECK(first.count(range_path) == 2);   // what works is kept until a rotation
        core.return_to_first_endpoint();
        got = co_await read(core);
        CHECK(got.has_value());
        CHECK(later.count(range_path) == 1);

        // What is known stays when a look-up fails.
        const std::size_t before = d.asked(secure_name);
        d.says({2, {}}, {2, {}});
        while (d.asked(secure_name) < before + 3) (void)co_await core.sleep(1ms);
        CHECK(core.endpoint_count() == 2);
        got = co_await read(core);
        CHECK(got.has_value());
    });
    CHECK(other.count(range_path) == 0);
    CHECK(gone.count(range_path) == 0);
}

TEST_CASE("srv discovery: a cluster that has moved is found by a call, though nothing watches", "[srv]") {
    fake_gateway before, after;
    serves(before);
    serves(after);
    domain d(dns_reply{0, {record(before)}});
    client_options o = by_srv();
    o.discovery.refresh = 1h;   // that all endpoints fail is what counts
    with_domain(d, o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        auto got = co_await read(core);
        CHECK(got.has_value());
        before.on(range_path, [](const auto&) { return hang_up(); });
        d.says({0, {record(after)}});
        do got = co_await read(core);
        while (!got);
        CHECK(core.endpoint_count() == 1);
    });
    CHECK(after.count(range_path) == 1);
    CHECK(before.count(status_path) == 0);
}

TEST_CASE("srv discovery: while nothing can be reached, too, one of another cluster does not serve beside the known ones", "[srv]") {
    fake_gateway first, other, later;
    for (fake_gateway* g : {&first, &other, &later}) serves(*g);
    other.on(status_path, [](const auto&) { return json("{" + header(5, 7) + ",\"leader\":\"1\"}"); });
    other.on(range_path, [](const auto&) { return json("{" + header(5, 7) + "}"); });
    domain d(dns_reply{0, {record(first)}});
    client_options o = by_srv();
    o.discovery.refresh = 1h;   // that all endpoints fail is what counts
    with_domain(d, o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        auto got = co_await read(core);
        CHECK(got.has_value());
        for (const std::string& path : {range_path, status_path}) first.on(path, [](const auto&) { return hang_up(); });

        d.says({0, {record(other, 1), record(first, 2)}});
        while (other.count(status_path) < 2) {
            got = co_await read(core);
            CHECK(!got);
        }
        CHECK(core.endpoint_count() == 1);
        d.says({0, {record(other, 1), record(first, 2), record(later, 3)}});
        do got = co_await read(core);
        while (!got);
        CHECK(later.count(range_path) == 1);
        CHECK(other.count(range_path) == 0);

        // Records that name none of the cluster any more name another one.
        later.on(range_path, [](const auto&) { return hang_up(); });
        d.says({0, {record(other)}});
        do got = co_await read(core);
        while (!got);
        CHECK(got->header.cluster_id == 7);
        CHECK(core.endpoint_count() == 1);
    });
    CHECK(other.count(range_path) == 1);
}

TEST_CASE("srv discovery: beside https no plain record is looked up or taken", "[srv]") {
    fake_gateway plain;
    serves(plain);
    SECTION("https was configured") {
        const domain d(dns_reply{0, {record(plain)}});
        client_options o = by_srv();
        o.endpoints = {"https" + refusing_url().substr(4)};
        with_domain(d, o, [&](etcd::client_core& core) -> asio::awaitable<void> {
            const etcd::client_core::in_use use(core);
            while (d.asked(secure_name) < 3) (void)co_await core.sleep(1ms);
            auto got = co_await read(core);
            CHECK(!got);
        });
        CHECK(d.asked(plain_name) == 0);
        CHECK(plain.connections() == 0);
    }
    client_options any_target = by_srv();   // its own does not stand below a domain
    any_target.discovery.allow_foreign_targets = true;
    SECTION("https was found, and has gone") {
        domain d(dns_reply{0, {record(plain)}}, dns_reply{0, {{0, 0, 1, "127.0.0.1"}}});
        with_domain(d, any_target, [&](etcd::client_core& core) -> asio::awaitable<void> {
            auto got = co_await read(core);
            CHECK(!got);
            d.says({0, {record(plain)}});
            const std::size_t before = d.asked(secure_name);
            const etcd::client_core::in_use use(core);
            while (d.asked(secure_name) < before + 3) (void)co_await core.sleep(1ms);
            got = co_await read(core);
            CHECK(!got);
        });
        CHECK(d.asked(plain_name) == 0);
        CHECK(plain.connections() == 0);
    }
    SECTION("https appears: plain is left") {
        domain d(dns_reply{0, {record(plain)}});
        with_domain(d, any_target, [&](etcd::client_core& core) -> asio::awaitable<void> {
            auto got = co_await read(core);
            CHECK(got.has_value());
            plain.on(range_path, [](const auto&) { return hang_up(); });
            plain.on(status_path, [](const auto&) { return hang_up(); });
            d.says({0, {record(plain)}}, {0, {{0, 0, 1, "127.0.0.1"}}});
            const etcd::client_core::in_use use(core);
            do got = co_await read(core);
            while (!says(got.error(), "https://"));
            serves(plain);
            const std::size_t before = plain.connections();
            got = co_await read(core);
            CHECK(!got);
            CHECK(plain.connections() == before);
        });
    }
}

TEST_CASE("srv discovery: a forged no does not get the password in plain http, unless that is allowed", "[srv]") {
    fake_gateway plain;
    serves(plain);
    plain.on(auth_path, [](const auto&) { return json("{" + header(5) + ",\"token\":\"t.1\"}"); });
    const domain d(dns_reply{0, {record(plain)}});
    std::vector<std::string> events;
    client_options o = with_user(by_srv());
    o.log = [&](const log_record& r) { events.emplace_back(r.event); };
    SECTION("refused") {
        with_domain(d, o, [&](etcd::client_core& core) -> asio::awaitable<void> {
            auto got = co_await read(core);
            REQUIRE(!got);
            INFO(got.error().message());
            CHECK(got.error().code == errc::discovery_failed);
            CHECK(says(got.error(), "auth is set"));
            CHECK(says(got.error(), "discovery.allow_plain"));
        });
        CHECK(plain.connections() == 0);
    }
    SECTION("allowed, and loud") {
        o.discovery.allow_plain = true;
        with_domain(d, o, [&](etcd::client_core& core) -> asio::awaitable<void> {
            auto got = co_await read(core);
            CHECK(got.has_value());
        });
        CHECK(plain.count(auth_path) == 1);
        CHECK(std::count(events.begin(), events.end(), "srv_plain") == 1);
    }
}

TEST_CASE("srv discovery: a target outside of the domain is told, and not used where the system's authorities judge it", "[srv]") {
    const dns_srv evil{0, 0, 1, "evil.test"}, good{1, 0, 1, "127.0.0.1"};   // of an address no domain is
    const domain d(no_such_name(), dns_reply{0, {evil, good}});
    std::vector<std::string> events;
    client_options o = by_srv();
    o.log = [&](const log_record& r) { events.push_back(std::string(r.event) + " " + r.text); };
    with_domain(d, o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        auto got = co_await read(core);
        REQUIRE(!got);
        INFO(got.error().message());
        CHECK(got.error().code == errc::discovery_failed);
        CHECK(says(got.error(), "is outside of the domain"));
        CHECK(core.endpoint_count() == 0);
    });
    const domain both(no_such_name(), dns_reply{0, {evil, {1, 0, 1, "etcd.example.test"}}});
    with_domain(both, o, [&](etcd::client_core& core) -> asio::awaitable<void> {
        auto got = co_await read(core);
        CHECK(!got);
        CHECK(core.endpoint_count() == 1);
        CHECK(core.endpoint_name(0) == "https://etcd.example.test:1");
    });
    CHECK(std::any_of(events.begin(), events.end(), [](const std::string& e) { return e.starts_with("srv_target_refused 'evil.test'"); }));
    CHECK(std::none_of(events.begin(), events.end(), [](const std::string& e) { return e.find("evil.test:1") != std::string::npos; }));
}

TEST_CASE("srv discovery: a snapshot that is the first call goes on at the next endpoint", "[srv]") {
    fake_gateway best, next;
    const std::string path = "/v3/maintenance/snapshot";
    best.on(path, no_leader);
    next.on(path, no_leader);
    const domain d(dns_reply{0, {record(next, 20), record(best, 10)}});
    const scratch_dir dir;
    with_domain(d, by_srv(), [&](etcd::client_core& core) -> asio::awaitable<void> {
        const auto taken = co_await etcd::take_snapshot(core, dir.path() / "db", std::nullopt);
        CHECK(!taken);
    });
    CHECK(best.count(path) == 1);
    CHECK(next.count(path) == 1);
}

TEST_CASE("srv discovery: a mirror starts from records alone", "[srv][mirror]") {
    fake_gateway member;
    serves(member);
    member.on(range_path, [](const auto&) { return json(range_body(5, {pair("/a/k", "v", 5)})); });
    const domain d(dns_reply{0, {record(member)}});
    with_client(by_srv(), [&](client& c) -> asio::awaitable<void> {
        core_of(c).ask_name_servers(d.servers());
        mirror content(c, key_range::prefix("/a/"));
        const mirror_step step = co_await content.next();
        CHECK(step.what == mirror_step::kind::snapshot);
    });
}

TEST_CASE("srv discovery: a manager starts beside silent name servers, and stops without waiting for them", "[srv][cancel]") {
    const domain d(silent(), silent());
    with_client(by_srv(), [&](client& c) -> asio::awaitable<void> {
        core_of(c).ask_name_servers(d.servers());
        auto executor = co_await asio::this_coro::executor;
        manager_options options;
        options.start_timeout = 50ms;
        const auto what = std::make_shared<const prefix_schema>("/a");
        config_manager config(executor, what, etcd_source(c), options);
        const start_report report = co_await config.start();
        CHECK(report.state == config_state::local);
        while (d.asked(secure_name) == 0) co_await asio::post(executor, asio::use_awaitable);
        const auto began = std::chrono::steady_clock::now();
        co_await config.stop();
        CHECK(std::chrono::steady_clock::now() - began < 1s);   // the name servers have 3 s
    });
}
