#include <dynconf/maintenance.hpp>

#include "mock/core_scene.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <new>
#include <mutex>
#include <stdexcept>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;

TEST_CASE("client: the token is fetched when first needed, once for all, and sent bare", "[client][auth]") {
    token_keeper keeper;
    fake_gateway gateway;
    keeper.install(gateway);
    gateway.on(range_path, [&](const auto& r) { return keeper.accepts(r) ? json(range_body(5)) : json(fault(16, "etcdserver: invalid auth token"), 401); });
    with_client(with_user(options_for({gateway.url()})), [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await asio::post(asio::use_awaitable);
        CHECK(gateway.connections() == 0);   // nothing happens before somebody asks
        co_await in_parallel(100, [&](int) { return read_once(store); });
    });
    CHECK(gateway.count(auth_path) == 1);
    CHECK(gateway.count(range_path) == 100);
    CHECK(gateway.requests(auth_path)[0].member("name") == "svc");
    CHECK(gateway.requests(auth_path)[0].member("password") == "hunter2");
    CHECK(gateway.requests(auth_path)[0].header("Authorization").empty());
    CHECK(gateway.connections() <= 17);   // the limit on calls, and the one for the token
}

TEST_CASE("client: a thousand refusals at once fetch one new token", "[client][auth]") {
    constexpr int many = 1000;
    struct { int code; unsigned status; const char* words; } const refusals[] = {
        {16, 401, "etcdserver: invalid auth token"},
        {3, 400, "etcdserver: revision of auth store is old"},
        {3, 400, "etcdserver: user name is empty"},
    };
    for (const auto& refusal : refusals) {
        INFO(refusal.words);
        token_keeper keeper;
        std::atomic<int> arrived{0};
        std::atomic<bool> all_there{false};
        fake_gateway gateway;
        keeper.install(gateway);
        gateway.on(range_path, [&](const auto& r) {
            if (r.number == 1) return json(range_body(5));   // brings the first token
            if (keeper.accepts(r) && keeper.issued > 1) return json(range_body(5));
            if (++arrived == many) all_there = true;
            return json(fault(refusal.code, refusal.words), refusal.status).once([&] { return all_there.load(); });
        });
        client_options o = with_user(options_for({gateway.url()}));
        o.max_connections = many;
        o.connect_timeout = o.request_timeout = o.total_timeout = 60s;   // as a busy machine may take
        with_client(o, [&](client& c) -> asio::awaitable<void> {
            kv store(c);
            co_await read_once(store);
            CHECK(gateway.count(auth_path) == 1);
            co_await in_parallel(many, [&](int) { return read_once(store); });
        });
        CHECK(gateway.count(auth_path) == 2);
        CHECK(gateway.count(range_path) == 2 * many + 1);
    }
}

TEST_CASE("client: a login that takes long is waited for as long as the member lives", "[client][auth]") {
    fake_gateway gateway;
    gateway.on(auth_path, [&](const auto&) {
        return token_answer("late").once([&] { return gateway.count(status_path) >= 4; });
    });
    gateway.on(status_path, [](const auto&) {
        gateway_answer busy = json(status_body());
        busy.steps.front().pause = 40ms;   // a sixteenth of the time of a call is quick
        return busy;
    });
    gateway.on(range_path, [](const auto&) { return json(range_body(5)); });
    client_options o = with_user(options_for({gateway.url()}));
    o.request_timeout = 400ms;   // four signs of life, one after half of that each, take twice as long
    with_client(o, [](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await read_once(store);
    });
    CHECK(gateway.count(auth_path) == 1);
    CHECK(gateway.count(range_path) == 1);
}

TEST_CASE("client: a login that a quick member does not answer is asked for once more", "[client][auth]") {
    fake_gateway gateway;
    gateway.on(auth_path, [&](const auto& r) {
        return token_answer("token").once([&gateway, first = r.number == 1] { return !first && gateway.count(status_path) >= 4; });
    });
    gateway.on(range_path, [](const auto&) { return json(range_body(5)); });
    client_options o = with_user(options_for({gateway.url()}));
    o.request_timeout = 2s;   // as slow as the machine may be, a status takes less than a sixteenth of that
    with_client(o, [](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await read_once(store);
    });
    CHECK(gateway.count(auth_path) == 2);   // the second is waited for
}

TEST_CASE("client: a login that gets neither an answer nor a sign of life goes to the next member", "[client][auth]") {
    const auto never = [](const auto&) { return json("{}").once([] { return false; }); };
    fake_gateway silent, well;
    silent.on(auth_path, never);
    silent.on(status_path, never);
    well.on(auth_path, [](const auto&) { return token_answer("token"); });
    well.on(range_path, [](const auto&) { return json(range_body(5)); });
    client_options o = with_user(options_for({silent.url(), well.url()}));
    o.request_timeout = 400ms;
    with_client(o, [](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await read_once(store);
    });
    CHECK(silent.count(auth_path) == 1);
    CHECK(well.count(auth_path) == 1);
    CHECK(silent.count(range_path) == 0);   // it is left out
}

TEST_CASE("client: a write that was refused for its token is sent again", "[client][auth]") {
    token_keeper keeper;
    fake_gateway gateway;
    keeper.install(gateway);
    gateway.on(put_path, [&](const auto& r) {
        if (r.number == 1) return json(fault(16, "etcdserver: invalid auth token"), 401);
        return json("{" + header(6) + "}");
    });
    CHECK_FALSE(failed_write(with_user(options_for({gateway.url()}))).code);
    CHECK(gateway.count(put_path) == 2);
    CHECK(gateway.count(auth_path) == 2);
}

