#include <dynconf/auth.hpp>
#include <dynconf/maintenance.hpp>
#include <dynconf/watch.hpp>

#include "etcd/credential_keeper.hpp"
#include "mock/call_scene.hpp"
#include "support/scratch_dir.hpp"
#include "support/threads.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;

namespace {

/// Takes one password at a time, and knows who came with which.
struct guard {
    std::string password = "first password";
    std::atomic<int> issued{0};
    std::atomic<bool> revoked{false};
    fake_gateway gateway;

    guard() {
        gateway.on(auth_path, [this](const gateway_request& r) {
            if (r.member("password") != password)
                return json(fault(3, "etcdserver: authentication failed, invalid user ID or password"), 400);
            return token_answer("token-" + std::to_string(++issued));
        });
        gateway.on(range_path, [this](const gateway_request& r) {
            if (r.header("Authorization") != "token-" + std::to_string(issued) || revoked)
                return json(fault(16, "etcdserver: invalid auth token"), 401);
            return json(range_body(5));
        });
    }

    void change(std::string to) {
        password = std::move(to);
        issued += 100;   // no token is good any more
    }
};

client_options with(const fake_gateway& gateway, credentials_source from) {
    client_options o = options_for({gateway.url()});
    o.auth = std::move(from);
    return o;
}

}  // namespace

TEST_CASE("credentials: a provider is asked when first needed, and again after a refusal", "[client][credentials]") {
    guard etcd;
    int asked = 0;
    std::string current = "first password";
    auto provider = [&]() -> asio::awaitable<credentials> {
        ++asked;
        auto ex = co_await asio::this_coro::executor;
        asio::steady_timer pause(ex, 1ms);
        co_await pause.async_wait(asio::use_awaitable);
        co_return credentials{"svc", current};
    };
    with_client(with(etcd.gateway, credentials_source::provider(provider)), [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await asio::post(asio::use_awaitable);
        CHECK(asked == 0);
        co_await in_parallel(50, [&](int) { return read_once(store); });
        CHECK(asked == 1);
        current = "second password";
        etcd.change(current);
        co_await in_parallel(50, [&](int) { return read_once(store); });   // nobody sees an error
        CHECK(asked == 2);
    });
    CHECK(etcd.gateway.count(auth_path) == 3);
}

TEST_CASE("credentials: what a provider may do wrong is an error of the call, and the next one asks again", "[client][credentials]") {
    guard etcd;
    enum class fault { throws_at_once, throws_later, hangs, no_name, ignores_the_end } how = fault::throws_at_once;
    int asked = 0;
    auto work = [&]() -> asio::awaitable<credentials> {
        auto ex = co_await asio::this_coro::executor;
        asio::steady_timer pause(ex, how == fault::throws_later ? 1ms : 50ms);
        if (how == fault::hangs) pause.expires_at(asio::steady_timer::time_point::max());
        if (how == fault::ignores_the_end) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await pause.async_wait(asio::use_awaitable);
        if (how == fault::throws_later) throw std::runtime_error("no route to the vault");
        co_return credentials{how == fault::no_name ? "" : "svc", "first password"};
    };
    auto provider = [&]() -> asio::awaitable<credentials> {   // no coroutine, so that it can throw before there is one
        ++asked;
        if (how == fault::throws_at_once) throw std::runtime_error("vault is sealed");
        return work();
    };
    struct { fault how; const char* words; } const rows[] = {
        {fault::throws_at_once, "vault is sealed"},
        {fault::throws_later, "no route to the vault"},
        {fault::hangs, "no answer within 20 ms"},
        {fault::ignores_the_end, "no answer within 20 ms"},
        {fault::no_name, "no user name"},
    };
    for (const auto& row : rows) {
        INFO(row.words);
        how = row.how;
        const auto limit = row.how == fault::no_name ? 5000ms : row.how == fault::throws_later ? 5000ms : 20ms;
        const error e = failed_read(with(etcd.gateway, credentials_source::provider(provider, limit)));
        CHECK(e.code == errc::credentials_unavailable);
        CHECK(e.message().find(row.words) != std::string::npos);
    }
    CHECK(etcd.gateway.count(auth_path) == 0);
    CHECK_THROWS_AS(credentials_source::provider({}), std::invalid_argument);
    CHECK_THROWS_AS(credentials_source::provider(provider, 0ms), std::invalid_argument);

    how = fault::throws_at_once;
    asked = 0;
    with_client(with(etcd.gateway, credentials_source::provider(provider)), [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        const error first = co_await failure_of([&] { return read_once(store); });
        CHECK(first.code == errc::credentials_unavailable);
        how = fault::throws_later;
        const error soon = co_await failure_of([&] { return read_once(store); });   // not asked again at once
        CHECK(soon.code == errc::credentials_unavailable);
        CHECK(asked == 1);
    });
}

