#include <dynconf/claim.hpp>
#include <dynconf/maintenance.hpp>

#include "mock/call_scene.hpp"
#include "support/io_threads.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <cstddef>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;


TEST_CASE("client: options that cannot work are refused by name", "[client]") {
    asio::io_context io;
    const auto refused = [&](const std::function<void(client_options&)>& spoil, const std::string& word) {
        client_options o = options_for({"http://127.0.0.1:1"});
        spoil(o);
        try {
            const client c(io.get_executor(), o);
            FAIL("accepted without " << word);
        } catch (const std::invalid_argument& e) {
            CHECK(std::string(e.what()).find(word) != std::string::npos);
            CHECK(std::string(e.what()).find("hunter2") == std::string::npos);
        }
    };
    refused([](auto& o) { o.endpoints.clear(); }, "endpoint");
    refused([](auto& o) { o.endpoints = {"http://h:x"}; }, "http://h:x");
    refused([](auto& o) { o.endpoints = {"http://root:hunter2@h"}; }, "credentials");
    refused([](auto& o) { o.auth = credentials{"", "hunter2"}; }, "user name");
    refused([](auto& o) { o.page_size = 0; }, "page_size");
    refused([](auto& o) { o.max_connections = 0; }, "max_connections");
    refused([](auto& o) { o.rotate_after = -1ms; }, "rotate_after");
    refused([](auto& o) { o.slow_retry = 0ms; }, "slow_retry");
    refused([](auto& o) { o.slow_retry = -1ms; }, "slow_retry");
    refused([](auto& o) { o.connect_timeout = 0ms; }, "connect_timeout");
    refused([](auto& o) { o.tls_timeout = -1ms; }, "tls_timeout");
    refused([](auto& o) { o.request_timeout = 0ms; }, "request_timeout");
    refused([](auto& o) { o.total_timeout = std::chrono::milliseconds::min(); }, "total_timeout");
    refused([](auto& o) { o.created_timeout = 0ms; }, "created_timeout");
}

TEST_CASE("client: the largest limits are no limits", "[client]") {
    fake_gateway gateway;
    gateway.on(range_path, empty_range);
    client_options o = options_for({"http://localhost" + gateway.url().substr(gateway.url().rfind(':'))});   // a name, to be looked up
    o.connect_timeout = o.tls_timeout = o.created_timeout = o.max_staleness = o.rotate_after = o.verify_every = o.slow_retry =
        o.idle_timeout = o.discovery.refresh = o.backoff.first = o.backoff.most = o.backoff.healthy = std::chrono::milliseconds::max();
    o.max_connections = std::numeric_limits<std::size_t>::max();
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await read_once(store);
        co_await read_once(store);
    });
    CHECK(gateway.connections() == 1);   // the second on that of the first
}

TEST_CASE("client: ends on its strand, whichever thread lets go of it", "[client]") {
    std::promise<std::thread::id> ended;
    {
        io_threads pool(1);
        client_options o = options_for({"http://127.0.0.1:1"});
        const auto note = [&](void*) { ended.set_value(std::this_thread::get_id()); };
        o.log = [at_end = std::shared_ptr<void>(nullptr, note)](const log_record&) {};
        const client c(pool.get_executor(), std::move(o));
    }
    CHECK(ended.get_future().get() != std::this_thread::get_id());   // timers there may have handlers that have not run yet
}

TEST_CASE("client: timeouts may be for ever", "[client][deadline]") {
    fake_gateway gateway;
    gateway.on(range_path, empty_range);
    gateway.on(auth_path, [](const auto&) { return token_answer("t"); });
    constexpr auto for_ever = claim_options::forever;
    client_options o = with_user(options_for({gateway.url()}));
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store = kv(c).with_timeout(for_ever);
        co_await read_once(store);
        const std::string path = range_path, body = "{}";
        call_options how;
        how.timeout = for_ever;
        const std::string answer = co_await c.call(path, body, how);
        CHECK(!answer.empty());
    });
    o.connect_timeout = o.tls_timeout = o.request_timeout = o.total_timeout = o.created_timeout = for_ever;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await read_once(store);
    });
}

