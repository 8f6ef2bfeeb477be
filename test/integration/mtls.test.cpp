// Client certificates: who is let in, and what those are told who are not.

#include "integration/tls_scene.hpp"

#include <dynconf/auth.hpp>

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;

namespace {

/// Root with its password, and authentication on.
asio::awaitable<void> switch_auth_on(const client_options& options) {
    auto ex = co_await asio::this_coro::executor;
    client c(ex, options);
    auth access(c);
    co_await access.user_add("root", "root-password");
    co_await access.role_add("root");
    co_await access.user_grant_role("root", "root");
    co_await access.enable();
}

client_options in(client_options options, const std::string& scheme) {
    options.endpoints = {replaced(options.endpoints.front(), "https", scheme)};
    return options;
}

}  // namespace

TEST_CASE("mtls: who has a certificate is served, others hear why not, and nothing of theirs is in doubt", "[mtls]") {
    FOR_EACH_ETCD(binary);
    const bool old = GENERATE(false, true);   // TLS 1.2 refuses in the handshake, TLS 1.3 after it
    if (old && binary.version.starts_with("3.4.")) return;   // has no --tls-max-version
    INFO("TLS 1.2 only: " << old);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    test_ca below(files.path(), "below", ca);
    test_ca stranger(files.path(), "stranger");
    etcd_options server = with_certificate(ca.issue("IP:127.0.0.1"), &ca);
    if (old) server.flags.push_back("--tls-max-version=TLS1.2");
    etcd_process etcd(binary, server);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options none = hasty(etcd);
            none.tls.ca_file = ca.file();
            none.max_rounds = 1;
            client_options good = none;
            show(good, ca.issue(subject()));
            client c(ex, good);
            kv store(c);
            mirror content(c, key_range::prefix("k"));
            (void)co_await next_of(content, kind::connected);
            const put_response written = co_await store.put("k", "v");
            const std::vector<event> seen = co_await changes_until(content, written.header.revision);
            CHECK(seen.size() == 1);

            for (const char* type : {"rsa:2048", "ed25519"}) {
                subject whom;
                whom.key = type;
                client_options other = none;
                show(other, ca.issue(whom));
                const error served = co_await refusal(other);
                CHECK(served.message() == error{}.message());
            }
            // With the certificate of the authority in between, which the server does not have.
            issued chain = below.issue(subject());
            client_options incomplete = none;
            show(incomplete, chain);
            const error no_chain = co_await refusal(incomplete);
            CHECK(no_chain == errc::client_certificate_refused);
            place(text_of(chain.certificate) + text_of(below.file()), chain.certificate);
            const error whole_chain = co_await refusal(incomplete);
            CHECK(whole_chain.message() == error{}.message());

            client_options other_authority = none;
            show(other_authority, stranger.issue(subject()));
            subject past;
            past.from = "20200101000000Z";
            past.until = "20200201000000Z";
            client_options expired = none;
            show(expired, ca.issue(past));
            client_options skip = none;
            skip.tls.insecure_skip_verify = true;
            const std::vector<std::pair<client_options, errc>> table{{none, errc::client_certificate_required},
                                                                     {skip, errc::client_certificate_required},
                                                                     {other_authority, errc::client_certificate_refused},
                                                                     {expired, errc::client_certificate_refused}};
            for (const auto& [options, code] : table) {
                // More than once: whether the alert or the end of the connection is seen first must not matter.
                for (int i = 0; i < 10; ++i) {
                    client refused(ex, options);
                    kv its_store(refused);
                    const auto answer = co_await outcome(its_store.put("k", "must not be"));
                    REQUIRE(!answer);
                    INFO(answer.error().message());
                    CHECK(answer.error().code == code);
                    CHECK_FALSE(answer.error().in_doubt);
                    CHECK(says(answer.error(), etcd.endpoint()));
                }
                client refused(ex, options);
                mirror unseen(refused, key_range::prefix("k"));
                const mirror_step down = co_await unseen.next();
                CHECK(down.what == kind::interrupted);
                CHECK(down.cause.code == code);
            }
            const auto there = co_await store.range(key_range::key("k"));
            CHECK((there.kvs.size() == 1 && there.kvs[0].value == "v"));

            const error plain = co_await refusal(in(good, "http"));
            CHECK(plain == errc::connection_closed);
            CHECK(says(plain, "plain http to a TLS port?"));
        },
        120s);
}

TEST_CASE("mtls: together with a password; a CommonName, which the gateway refuses then, is explained", "[mtls]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_process etcd(binary, with_certificate(ca.issue("IP:127.0.0.1"), &ca));
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            subject alice;
            alice.name = "/O=test/CN=alice";
            client_options named = hasty(etcd);
            named.tls.ca_file = ca.file();
            client_options nameless = named;
            show(named, ca.issue(alice));
            show(nameless, ca.issue(subject()));
            const error before = co_await refusal(named);
            CHECK(before.message() == error{}.message());   // as long as authentication is off
            client_options with_password = nameless;
            with_password.auth = as_user("root", "root-password");
            client c(ex, with_password);
            kv store(c);
            (void)co_await store.range(key_range::key("k"));   // finds authentication off
            co_await switch_auth_on(nameless);

            const error anonymous = co_await refusal(nameless);
            CHECK(anonymous == server_errc::permission_denied);   // where no certificate is asked for it is user_empty
            mirror content(c, key_range::prefix("k"));
            (void)co_await next_of(content, kind::connected);
            const put_response written = co_await store.put("k", "v");
            const std::vector<event> seen = co_await changes_until(content, written.header.revision);
            CHECK(seen.size() == 1);

            for (const bool has_password : {false, true}) {
                if (has_password) named.auth = with_password.auth;
                const error refused = co_await refusal(named);
                INFO(refused.message());
                CHECK(refused == server_errc::client_certificate_name);
                CHECK(says(refused, "only client certificates without a CommonName"));
            }
            with_password.auth = as_user("root", "another");
            const error wrong = co_await refusal(with_password);
            CHECK(wrong == server_errc::auth_failed);
        },
        60s);
}

