#include <dynconf/mirror.hpp>
#include <dynconf/watch.hpp>

#include "mock/call_scene.hpp"

#include <mutex>
#include <set>
#include <string>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

struct listener {
    std::mutex guard;
    std::vector<log_record> heard;

    log_sink sink() {
        return [this](const log_record& r) {
            const std::lock_guard lock(guard);
            heard.push_back(r);
        };
    }
    std::string everything() {
        const std::lock_guard lock(guard);
        std::string all;
        for (const log_record& r : heard) {
            all += std::string(r.event) + " " + r.text;
            for (const log_field& f : r.fields) all += " " + std::string(f.name) + "=" + f.value;
            all += "\n";
        }
        return all;
    }
};

asio::awaitable<void> step(mirror& content, int steps) {
    for (int i = 0; i < steps; ++i) (void)co_await content.next();
}

}  // namespace

TEST_CASE("log: a fault that repeats is told once and counted, another is told at once", "[log]") {
    listener ears;
    fake_gateway denying;
    denying.on(range_path, [](const auto&) { return json(fault(7, "etcdserver: permission denied"), 403); });
    client_options o = options_for({denying.url()});
    o.max_rounds = 1;
    o.slow_retry = 1ms;
    o.log = ears.sink();
    constexpr int times = 100;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror content(c, key_range::key("k"));
        co_await step(content, times);
    });
    REQUIRE_FALSE(ears.heard.empty());
    CHECK(ears.heard.size() < times / 4);   // one a window
    std::uint64_t counted = 0;
    for (const log_record& r : ears.heard) {
        CHECK(r.event == "load_failed");
        REQUIRE(r.fields.size() == 2);
        CHECK(r.fields[0].name == "cause");
        CHECK(r.fields[0].value.find("permission denied") != std::string::npos);
        CHECK(r.fields[1].name == "pause_ms");
        counted += 1 + r.repeated;
    }
    CHECK(counted <= times);

    std::atomic<int> asked{0};
    fake_gateway gateway;
    gateway.on(range_path, [&](const auto&) {
        const int n = ++asked;
        if (n <= 10) return json(fault(3, "etcdserver: user name is empty"), 400);
        if (n <= 20) return json(fault(7, "etcdserver: permission denied"), 403);
        return json(range_body(5, {pair("k", "v", 5)}));
    });
    listener others;
    o = options_for({gateway.url()});
    o.max_rounds = 1;
    o.slow_retry = 1ms;
    o.log = others.sink();
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        mirror content(c, key_range::key("k"));
        co_await step(content, 21);
    });
    const std::string told = others.everything();
    CHECK(told.find("user name is empty") < told.find("permission denied"));
    CHECK(told.find("permission denied") < told.find("loaded 1 keys at revision 5 keys=1 revision=5"));
    CHECK(others.heard.size() < 10);
}

TEST_CASE("log: neither password nor token is ever in a record", "[log][auth]") {
    const std::string secret = "canary-token";
    const gateway_answer logins[] = {
        token_answer(secret),
        json("{" + header(1) + ",\"token\":\"" + secret + "\",\"token\":5}"),
        json("{" + header(1) + ",\"token\":\"" + secret),
        json("[\"" + secret + "\"]"),
        raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"token\":\"" + secret + "\"", then::close),
        json(fault(3, "etcdserver: authentication failed, invalid user ID or password"), 400),
        hang_up(),
    };
    const gateway_answer reads[] = {
        json(range_body(5, {pair("k", "v", 5)})),
        json(fault(16, "etcdserver: invalid auth token"), 401),
        json(fault(7, "etcdserver: permission denied"), 403),
        json("<html>"),
        hang_up(),
    };
    const gateway_answer watches[] = {
        stream({created(5), news(6, {put_event("k", "w", 6)})}, then::close),
        json(fault(16, "etcdserver: invalid auth token"), 401),
    };
    std::set<std::string> events;
    for (const gateway_answer& login : logins) {
        for (const gateway_answer& read : reads) {
            for (const gateway_answer& watch : watches) {
                fake_gateway gateway;
                gateway.on(auth_path, [&](const auto&) { return login; });
                gateway.on(range_path, [&](const auto&) { return read; });
                gateway.on(watch_path, [&](const auto&) { return watch; });
                listener ears;
                client_options o = with_user(options_for({gateway.url()}));
                o.slow_retry = 1ms;
                o.log = ears.sink();
                with_client(o, [&](client& c) -> asio::awaitable<void> {
                    mirror content(c, key_range::key("k"));
                    co_await step(content, 5);
                });
                const std::string told = ears.everything();
                INFO(told);
                CHECK(told.find("hunter2") == std::string::npos);
                CHECK(told.find("canary") == std::string::npos);
                for (const log_record& r : ears.heard) events.emplace(r.event);
            }
        }
    }
    for (const char* event : {"token_fetched", "authenticate_failed", "load_failed", "loaded", "watch_interrupted"}) {
        INFO(event);
        CHECK(events.count(event) == 1);
    }
}