TEST_CASE("client: what a request says and what it leaves out", "[client]") {
    fake_gateway gateway;
    gateway.on(range_path, empty_range);
    gateway.on(put_path, good_put);
    gateway.on(status_path, [](const auto&) { return json("{" + header(5) + ",\"version\":\"3.5.9\"}"); });
    client_options o = options_for({gateway.url()});
    o.request_timeout = 2000ms;
    const auto calls = [](client& c) -> asio::awaitable<void> {
        kv store(c);
        maintenance admin(c);
        co_await read_once(store);
        range_options own;
        own.read = consistency::serializable;
        const key_range key = key_range::key("k");
        co_await store.range(key, own);
        co_await write_once(store);
        auto status = co_await admin.status();
        CHECK(status.version == "3.5.9");
    };
    with_client(o, calls);
    const auto reads = gateway.requests(range_path);
    REQUIRE(reads.size() == 2);
    const gateway_request put = gateway.requests(put_path).at(0);
    const gateway_request status = gateway.requests(status_path).at(0);
    for (const gateway_request* r : {&reads[0], &reads[1], &put, &status}) {
        INFO(r->head);
        CHECK(r->head.rfind("POST " + r->path + " HTTP/1.1\r\n", 0) == 0);
        CHECK("http://" + r->header("Host") == gateway.url());
        CHECK(r->header("Authorization").empty());
        // A little less than the client's own limit, so that the server's reason is heard.
        const std::string limit = r->header("Grpc-Timeout");
        REQUIRE_FALSE(limit.empty());
        CHECK(limit.back() == 'm');
        CHECK(std::stoi(limit) > 1500);
        CHECK(std::stoi(limit) < 2000);
    }
    CHECK(reads[0].has("Grpc-Metadata-hasleader: true"));
    CHECK_FALSE(reads[1].has("Grpc-Metadata-hasleader: true"));   // serializable: one member may answer alone
    CHECK(put.has("Grpc-Metadata-hasleader: true"));
    CHECK_FALSE(status.has("Grpc-Metadata-hasleader: true"));
    CHECK(key_of(put) == "k");

    fake_gateway without;
    without.on(range_path, empty_range);
    o = options_for({without.url()});
    o.require_leader = false;
    with_client(o, [](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await read_once(store);
    });
    CHECK_FALSE(without.requests(range_path).at(0).has("Grpc-Metadata-hasleader: true"));
}

TEST_CASE("client: fails over from a member that cannot serve, and stays with the one that can", "[client][failover]") {
    struct { const char* what; std::function<gateway_answer(const gateway_request&)> answer; } const bad[] = {
        {"no leader", [](const auto&) { return json(fault(14, "etcdserver: no leader"), 503); }},
        {"gateway switched off", [](const auto&) { return text("404 page not found\n", 404); }},
        {"learner", [](const auto&) { return json(fault(14, "etcdserver: rpc not supported for learner"), 503); }},
        {"overload", [](const auto&) { return json(fault(8, "etcdserver: too many requests"), 429); }},
    };
    for (const auto& b : bad) {
        INFO(b.what);
        fake_gateway first, second;
        first.on(range_path, b.answer);
        first.on(put_path, b.answer);
        second.on(range_path, empty_range);
        second.on(put_path, good_put);
        with_client(options_for({first.url(), second.url()}), [&](client& c) -> asio::awaitable<void> {
            kv store(c);
            for (int i = 0; i < 3; ++i) co_await read_once(store);
            co_await write_once(store);
        });
        CHECK(first.count(range_path) == 1);
        CHECK(second.count(range_path) == 3);
        // None of these refusals leaves a write in doubt, so it may go to the other as well.
        CHECK_FALSE(failed_write(options_for({first.url(), second.url()})).code);
        CHECK(first.count(put_path) == 1);
        CHECK(second.count(put_path) == 2);
    }
}