TEST_CASE("mtls: each member of three is verified by its own name", "[mtls]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    const bool with_client_certificates = GENERATE(false, true);
    INFO("client certificates: " << with_client_certificates);
    std::vector<etcd_options> members;
    std::vector<issued> certificates;
    for (const char* host : {"127.0.0.1", "127.0.0.2", "127.0.0.3"}) {
        const issued own = ca.issue("IP:" + std::string(host));
        // A name of its own, to be replaced later.
        const issued shown{(files.path() / host).string() + ".pem", (files.path() / host).string() + ".key"};
        place(text_of(own.certificate), shown.certificate);
        place(text_of(own.key), shown.key);
        certificates.push_back(shown);
        members.push_back(with_certificate(shown, with_client_certificates ? &ca : nullptr));
        members.back().host = host;
    }
    etcd_cluster etcd(binary, members);
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd.endpoints());
            options.tls.ca_file = ca.file();
            if (with_client_certificates) show(options, ca.issue(subject()));
            for (const std::string& one : etcd.endpoints()) {
                client_options alone = options;
                alone.endpoints = {one};
                const error served = co_await refusal(alone);
                CHECK(served.message() == error{}.message());
            }

            // The first shows another's certificate: it is not used, the others are.
            place(text_of(certificates[1].certificate), certificates[0].certificate);
            place(text_of(certificates[1].key), certificates[0].key);
            client c(ex, options);
            kv store(c);
            mirror content(c, key_range::prefix("k"));
            const mirror_step up = co_await next_of(content, kind::connected);
            CHECK(up.endpoint != etcd[0].endpoint());
            const put_response written = co_await store.put("k", "v");
            (void)co_await changes_until(content, written.header.revision);
            client_options impostor = options;
            impostor.endpoints = {etcd[0].endpoint()};
            impostor.max_rounds = 1;
            const error refused = co_await refusal(impostor);
            CHECK(refused == errc::certificate_wrong_host);
            CHECK(says(refused, "'127.0.0.1'"));

            // One more is lost: the last serves reads of its own.
            etcd[1].kill();
            client_options last = options;
            last.endpoints = {etcd[1].endpoint(), etcd[2].endpoint()};
            const error served = co_await refusal(last);
            CHECK(served.message() == error{}.message());
        },
        120s);
}

TEST_CASE("mtls: replaced files are used without a new client, bad ones are not", "[mtls]") {
    REQUIRE_ETCD();
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    test_ca next_ca(files.path(), "next");
    const issued shown{(files.path() / "server.pem").string(), (files.path() / "server.key").string()};
    const issued mine{(files.path() / "client.pem").string(), (files.path() / "client.key").string()};
    const std::string trusted = (files.path() / "trusted.pem").string();
    const auto put_in_place = [](const issued& what, const issued& at) {
        place(text_of(what.certificate), at.certificate);
        place(text_of(what.key), at.key);
    };
    put_in_place(ca.issue("IP:127.0.0.1"), shown);
    put_in_place(next_ca.issue(subject()), mine);
    place(text_of(ca.file()), trusted);
    etcd_process etcd(etcd_binaries().back(), with_certificate(shown, &ca));
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            logged events;
            client_options options = hasty(etcd);
            options.tls.ca_file = trusted;
            show(options, mine);
            options.log = events.sink();
            options.idle_timeout = 0ms;   // each call has a connection of its own
            options.max_rounds = 1;
            client c(ex, options);
            kv store(c);
            const auto put = [&]() -> asio::awaitable<error> {
                const auto done = co_await outcome(store.put("k", "v"));
                co_return done ? error{} : done.error();
            };
            const error wrong_authority = co_await put();
            CHECK(wrong_authority == errc::client_certificate_refused);
            put_in_place(ca.issue(subject()), mine);
            const error healed = co_await put();
            CHECK(healed.message() == error{}.message());
            CHECK(events.count("tls_files_read") == 1);

            place("garbage", mine.certificate);
            const error kept = co_await put();
            CHECK(kept.message() == error{}.message());
            CHECK(events.count("tls_files_refused") == 1);
            put_in_place(ca.issue(subject()), mine);
            const error renewed = co_await put();
            CHECK(renewed.message() == error{}.message());
            CHECK(events.count("tls_files_read") == 2);

            // Another authority for the server: first both are trusted, then it changes, then the old one goes.
            place(text_of(ca.file()) + text_of(next_ca.file()), trusted);
            const error both = co_await put();
            CHECK(both.message() == error{}.message());
            put_in_place(next_ca.issue("IP:127.0.0.1"), shown);
            const error changed = co_await put();
            CHECK(changed.message() == error{}.message());
            place(text_of(ca.file()), trusted);
            const error too_old = co_await put();
            CHECK(too_old == errc::unknown_authority);
            place(text_of(next_ca.file()), trusted);
            const error done = co_await put();
            CHECK(done.message() == error{}.message());
        },
        60s);
}
