#include "mock/call_scene.hpp"
#include "mock/watch_scene.hpp"
#include "support/memory_use.hpp"

#include <dynconf/lease.hpp>

#include <string>
#include <vector>

// A server that wants the client to grow, to hang, or to take one answer for another. What each attack comes to is the table
// in docs/security.md.

using namespace dynconf;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr std::size_t body_limit = mib;   // of the clients below
/// What a client may hold at a time beyond that: the text and what is made of it, each in a buffer that doubles, and what the
/// gateway and the log need.
constexpr std::size_t most_growth = 4 * body_limit + 2 * mib;

constexpr auto short_timeout = 400ms;

client_options wary(const fake_gateway& gateway, std::chrono::milliseconds timeout = short_timeout) {
    client_options o = options_for({gateway.url()});
    o.request_timeout = o.created_timeout = timeout;
    o.total_timeout = 5 * timeout;
    o.max_rounds = 1;
    o.max_response_bytes = o.max_message_bytes = body_limit;
    return o;
}

const std::string ok = "HTTP/1.1 200 OK\r\n";
const std::string chunked_head = ok + "Transfer-Encoding: chunked\r\n\r\n";

std::string hex(std::size_t n) {
    char text[20];
    std::snprintf(text, sizeof text, "%zx", n);
    return text;
}
std::string as_chunk(const std::string& bytes) { return hex(bytes.size()) + "\r\n" + bytes + "\r\n"; }
std::string repeated(const std::string& what, std::size_t times) {
    std::string all;
    all.reserve(what.size() * times);
    for (std::size_t i = 0; i < times; ++i) all += what;
    return all;
}
std::string with_length(const std::string& body, const std::string& length) { return ok + "Content-Length: " + length + "\r\n\r\n" + body; }

/// `first`, then `rest` until the client has had enough.
gateway_answer endless(std::string first, std::string rest, std::chrono::milliseconds pause = 0ms) {
    gateway_answer a = raw(std::move(first), then::again);
    gateway_answer::step step;
    step.bytes = std::move(rest);
    step.pause = pause;
    a.steps.push_back(std::move(step));
    return a;
}

struct attack {
    const char* name;
    gateway_answer answer;
    error_code call;     ///< What a call says of it, and a login;
    error_code watch;    ///< a watch whose request is answered so;
    std::string words;   ///< in both.
};

std::string redirect(int status) {
    return "HTTP/1.1 " + std::to_string(status) + " Moved\r\nLocation: http://127.0.0.2:1/v3/kv/range?\xff\r\nContent-Length: 2\r\n\r\n{}";
}