TEST_CASE("client: fails over from a port where nobody listens, reads and writes alike", "[client][failover]") {
    fake_gateway gateway;
    gateway.on(range_path, empty_range);
    gateway.on(put_path, good_put);
    CHECK_FALSE(failed_read(options_for({refusing_url(), gateway.url()})).code);
    CHECK_FALSE(failed_write(options_for({refusing_url(), refusing_url(), gateway.url()})).code);
    CHECK(gateway.count(put_path) == 1);
}

TEST_CASE("client: a read is repeated where it got no answer, and a list of endpoints in one text works", "[client][failover]") {
    fake_gateway first, second;
    first.on(range_path, [](const auto&) { return hang_up(); });
    second.on(range_path, empty_range);
    CHECK_FALSE(failed_read(options_for({first.url() + "," + second.url()})).code);
    CHECK(first.count(range_path) == 1);
    CHECK(second.count(range_path) == 1);
}

TEST_CASE("client: all endpoints down says so, with the cause", "[client][failover]") {
    const error e = failed_read(options_for({refusing_url(), refusing_url()}));
    CHECK(e.code == errc::no_endpoint_available);
    CHECK(e.message().find("refused") != std::string::npos);
    CHECK(e.message().find("range at http://127.0.0.1:") != std::string::npos);
    const error one = failed_read(options_for({refusing_url()}));
    CHECK(one.code == asio::error::connection_refused);
}

TEST_CASE("client: a read goes around max_rounds times", "[client][failover]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(fault(14, "etcdserver: no leader"), 503); });
    client_options o = options_for({gateway.url()});
    o.max_rounds = 4;
    CHECK(failed_read(o).code == server_errc::no_leader);
    CHECK(gateway.count(range_path) == 4);
}

TEST_CASE("client: a write is never sent twice once a byte of it left", "[client][write]") {
    struct { const char* what; std::function<gateway_answer(const gateway_request&)> answer; } const ends[] = {
        {"closed", [](const auto&) { return hang_up(); }},
        {"reset", [](const auto&) { return raw({}, gateway_answer::then::reset); }},
        {"half a head", [](const auto&) { return raw("HTTP/1.1 200 OK\r\nContent-", gateway_answer::then::close); }},
        {"half a body", [](const auto&) { return raw("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"header\"", gateway_answer::then::close); }},
        {"timed out there", [](const auto&) { return json(fault(14, "etcdserver: request timed out"), 503); }},
        {"deadline there", [](const auto&) { return json(fault(4, "context deadline exceeded"), 504); }},
        {"shut down", [](const auto&) { return json(fault(14, "transport is closing"), 503); }},
        {"proxy", [](const auto&) { return text("Bad Gateway", 502); }},
        {"not JSON", [](const auto&) { return json("<html>"); }},
        {"not HTTP", [](const auto&) { return raw("SSH-2.0-x\r\n", gateway_answer::then::close); }},
    };
    for (const auto& end : ends) {
        INFO(end.what);
        fake_gateway first, second;
        first.on(put_path, end.answer);
        second.on(put_path, good_put);
        const error e = failed_write(options_for({first.url(), second.url()}));
        CHECK(e.code);
        CHECK(e.in_doubt);
        CHECK(e.detail.find("(it may have been executed)") != std::string::npos);
        CHECK(e.detail.find("put at " + first.url()) != std::string::npos);
        CHECK(first.count(put_path) == 1);
        CHECK(second.count(put_path) == 0);
        CHECK(first.connections() + second.connections() == 1);
    }
}

TEST_CASE("client: a refused write says no more than the refusal", "[client][write]") {
    fake_gateway gateway;
    gateway.on(put_path, [](const auto&) { return json(fault(3, "etcdserver: key is not provided"), 400); });
    const error e = failed_write(options_for({gateway.url()}));
    CHECK(e.code == server_errc::empty_key);
    CHECK(e.message() == "put at " + gateway.url() + ": etcdserver: key is not provided");
    CHECK_FALSE(e.in_doubt);
    CHECK(gateway.count(put_path) == 1);
}

