#include "integration/tls_scene.hpp"

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;

TEST_CASE("tls: served under the right name by a known authority, and each wrong turn has its own words", "[tls]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    const test_ca stranger(files.path(), "stranger");
    etcd_process etcd(binary, with_certificate(ca.issue("IP:127.0.0.1,DNS:localhost")));
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options good = hasty(etcd);
            good.tls.ca_file = ca.file();
            client c(ex, good);
            kv store(c);
            mirror content(c, key_range::prefix("k"));
            (void)co_await next_of(content, kind::connected);
            const put_response written = co_await store.put("k", "v");
            const std::vector<event> seen = co_await changes_until(content, written.header.revision);
            CHECK(seen.size() == 1);
            client_options by_name = good;
            by_name.endpoints = {replaced(etcd.endpoint(), "127.0.0.1", "localhost")};
            const auto named = co_await read(by_name);
            CHECK(named);

            client_options wrong_ca = good;
            wrong_ca.tls.ca_file = stranger.file();
            const auto unknown = co_await read(wrong_ca);
            REQUIRE(!unknown);
            INFO(unknown.error().message());
            CHECK(unknown.error().code == errc::unknown_authority);
            CHECK(says(unknown.error(), "the certificate for '127.0.0.1' was not accepted"));

            client_options system_store = hasty(etcd);
            const auto untrusted = co_await read(system_store);
            REQUIRE(!untrusted);
            CHECK(says(untrusted.error(), "was not accepted"));

            client_options no_file = good;
            no_file.tls.ca_file = (files.path() / "missing.pem").string();
            const auto unreadable = co_await read(no_file);
            REQUIRE(!unreadable);
            CHECK(unreadable.error().code == errc::unreadable_ca);
            CHECK(says(unreadable.error(), "missing.pem"));

            client_options plain = good;
            plain.endpoints = {replaced(etcd.endpoint(), "https", "http")};
            const auto spoke_plainly = co_await read(plain);
            REQUIRE(!spoke_plainly);
            INFO(spoke_plainly.error().message());
            CHECK(says(spoke_plainly.error(), "plain http to a TLS port?"));

            // What is refused is refused to a watch as well.
            client stranger_client(ex, wrong_ca);
            mirror unseen(stranger_client, key_range::prefix("k"));
            const mirror_step down = co_await unseen.next();
            CHECK(down.what == kind::interrupted);
            CHECK(says(down.cause, "was not accepted"));
        },
        60s);
}

TEST_CASE("tls: a certificate for another host is refused", "[tls]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_process etcd(binary, with_certificate(ca.issue("DNS:elsewhere.example,IP:127.0.0.2")));
    test::run(
        [&]() -> asio::awaitable<void> {
            client_options options = hasty(etcd);
            options.tls.ca_file = ca.file();
            for (const char* host : {"127.0.0.1", "localhost"}) {
                options.endpoints = {replaced(etcd.endpoint(), "127.0.0.1", host)};
                const auto refused = co_await read(options);
                REQUIRE(!refused);
                INFO(refused.error().message());
                CHECK(refused.error().code == errc::certificate_wrong_host);
                CHECK(says(refused.error(), host));
                CHECK(says(refused.error(), "was not accepted"));
                CHECK(says(refused.error(), "mismatch"));
            }
        },
        60s);
}

TEST_CASE("tls: https to a plain port is told as that", "[tls]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    test::run(
        [&]() -> asio::awaitable<void> {
            client_options options = hasty(etcd);
            options.endpoints = {replaced(etcd.endpoint(), "http", "https")};
            const auto refused = co_await read(options);
            REQUIRE(!refused);
            CHECK(refused.error().code == errc::protocol_mismatch);
            CHECK(says(refused.error(), "https to a plain port?"));
        },
        60s);
}

TEST_CASE("tls: together with a password", "[tls]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_process etcd(binary, with_certificate(ca.issue("IP:127.0.0.1")));
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.tls.ca_file = ca.file();
            co_await switch_auth_on(options);
            const error anonymous = co_await refusal(options);
            CHECK(anonymous == server_errc::user_empty);
            options.auth = as_user("root", "root-password");
            client c(ex, options);
            kv store(c);
            mirror content(c, key_range::prefix("k"));
            (void)co_await next_of(content, kind::connected);
            const put_response written = co_await store.put("k", "v");
            const std::vector<event> seen = co_await changes_until(content, written.header.revision);
            CHECK(seen.size() == 1);
        },
        60s);
}