std::vector<attack> attacks() {
    const std::string nuls(64, '\0');
    const error_code too_large = errc::response_too_large, malformed = errc::malformed_response, mismatch = errc::protocol_mismatch,
                     late = errc::deadline_exceeded, status = errc::unexpected_status, unconfirmed = errc::not_acknowledged,
                     // A watch asks once more, for smaller messages, before it says that they are too large.
                     in_pieces = errc::watch_ended;
    return {
        {"a body without end", endless(chunked_head + as_chunk("{\"result\":{\"x\":\""), as_chunk(std::string(64 * 1024, 'x'))), too_large, in_pieces, ""},
        {"blanks without end", endless(chunked_head, as_chunk(std::string(64 * 1024, ' '))), too_large, in_pieces, ""},
        {"10 GB by their length", endless(ok + "Content-Length: 10737418240\r\n\r\n{\"result\":{\"x\":\"", std::string(64 * 1024, 'x')), too_large, in_pieces, ""},
        {"a value without end", endless(chunked_head + as_chunk("{\"kvs\":[{\"value\":\""), as_chunk(std::string(64 * 1024, 'A'))), too_large, in_pieces, ""},
        {"an event's value without end", endless(chunked_head + as_chunk("{\"result\":{\"events\":[{\"kv\":{\"value\":\""), as_chunk(std::string(64 * 1024, 'A'))), too_large, in_pieces, ""},
        {"words of an error without end", endless(chunked_head + as_chunk("{\"error\":\""), as_chunk(std::string(64 * 1024, 'A'))), too_large, in_pieces, ""},
        {"empty elements without end", endless(chunked_head + as_chunk("{\"kvs\":[{}") , as_chunk(repeated(",{}", 10'000))), too_large, in_pieces, ""},
        {"empty events without end", endless(chunked_head + as_chunk("{\"result\":{\"events\":[{}"), as_chunk(repeated(",{}", 10'000))), too_large, in_pieces, ""},
        {"empty lines without end", endless(chunked_head, as_chunk(repeated("\n", 1000)), 5ms), late, unconfirmed, ""},
        {"a head that drips", endless(ok + "X: ", "x", 5ms), late, unconfirmed, ""},
        {"a status that drips", endless("HTTP/1.1 200 ", "O", 5ms), late, unconfirmed, ""},
        {"a body that drips", endless(with_length("{", "100000"), " ", 5ms), late, unconfirmed, ""},
        {"a chunked body that drips", endless(chunked_head, as_chunk(" "), 5ms), late, unconfirmed, ""},
        {"a chunk's size that drips", endless(chunked_head, "0", 5ms), late, unconfirmed, ""},
        {"silence", silence(), late, unconfirmed, ""},
        {"a header of 1 MiB", raw(ok + "X: " + std::string(mib, 'x') + "\r\nContent-Length: 2\r\n\r\n{}", then::hold), too_large, too_large, "the head of the answer"},
        {"headers without end", endless(ok, "X: y\r\n"), too_large, too_large, "the head of the answer"},
        {"a status without end", endless("HTTP/1.1 200 ", std::string(4096, 'O')), too_large, too_large, "the head of the answer"},
        {"100 without end", endless("", "HTTP/1.1 100 Continue\r\n\r\n"), status, status, "HTTP 100"},
        {"another protocol", raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", then::hold), status, status, "HTTP 101"},
        {"gzip", raw(ok + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08", then::hold), malformed, malformed, "'gzip'"},
        {"gzip of a refusal", raw("HTTP/1.1 503 No\r\ncontent-encoding: deflate\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08", then::hold), malformed, malformed, "'deflate'"},
        {"moved for ever", raw(redirect(301), then::next_request), status, status, "'http://127.0.0.2:1/v3/kv/range?...'"},
        {"found elsewhere", raw(redirect(302), then::next_request), status, status, "'http://127.0.0.2:1/"},
        {"see other", raw(redirect(303), then::next_request), status, status, "'http://127.0.0.2:1/"},
        {"moved for now", raw(redirect(307), then::next_request), status, status, "'http://127.0.0.2:1/"},
        {"moved with the method", raw(redirect(308), then::next_request), status, status, "'http://127.0.0.2:1/"},
        {"a length that is too short", raw(with_length("{\"header\":{}}", "5"), then::next_request), malformed, errc::malformed_response, "it ends before its JSON does"},
        {"a length that is too long", raw(with_length("{\"header\":{}}", "50"), then::hold), late, unconfirmed, ""},
        {"a negative length", raw(with_length("{}", "-2"), then::hold), malformed, malformed, "not HTTP/1.1"},
        {"a length past 64 bits", raw(with_length("{}", "36893488147419103232"), then::hold), malformed, malformed, "not HTTP/1.1"},
        {"two lengths", raw(ok + "Content-Length: 2\r\nContent-Length: 13\r\n\r\n{\"header\":{}}", then::hold), malformed, malformed, "not HTTP/1.1"},
        {"a length and chunks", raw(ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + as_chunk("{}") + "0\r\n\r\n", then::hold), malformed, malformed, "not HTTP/1.1"},
        {"a chunk past 64 bits", raw(chunked_head + "fffffffffffffffff\r\n{}", then::hold), malformed, malformed, "not HTTP/1.1"},
        {"a negative chunk", raw(chunked_head + "-2\r\n{}\r\n", then::hold), malformed, malformed, "not HTTP/1.1"},
        {"an extension without end", endless(chunked_head + "2;a=", std::string(4096, 'x')), too_large, too_large, "between the chunks"},
        {"a trailer without end", endless(chunked_head + "0\r\n", "X: y\r\n"), too_large, too_large, ""},
        {"a body without a head", raw("{\"header\":{},\"kvs\":[]}", then::close), malformed, malformed, "not HTTP/1.1"},
        {"SSH", raw("SSH-2.0-OpenSSH_9.2p1\r\n", then::hold), malformed, malformed, "not HTTP/1.1"},
        {"zero bytes", raw(nuls, then::hold), mismatch, mismatch, ""},
        {"a zero byte in the head", raw(ok + "X: a" + nuls + "\r\nContent-Length: 2\r\n\r\n{}", then::hold), malformed, malformed, "not HTTP/1.1"},
        {"a zero byte in the body", raw(with_length("{\"a" + nuls + "\":1}", "71"), then::hold), malformed, malformed, "not JSON"},
        {"an alert of TLS", raw(std::string("\x15\x03\x03\x00\x02\x02\x28", 7), then::close), mismatch, mismatch, "https"},
        {"a port of TLS that explains itself", raw("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", then::close), mismatch, mismatch, "https"},
    };
}

/// Short where nothing but the deadline ends an attack, and never met where something else has to: that takes as long as it takes.
std::chrono::milliseconds timeout_for(const error_code& expected) {
    return expected == errc::deadline_exceeded || expected == errc::not_acknowledged ? short_timeout : 60s;
}

void check_said(const attack& a, const error& e, const error_code& expected) {
    INFO(e.message());
    CHECK(e.code == expected);
    CHECK(e.message().find(a.words) != std::string::npos);
    CHECK(e.message().size() < 2000);
    CHECK(e.message().find('\x1b') == std::string::npos);
}

/// Runs `attacked`, whose memory is measured.
void measured(const std::function<void()>& attacked, std::size_t most = most_growth) {
    mark_memory();
    const std::size_t before = memory_in_use();
    attacked();
    const std::size_t peak = most_memory_in_use();
    CHECK(peak - std::min(peak, before) < most);
}

/// Why a mirror's watch was first interrupted.
error interruption(const client_options& options) {
    error cause;
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        for (mirror_step s = co_await m.next();; s = co_await m.next()) {
            if (s.what != mirror_step::kind::interrupted) continue;
            cause = s.cause;
            break;
        }
    });
    return cause;
}

const std::string forged = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(range_body(99, {pair("k", "forged", 99)}).size()) + "\r\n\r\n"
    + range_body(99, {pair("k", "forged", 99)});

/// Two reads, one after the other; the second one's value. `between` runs when the first is done.
std::string second_of_two(const client_options& options, const std::function<asio::awaitable<void>()>& between) {
    std::string value;
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        const key_range key = key_range::key("k");
        const range_response first = co_await store.range(key);
        CHECK(first.kvs.at(0).value == "1");
        co_await between();
        const range_response second = co_await store.range(key);
        value = second.kvs.at(0).value;
    });
    return value;
}

}  // namespace

TEST_CASE("hostile: what grows is seen", "[hostile]") {
    mark_memory();
    const std::size_t before = memory_in_use();
    std::string().assign(3 * mib, 'x');
    CHECK(most_memory_in_use() - before >= 3 * mib);
    CHECK(memory_in_use() < before + mib);
}

TEST_CASE("hostile: no answer makes a call grow or hang", "[hostile]") {
    for (const attack& a : attacks()) {
        INFO(a.name);
        fake_gateway gateway;
        gateway.on(range_path, [&](const auto&) { return a.answer; });
        measured([&] { check_said(a, failed_read(wary(gateway, timeout_for(a.call))), a.call); });
        CHECK(gateway.count(range_path) == 1);
    }
}

TEST_CASE("hostile: no answer makes a login grow or hang", "[hostile]") {
    for (const attack& a : attacks()) {
        INFO(a.name);
        fake_gateway gateway;
        gateway.on(auth_path, [&](const auto&) { return a.answer; });
        measured([&] { check_said(a, failed_read(with_user(wary(gateway, timeout_for(a.call)))), a.call); });
        CHECK(gateway.count(range_path) == 0);
    }
}

TEST_CASE("hostile: no answer makes a watch grow or hang", "[hostile]") {
    for (const attack& a : attacks()) {
        INFO(a.name);
        fake_gateway gateway;
        gateway.on(range_path, [](const auto&) { return json(range_body(5)); });
        gateway.on(watch_path, [&](const auto&) { return a.answer; });
        measured([&] { check_said(a, interruption(wary(gateway, timeout_for(a.watch))), a.watch); });
    }
}

TEST_CASE("hostile: no answer makes a keep-alive grow or hang", "[hostile][lease]") {
    const std::string line = R"({"result":{)" + header(5) + R"(,"ID":"100","TTL":"10"}})" + "\n";
    struct { const char* name; gateway_answer answer; errc code; } const rows[] = {
        {"a line without end", endless(chunked_head, as_chunk(std::string(4096, ' '))), errc::malformed_response},
        {"a line that drips", endless(chunked_head, as_chunk(" "), 5ms), errc::deadline_exceeded},
        {"answers without end", endless(chunked_head, as_chunk(repeated(line, 100))), errc::response_too_large},
    };
    for (const auto& row : rows) {
        INFO(row.name);
        fake_gateway gateway;
        gateway.on(keep_alive_path, [&](const auto&) { return row.answer; });
        error e;
        measured([&] {
            with_client(wary(gateway, timeout_for(row.code)), [&](client& c) -> asio::awaitable<void> {
                e = co_await failure_of([&]() -> asio::awaitable<void> { co_await leases(c).keep_alive_once(100); });
            });
        });
        INFO(e.message());
        CHECK(e.code == row.code);
    }
}

TEST_CASE("hostile: what nobody asked for is read past and not kept", "[hostile]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return endless(chunked_head + as_chunk("{\"unknown\":\""), as_chunk(std::string(mib, 'x'))); });
    client_options options = options_for({gateway.url()});
    options.max_response_bytes = 100 * mib;
    options.max_rounds = 1;
    measured([&] { CHECK(failed_read(options).code == errc::response_too_large); }, 8 * mib);
}

TEST_CASE("hostile: a line of 100 MB in a stream that serves costs the stream, and nothing else", "[hostile]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(5)); });
    gateway.on(watch_path, [&](const gateway_request& r) {
        if (r.number > 1) return stream({created(5), news(7, {put_event("/a/x", "1", 7)})}, then::hold);
        return endless(stream_bytes({created(5)}) + as_chunk("{\"result\":{\"unknown\":\""), as_chunk(std::string(mib, 'x')));
    });
    client_options options = options_for({gateway.url()});
    options.max_message_bytes = 100 * mib;
    measured([&] {
        with_client(options, [&](client& c) -> asio::awaitable<void> {
            watcher w(c, ours());
            const std::string got = co_await next_of(w);
            CHECK(got == "/a/x=1@7");
        });
    }, 8 * mib);
    CHECK(gateway.count(watch_path) == 2);
    CHECK(gateway.requests(watch_path)[1].body.find("\"fragment\":true") != std::string::npos);
}

TEST_CASE("hostile: a message that drips into a stream ends the stream, and nothing is lost", "[hostile]") {
    for (const std::string& drop : {as_chunk(" "), as_chunk("1")}) {
        fake_gateway gateway;
        gateway.on(range_path, [](const auto&) { return json(range_body(5)); });
        gateway.on(watch_path, [&](const gateway_request& r) {
            if (r.number == 1) return endless(stream_bytes({created(5)}) + as_chunk("{\"result\":{\"watch_id\":"), drop, 5ms);
            return stream({created(7), news(7, {put_event("/a/x", "1", 7)})}, then::hold);
        });
        with_client(wary(gateway), [&](client& c) -> asio::awaitable<void> {
            mirror m(c, ours());
            mirror_step s = co_await m.next();
            while (s.what != mirror_step::kind::interrupted) s = co_await m.next();
            INFO(s.cause.message());
            CHECK(s.cause.code == errc::deadline_exceeded);
            CHECK(s.cause.message().find("half way") != std::string::npos);
            const std::string got = co_await next_of(m);
            CHECK(got == "update at 7: /a/x=1@7");
        });
        CHECK(starts(gateway) == std::vector<revision_t>{6, 6});
    }
}

TEST_CASE("hostile: a second answer that nobody asked for is not taken for the next one's", "[hostile]") {
    for (const std::string& stray : {forged, std::string("x"), std::string("\r\n"), std::string("HTTP/1.1 200 OK\r\n"), stream_bytes({"{}"}) + "0\r\n\r\n"}) {
        INFO(stray);
        const auto answer = [](const gateway_request& r) { return json(range_body(5, {pair("k", std::to_string(r.number), 5)})); };
        {   // together with the first
            fake_gateway gateway;
            gateway.on(range_path, [&](const gateway_request& r) {
                gateway_answer a = answer(r);
                if (r.number == 1) a.steps.front().bytes += stray;
                return a;
            });
            const std::string second = second_of_two(wary(gateway), []() -> asio::awaitable<void> { co_return; });
            CHECK(second == "2");
            CHECK(gateway.connections() == 2);
        }
        {   // on the connection while it rests
            std::atomic<bool> resting{false}, sent{false};
            fake_gateway gateway;
            gateway.on(range_path, [&](const gateway_request& r) {
                gateway_answer a = answer(r);
                if (r.number > 1) return a;
                a.steps.push_back({stray, 0ms, [&] { return resting.load(); }});
                a.steps.push_back({{}, 0ms, [&] { return sent = true; }});
                return a;
            });
            const std::string second = second_of_two(wary(gateway), [&]() -> asio::awaitable<void> {
                resting = true;
                co_await until([&] { return sent.load(); });
            });
            CHECK(second == "2");
            CHECK(gateway.connections() == 2);
        }
    }
}

TEST_CASE("hostile: a redirect is not followed", "[hostile]") {
    fake_gateway elsewhere, gateway;
    elsewhere.on(range_path, [](const auto&) { return json(range_body(5)); });
    for (const int status : {301, 302, 303, 307, 308}) {
        gateway.on(range_path, [&](const auto&) {
            return raw("HTTP/1.1 " + std::to_string(status) + " Moved\r\nLocation: " + elsewhere.url() + range_path + "\r\nContent-Length: 0\r\n\r\n", then::next_request);
        });
        CHECK(failed_read(with_user(wary(gateway))).code != error_code());
        CHECK(failed_read(wary(gateway)).message().find(elsewhere.url()) != std::string::npos);
    }
    CHECK(elsewhere.connections() == 0);

    gateway.on(range_path, [](const auto&) {
        return raw("HTTP/1.1 302 Found\r\nLocation: http://svc:pw-canary@proxy/login?token=token-canary\r\nContent-Length: 0\r\n\r\n", then::next_request);
    });
    const std::string words = failed_read(wary(gateway)).message();
    CHECK(words.find("'http://...@proxy/login?...'") != std::string::npos);
    CHECK(words.find("canary") == std::string::npos);
}

TEST_CASE("hostile: a token that is no token is refused", "[hostile]") {
    fake_gateway gateway;
    gateway.on(auth_path, [](const auto&) { return token_answer(std::string(65 * 1024, 't')); });
    CHECK(failed_read(with_user(wary(gateway))).code == errc::malformed_response);
    CHECK(gateway.count(range_path) == 0);
}

TEST_CASE("hostile: a member list of thousands is cut", "[hostile]") {
    std::atomic<int> tried{0};
    std::vector<std::string> members;   // before the gateway, whose thread reads them to its end
    for (int i = 0; i < 5000; ++i)
        members.push_back("{\"ID\":\"1\",\"name\":\"m\",\"clientURLs\":[\"http://127.1." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":1\"]}");
    fake_gateway gateway;
    gateway.on("/v3/cluster/member/list", [&](const auto&) { return json("{" + header(5) + ",\"members\":[" + joined(members) + "]}"); });
    gateway.on(range_path, [](const auto&) { return json(range_body(5)); });
    gateway.on(watch_path, [](const auto&) { return stream({created(5)}, then::hold); });
    client_options options = options_for({gateway.url()});
    options.discovery.members = true;
    options.discovery.refresh = 10ms;
    options.log = [&](const log_record& r) { tried += r.event == "endpoint_not_used"; };
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        mirror m(c, ours());
        mirror_step s = co_await m.next();
        while (s.what != mirror_step::kind::connected) s = co_await m.next();
        co_await until([&] { return gateway.count("/v3/cluster/member/list") >= 3; });   // two were gone through
    });
    CHECK(tried >= 2 * 64);
    CHECK(tried <= 3 * 64);
}