TEST_CASE("client: a server that refuses every token is not asked for ever", "[client][auth]") {
    token_keeper keeper;
    fake_gateway gateway;
    keeper.install(gateway, 0ms);
    gateway.on(range_path, [&](const auto&) { return json(fault(16, "etcdserver: invalid auth token"), 401); });
    const error e = failed_read(with_user(options_for({gateway.url()})));
    CHECK(e.code == server_errc::invalid_auth_token);
    CHECK(gateway.count(range_path) <= 4);
    CHECK(gateway.count(auth_path) <= 4);
}

TEST_CASE("client: without credentials, a server that wants some is believed at once", "[client][auth]") {
    fake_gateway gateway;
    gateway.on(range_path, [&](const auto&) { return json(fault(3, "etcdserver: user name is empty"), 400); });
    const error e = failed_read(options_for({gateway.url()}));
    CHECK(e.code == server_errc::user_empty);
    CHECK(gateway.count(range_path) == 1);
    CHECK(gateway.count(auth_path) == 0);
}

TEST_CASE("client: with authentication switched off it goes on without a token", "[client][auth]") {
    std::atomic<bool> enabled{false};
    fake_gateway gateway;
    gateway.on(auth_path, [&](const auto&) {
        return enabled ? token_answer("token-1") : json(fault(9, "etcdserver: authentication is not enabled"), 412);
    });
    gateway.on(range_path, [&](const auto& r) {
        const std::string token = r.header("Authorization");
        if (!enabled && !token.empty()) return json(fault(16, "etcdserver: invalid auth token"), 401);   // as 3.4 does
        if (enabled && token.empty()) return json(fault(3, "etcdserver: user name is empty"), 400);
        return json(range_body(5));
    });
    with_client(with_user(options_for({gateway.url()})), [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        for (int i = 0; i < 3; ++i) co_await read_once(store);
        CHECK(gateway.count(auth_path) == 1);
        enabled = true;
        for (int i = 0; i < 3; ++i) co_await read_once(store);
        CHECK(gateway.count(auth_path) == 2);
        enabled = false;
        for (int i = 0; i < 3; ++i) co_await read_once(store);
        CHECK(gateway.count(auth_path) == 3);
    });
}

TEST_CASE("client: a wrong password fails all callers and costs the server one question", "[client][auth]") {
    fake_gateway gateway;
    gateway.on(auth_path, [&](const auto&) {
        return json(fault(3, "etcdserver: authentication failed, invalid user ID or password"), 400).after(5ms);
    });
    gateway.on(range_path, empty_range);
    std::mutex guard;
    std::string logged;
    client_options o = with_user(options_for({gateway.url()}));
    o.log = [&](const log_record& r) {
        const std::lock_guard lock(guard);
        logged += r.text;
    };
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        const auto expect_failure = [&](int) -> asio::awaitable<void> {
            const error e = co_await failure_of([&] { return read_once(store); });
            CHECK(e.code == server_errc::auth_failed);
            CHECK(e.message().find("invalid user ID or password") != std::string::npos);
            CHECK(e.message().find("hunter2") == std::string::npos);
        };
        co_await in_parallel(100, expect_failure);
        for (int i = 0; i < 20; ++i) co_await expect_failure(i);   // within the cool-off
    });
    CHECK(gateway.count(auth_path) == 1);
    CHECK(gateway.count(range_path) == 0);
    CHECK(logged.find("authenticate") != std::string::npos);
    CHECK(logged.find("hunter2") == std::string::npos);
}

TEST_CASE("client: a caller that is cancelled does not cost the others their token", "[client][auth]") {
    token_keeper keeper;
    fake_gateway gateway;
    keeper.install(gateway, 20ms);
    gateway.on(range_path, empty_range);
    with_client(with_user(options_for({gateway.url()})), [&](client& c) -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        kv store(c);
        asio::cancellation_signal signal;
        int first_ended = 0;
        const key_range key = key_range::key("k");
        store.range(key, {}, asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, const range_response&) {
            CHECK(ec == asio::error::operation_aborted);
            ++first_ended;
        }));
        co_await until([&] { return gateway.count(auth_path) == 1; });
        signal.emit(asio::cancellation_type::terminal);
        co_await in_parallel(10, [&](int) { return read_once(store); });
        co_await until([&] { return first_ended == 1; });
    });
    CHECK(gateway.count(auth_path) == 1);
}

TEST_CASE("client: a login that ends by an exception is waited for no longer, and tried again later", "[client][auth]") {
    std::atomic<bool> fails{true};
    fake_gateway gateway;
    gateway.on(auth_path, [&](const auto&) { return fails ? json(fault(3, "etcdserver: authentication failed, invalid user ID or password"), 400) : token_answer("token-1"); });
    gateway.on(range_path, empty_range);
    client_options o = with_user(options_for({gateway.url()}));
    o.log = [](const log_record& r) {   // in place of memory that is used up
        if (r.event == "authenticate_failed") throw std::bad_alloc();
    };
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        const error why = co_await failure_of([&] { return read_once(store); });
        CHECK(why.code == boost::system::errc::not_enough_memory);
        fails = false;
        error later = why;
        while (later.code == boost::system::errc::not_enough_memory) later = co_await failure_of([&] { return read_once(store); });
        CHECK_FALSE(later.code);
    });
    CHECK(gateway.count(auth_path) == 2);
}