TEST_CASE("credentials: a password file that hangs does not take a thread each time", "[client][credentials]") {
    const scratch_dir dir;
    const auto pipe = std::filesystem::path(dir.path()) / "password";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);   // whoever opens it waits for a writer
    const std::size_t before = threads();
    asio::io_context io;
    const auto strand = asio::make_strand(asio::any_io_executor(io.get_executor()));
    etcd::credential_keeper keeper(strand, credentials_source::file("svc", pipe));
    error last;
    const auto ask = [&] {
        asio::cancellation_signal enough;
        auto body = [&]() -> asio::awaitable<void> {
            co_await asio::this_coro::throw_if_cancelled(false);
            const auto answer = co_await keeper.ask();
            last = answer ? error() : answer.error();
        };
        asio::co_spawn(strand, std::move(body), asio::bind_cancellation_slot(enough.slot(), asio::detached));
        asio::post(strand, [&] { enough.emit(asio::cancellation_type::terminal); });   // rather than 10 s
        io.restart();
        io.run();
        CHECK(last.code == errc::credentials_unavailable);
        CHECK(last.message().find(pipe.native()) != std::string::npos);
    };
    for (int i = 0; i < 6; ++i) ask();
    CHECK(threads() == before + 4);
    // A writer that comes and goes ends each of them; the last may be yet to open it.
    test::run([&]() -> asio::awaitable<void> {
        co_await until([&] {
            if (const int writer = ::open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC); writer >= 0) ::close(writer);
            return threads() == before;
        });
    });
}