TEST_CASE("tls: a write does not go out on a connection that its server has ended", "[tls]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_process etcd(binary, with_certificate(ca.issue("IP:127.0.0.1")));
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.tls.ca_file = ca.file();
            client c(ex, options);
            kv store(c);
            co_await store.put("k", "1");
            for (const char* value : {"2", "3"}) {
                CHECK(etcd.terminate());   // nobody else is on this thread to see the connection end
                etcd.start();
                const auto written = co_await outcome(store.put("k", value));
                CHECK(written.has_value());
            }
        },
        60s);
}

TEST_CASE("tls: each fault of a server's certificate has its own code, and only insecure_skip_verify passes all", "[tls]") {
    REQUIRE_ETCD();
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    test_ca stranger(files.path(), "stranger");
    const auto valid = [](const char* from, const char* until) {
        subject whom;
        whom.from = from;
        whom.until = until;
        return whom;
    };
    subject elsewhere;
    elsewhere.alternative_names = "DNS:elsewhere.example,IP:127.0.0.9";
    subject common_name;
    common_name.alternative_names = "DNS:elsewhere.example";
    common_name.name = "/CN=127.0.0.1";
    struct row {
        issued certificate;
        errc code;
        const char* words;
    };
    const std::vector<row> rows{
        {ca.issue(valid("20200101000000Z", "20200201000000Z")), errc::certificate_expired, "expired"},
        {ca.issue(valid("20900101000000Z", "20900201000000Z")), errc::certificate_not_yet_valid, "not yet valid"},
        {ca.issue(elsewhere), errc::certificate_wrong_host, "mismatch"},
        {ca.issue(common_name), errc::certificate_wrong_host, "mismatch"},
        {stranger.issue(subject()), errc::unknown_authority, "unable to get local issuer certificate"},
        {test_ca::self_signed(files.path(), "IP:127.0.0.1"), errc::certificate_self_signed, "self-signed"},
    };
    // etcd reads its certificate anew for each handshake.
    const issued shown{(files.path() / "server.pem").string(), (files.path() / "server.key").string()};
    const issued client_certificate = ca.issue(subject());
    place(text_of(rows[2].certificate.certificate), shown.certificate);
    place(text_of(rows[2].certificate.key), shown.key);
    etcd_process etcd(etcd_binaries().back(), with_certificate(shown));
    test::run(
        [&]() -> asio::awaitable<void> {
            client_options good = hasty(etcd);
            good.tls.ca_file = ca.file();
            good.max_rounds = 1;
            for (const row& r : rows) {
                INFO(r.words);
                place(text_of(r.certificate.certificate), shown.certificate);
                place(text_of(r.certificate.key), shown.key);
                const error refused = co_await refusal(good);
                INFO(refused.message());
                CHECK(refused == r.code);
                CHECK(says(refused, r.words));
                CHECK(says(refused, "range at " + etcd.endpoint() + ": the certificate for '127.0.0.1' was not accepted"));

                for (int how = 0; how < 6; ++how) {
                    INFO(how);
                    logged events;
                    client_options skip = good;
                    skip.log = events.sink();
                    if (how == 1) skip.tls.ca_file.clear();
                    if (how == 2) skip.tls.ca_file = (files.path() / "missing").string();
                    if (how == 3) skip.tls.server_name = "some.other.name";
                    if (how == 4) show(skip, client_certificate);
                    if (how == 5) skip.tls.ca_and_system = true, skip.tls.min_version = tls_version::v1_3;
                    const error without = co_await refusal(skip);
                    CHECK(without != error_code());
                    CHECK(events.count("tls_not_verified") == 0);
                    skip.tls.insecure_skip_verify = true;
                    const error passed = co_await refusal(skip);
                    CHECK(passed.message() == error{}.message());
                    CHECK(events.count("tls_not_verified " + etcd.endpoint()) == 1);
                }
            }
            // Who trusts the self-signed one itself need not skip anything.
            good.tls.ca_file = rows.back().certificate.certificate;
            const error trusted = co_await refusal(good);
            CHECK(trusted.message() == error{}.message());
        },
        120s);
}