TEST_CASE("client: what is no answer of etcd is named for what it is", "[client]") {
    fake_gateway gateway;
    struct { const char* what; gateway_answer answer; error_code code; } const answers[] = {
        {"not HTTP", raw("SSH-2.0-OpenSSH_9.2p1\r\n", gateway_answer::then::close), errc::malformed_response},
        {"HTTP/2", raw(std::string("\0\0\6\4\0\0\0\0\0\0\5\0\0\100\0", 15), gateway_answer::then::close), errc::protocol_mismatch},
        {"not JSON", json("<html>hello</html>"), errc::malformed_response},
        {"empty", json(""), errc::malformed_response},
        {"half JSON", json("{\"header\":{"), errc::malformed_response},
        {"another type", json("{\"header\":{},\"kvs\":\"x\"}"), errc::malformed_response},
        {"an odd status", text("I'm a teapot", 418), errc::unexpected_status},
        {"switched off", text("404 page not found\n", 404), errc::gateway_disabled},
        {"closed", hang_up(), errc::connection_closed},
    };
    for (const auto& a : answers) {
        INFO(a.what);
        gateway.on(range_path, [&](const auto&) { return a.answer; });
        client_options o = options_for({gateway.url()});
        o.max_rounds = 1;
        const error e = failed_read(o);
        CHECK(e.code == a.code);
        INFO(e.message());
        CHECK(e.message().find("HTTP 0") == std::string::npos);
    }
}

TEST_CASE("client: an unreadable answer is not explained by the one before it", "[client]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto& r) {
        if (r.number == 1) return json(fault(14, "etcdserver: no leader"), 503);
        return raw("SSH-2.0-OpenSSH_9.2p1\r\n", gateway_answer::then::close);
    });
    client_options o = options_for({gateway.url()});
    o.max_rounds = 2;
    const error e = failed_read(o);
    CHECK(e.code == errc::malformed_response);
    CHECK(e.message().find("leader") == std::string::npos);
}

TEST_CASE("client: an answer past the limit ends the call", "[client]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(5, {pair("k", std::string(5000, 'x'), 4)})); });
    client_options o = options_for({gateway.url()});
    o.max_response_bytes = 4096;
    CHECK(failed_read(o).code == errc::response_too_large);
    CHECK(gateway.count(range_path) == 1);
}

TEST_CASE("client: pages at one revision, each from behind the last key", "[client][pages]") {
    std::vector<std::string> keys;
    for (int i = 0; i < 25; ++i) keys.push_back("/p/" + std::string(1, static_cast<char>('a' + i)) + std::string(1, '\0') + "\xff");
    fake_gateway gateway;
    gateway.on(range_path, [&](const auto& r) {
        const std::string from = key_of(r);
        const auto limit = static_cast<std::size_t>(std::stoi(r.member("limit")));
        std::vector<std::string> page;
        bool more = false;
        for (const std::string& key : keys) {
            if (key < from) continue;
            if (page.size() == limit) { more = true; break; }
            page.push_back(pair(key, "v", 3));
        }
        // The store moves on meanwhile.
        return json(range_body(100 + static_cast<revision_t>(r.number), page, more));
    });
    client_options o = options_for({gateway.url()});
    o.page_size = 10;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        const key_range prefix = key_range::prefix("/p/");
        auto all = co_await store.range_pages(prefix);
        CHECK(all.header.revision == 101);
        CHECK_FALSE(all.more);
        REQUIRE(all.kvs.size() == keys.size());
        for (std::size_t i = 0; i < keys.size(); ++i) CHECK(all.kvs[i].key == keys[i]);

        range_options some;
        some.limit = 15;
        auto cut = co_await store.range_pages(prefix, some);
        CHECK(cut.kvs.size() == 15);
        CHECK(cut.more);
        some.limit = 25;
        auto exact = co_await store.range_pages(prefix, some);
        CHECK(exact.kvs.size() == 25);
        CHECK_FALSE(exact.more);
        const key_range everything = key_range::all();
        auto open = co_await store.range_pages(everything);
        CHECK(open.kvs.size() == 25);
    });
    const auto asked = gateway.requests(range_path);
    REQUIRE(asked.size() == 3 + 2 + 3 + 3);
    CHECK(key_of(asked[0]) == "/p/");
    CHECK(asked[0].member("revision").empty());
    CHECK(key_of(asked[1]) == keys[9] + '\0');
    CHECK(key_of(asked[2]) == keys[19] + '\0');
    for (const std::size_t i : {1u, 2u}) {
        CHECK(asked[i].member("revision") == "101");
        CHECK(asked[i].member("range_end") == asked[0].member("range_end"));
    }
    CHECK(asked[4].member("limit") == "5");
    CHECK(asked[10].member("range_end") == "AA==");
}