TEST_CASE("credentials: a file is read again after a refusal", "[client][credentials]") {
    guard etcd;
    const scratch_dir dir;
    const auto path = std::filesystem::path(dir.path()) / "password";
    const auto write = [&](std::string_view text) { std::ofstream(path, std::ios::trunc | std::ios::binary) << text; };

    const error none = failed_read(with(etcd.gateway, credentials_source::file("svc", path)));
    CHECK(none.code == errc::credentials_unavailable);
    CHECK(none.message().find(path.native()) != std::string::npos);
    write("\n");
    CHECK(failed_read(with(etcd.gateway, credentials_source::file("svc", path))).code == errc::credentials_unavailable);
    write(std::string(70'000, 'x'));
    CHECK(failed_read(with(etcd.gateway, credentials_source::file("svc", path))).code == errc::credentials_unavailable);
    CHECK(failed_read(with(etcd.gateway, credentials_source::file("svc", dir.path()))).code == errc::credentials_unavailable);
    CHECK(etcd.gateway.count(auth_path) == 0);

    write("first password\r\n");
    with_client(with(etcd.gateway, credentials_source::file("svc", path)), [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await read_once(store);
        etcd.change("second password");
        write("second password");
        co_await read_once(store);
    });
}

TEST_CASE("credentials: the environment is looked at again after a refusal", "[client][credentials]") {
    guard etcd;
    const auto from = credentials_source::environment("DYNCONF_TEST_NAME", "DYNCONF_TEST_WORD");
    ::unsetenv("DYNCONF_TEST_WORD");
    ::setenv("DYNCONF_TEST_NAME", "svc", 1);
    const error none = failed_read(with(etcd.gateway, from));
    CHECK(none.code == errc::credentials_unavailable);
    CHECK(none.message().find("DYNCONF_TEST_WORD") != std::string::npos);
    ::setenv("DYNCONF_TEST_WORD", "first password", 1);
    with_client(with(etcd.gateway, from), [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        co_await read_once(store);
        etcd.change("second password");
        ::setenv("DYNCONF_TEST_WORD", "second password", 1);
        co_await read_once(store);
    });
    CHECK(etcd.gateway.requests(auth_path)[0].member("name") == "svc");
}

TEST_CASE("credentials: a server that quotes the request gets no secret into an error or a log", "[client][credentials]") {
    const std::string canary = "pw-canary-5e2f", token = "token-canary-88a1";
    std::string heard;
    const auto listen = [&heard](const log_record& r) {
        heard += r.text + "\n";
        for (const log_field& f : r.fields) heard += f.value + "\n";
    };
    const auto echo = [](const gateway_request& r) { return r.head + r.body; };
    const auto quoted = [](std::string_view text) {
        std::string out = "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') out += '\\';
            if (c == '\r') out += "\\r";
            else if (c == '\n') out += "\\n";
            else out += c;
        }
        return out + '"';
    };
    const std::vector<std::function<gateway_answer(const gateway_request&)>> echoes = {
        [&](const gateway_request& r) { return json("{\"error\":" + quoted(echo(r)) + ",\"code\":2,\"message\":" + quoted(echo(r)) + "}", 500); },
        [&](const gateway_request& r) { return json("{\"error\":" + quoted(r.body + r.header("Authorization")) + ",\"code\":7}", 403); },
        [&](const gateway_request& r) { return text(echo(r), 400); },
        [&](const gateway_request& r) { return text(r.header("Authorization") + r.body, 200); },
        [&](const gateway_request& r) { return text("<html>" + r.body + r.header("Authorization"), 200); },
        [&](const gateway_request& r) { return text(std::string(30, ' ') + r.header("Authorization"), 418); },
        // cut in the middle of it
        [&](const gateway_request& r) { return text(std::string(200 - 12, 'x') + r.member("password") + r.header("Authorization"), 500); },
        [&](const gateway_request& r) { return text(std::string(500 - 12, 'x') + r.header("Authorization"), 500); },
        [&](const gateway_request& r) { return text(std::string(60 - 12, 'x') + r.header("Authorization"), 200); },
    };
    for (std::size_t i = 0; i < echoes.size(); ++i) {
        for (const bool at_login : {true, false}) {
            INFO("echo " << i << (at_login ? " of the login" : " of what comes after it"));
            fake_gateway gateway;
            gateway.on(auth_path, [&](const gateway_request& r) { return at_login ? echoes[i](r) : token_answer(token); });
            for (const std::string& path : {range_path, put_path, watch_path, status_path, std::string("/v3/auth/user/add")})
                gateway.on(path, [&](const gateway_request& r) { return echoes[i](r); });
            client_options o = with(gateway, credentials{"svc", canary});
            o.log = listen;
            o.max_rounds = 1;
            o.request_timeout = 500ms;
            with_client(o, [&](client& c) -> asio::awaitable<void> {
                kv store(c);
                auth users(c);
                maintenance members(c);
                const std::string name = "new-user";
                const secret other("pw-canary-of-another");
                const auto read_it = [&]() -> asio::awaitable<void> {
                    const key_range key = key_range::key("k");
                    co_await store.range(key);   // an echo of the request may be taken for an empty answer
                };
                const error read = co_await failure_of(read_it);
                const error written = co_await failure_of([&] { return write_once(store); });
                const error added = co_await failure_of([&] { return users.user_add(name, other); });
                heard += read.message() + "\n" + written.message() + "\n" + added.message() + "\n";
                auto probed = co_await members.probe();
                heard += probed.text();
            });
            for (const std::string& part : {canary.substr(0, 6), token.substr(0, 9)}) {
                INFO(heard);
                CHECK(heard.find(part) == std::string::npos);
            }
            heard.clear();
        }
    }
}