TEST_CASE("tls: another name than the endpoint's is expected where that is said", "[tls]") {
    REQUIRE_ETCD();
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_process etcd(etcd_binaries().back(), with_certificate(ca.issue("DNS:etcd.internal,IP:10.1.2.3")));
    test::run(
        [&]() -> asio::awaitable<void> {
            client_options options = hasty(etcd);
            options.tls.ca_file = ca.file();
            const error own = co_await refusal(options);
            CHECK(own == errc::certificate_wrong_host);
            for (const char* name : {"etcd.internal", "10.1.2.3"}) {
                options.tls.server_name = name;
                const error right = co_await refusal(options);
                CHECK(right.message() == error{}.message());
            }
            options.tls.server_name = "other.internal";
            const error wrong = co_await refusal(options);
            CHECK(wrong == errc::certificate_wrong_host);
            CHECK(says(wrong, "'other.internal'"));
        },
        60s);
}

TEST_CASE("tls: authorities from a file, a directory, a text and the system's store, which they replace", "[tls]") {
    REQUIRE_ETCD();
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    test_ca below(files.path(), "below", ca);
    const test_ca stranger(files.path(), "stranger");
    const std::filesystem::path folder = files.path() / "authorities";
    std::filesystem::create_directory(folder);
    std::filesystem::copy_file(ca.file(), folder / "any name");
    std::filesystem::copy_file(stranger.file(), folder / "another");
    // By an authority in between, whose certificate the server sends along.
    issued server = below.issue("IP:127.0.0.1");
    place(text_of(server.certificate) + text_of(below.file()), server.certificate);
    etcd_process etcd(etcd_binaries().back(), with_certificate(server));
    test::run(
        [&]() -> asio::awaitable<void> {
            const client_options system = hasty(etcd);
            const auto with = [&](auto&& change) {
                client_options options = system;
                change(options.tls);
                return options;
            };
            const std::vector<std::pair<client_options, bool>> table{
                {with([&](tls_options& o) { o.ca_file = ca.file(); }), true},
                {with([&](tls_options& o) { o.ca_file = below.file(); }), true},
                {with([&](tls_options& o) { o.ca_directory = folder.string(); }), true},
                {with([&](tls_options& o) { o.ca_pem = text_of(ca.file()); }), true},
                {with([&](tls_options& o) { o.ca_file = stranger.file(), o.ca_pem = text_of(ca.file()); }), true},
                {with([&](tls_options& o) { o.ca_file = stranger.file(); }), false},
                {with([&](tls_options& o) { o.ca_file = stranger.file(), o.ca_and_system = true; }), false},
                {system, false},
            };
            for (std::size_t i = 0; i < table.size(); ++i) {
                INFO(i);
                const error e = co_await refusal(table[i].first);
                CHECK(e == (table[i].second ? error_code() : error_code(errc::unknown_authority)));
            }
            // OpenSSL's own way to name the system's store.
            ::setenv("SSL_CERT_FILE", ca.file().c_str(), 1);
            const error by_system = co_await refusal(system);
            const error replaced = co_await refusal(table[5].first);
            const error both = co_await refusal(table[6].first);
            ::unsetenv("SSL_CERT_FILE");
            CHECK(by_system.message() == error{}.message());
            CHECK(replaced == errc::unknown_authority);
            CHECK(both.message() == error{}.message());
        },
        60s);
}

TEST_CASE("tls: a server that is too old for the wanted version", "[tls]") {
    FOR_EACH_ETCD(binary);
    if (binary.version.starts_with("3.4.")) return;   // has no --tls-max-version
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_options server = with_certificate(ca.issue("IP:127.0.0.1"));
    server.flags.push_back("--tls-max-version=TLS1.2");
    etcd_process etcd(binary, server);
    test::run(
        [&]() -> asio::awaitable<void> {
            client_options options = hasty(etcd);
            options.tls.ca_file = ca.file();
            const error fine = co_await refusal(options);
            CHECK(fine.message() == error{}.message());
            options.tls.min_version = tls_version::v1_3;
            const error old = co_await refusal(options);
            INFO(old.message());
            CHECK(old == errc::tls_version_refused);
        },
        60s);
}