TEST_CASE("client: pages end in an error when their revision is compacted, and when an empty page promises more", "[client][pages]") {
    std::atomic<bool> compacted{true};
    fake_gateway gateway;
    gateway.on(range_path, [&](const auto& r) {
        if (r.member("revision").empty()) return json(range_body(5, {pair("/p/a", "v", 3)}, true));
        if (compacted) return json(fault(11, "etcdserver: mvcc: required revision has been compacted"), 400);
        return json(range_body(5, {}, true));
    });
    client_options o = options_for({gateway.url()});
    o.page_size = 1;
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        const auto list = [&]() -> asio::awaitable<void> {
            const key_range prefix = key_range::prefix("/p/");
            co_await store.range_pages(prefix);
        };
        error e = co_await failure_of(list);
        CHECK(e.code == server_errc::compacted);
        compacted = false;
        e = co_await failure_of(list);
        CHECK(e.code == errc::malformed_response);
    });
}

TEST_CASE("client: a try ends at request_timeout, the call at total_timeout", "[client][deadline]") {
    fake_gateway silent, second;
    silent.on(range_path, [](const auto&) { return silence(); });
    second.on(range_path, empty_range);
    client_options o = options_for({silent.url(), second.url()});
    o.request_timeout = 150ms;
    CHECK_FALSE(failed_read(o).code);
    CHECK(silent.count(range_path) == 1);

    const auto begin = std::chrono::steady_clock::now();
    o = options_for({silent.url()});
    o.request_timeout = 150ms;
    o.total_timeout = 500ms;
    o.max_rounds = 1000;
    const error e = failed_read(o);
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(e.code == errc::deadline_exceeded);
    CHECK(took >= 400ms);
    CHECK(took < 5s);
    CHECK(silent.count(range_path) >= 2);
}

TEST_CASE("client: an answer that trickles in does not outlive its try", "[client][deadline]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) {
        gateway_answer a = raw("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n{\"kvs\":[", gateway_answer::then::hold);
        for (int i = 0; i < 2000; ++i) {
            auto& step = a.steps.emplace_back();
            step.bytes = " ";
            step.pause = 2ms;
        }
        return a;
    });
    client_options o = options_for({gateway.url()});
    o.request_timeout = 40ms;
    o.max_rounds = 1;
    const auto begin = std::chrono::steady_clock::now();
    CHECK(failed_read(o).code == errc::deadline_exceeded);
    CHECK(std::chrono::steady_clock::now() - begin < 2s);
}

TEST_CASE("client: the total deadline also bounds a connect that hangs", "[client][deadline]") {
    asio::io_context other;
    asio::ip::tcp::acceptor silent(other, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));   // never accepts
    client_options o = options_for({"https://127.0.0.1:" + std::to_string(silent.local_endpoint().port())});
    o.total_timeout = 50ms;
    const auto begin = std::chrono::steady_clock::now();
    CHECK(failed_read(o).code == errc::deadline_exceeded);
    CHECK(std::chrono::steady_clock::now() - begin < 3s);
}

TEST_CASE("client: waiting for a token ends with the call", "[client][deadline][auth]") {
    fake_gateway gateway;
    gateway.on(auth_path, [](const auto&) { return silence(); });
    client_options o = with_user(options_for({gateway.url()}));
    o.total_timeout = 50ms;
    const error e = failed_read(o);
    CHECK(e.code == errc::deadline_exceeded);
    CHECK(gateway.count(range_path) == 0);
}
