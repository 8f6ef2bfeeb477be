#include "integration/scene.hpp"

#include "support/scratch_dir.hpp"
#include "support/test_ca.hpp"

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;

namespace {

etcd_options with_certificate(const test_ca::issued& server) {
    etcd_options options;
    options.https = true;
    options.flags = {"--cert-file=" + server.certificate, "--key-file=" + server.key};
    return options;
}

asio::awaitable<result<range_response>> read(const client_options& options) {
    auto ex = co_await asio::this_coro::executor;
    client c(ex, options);
    kv store(c);
    co_return co_await outcome(store.range(key_range::key("k")));
}

bool says(const error& e, const char* words) { return e.message().find(words) != std::string::npos; }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    return text;
}

}  // namespace

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
            CHECK(says(unknown.error(), "the certificate for '127.0.0.1' was not accepted"));

            client_options system_store = hasty(etcd);
            const auto untrusted = co_await read(system_store);
            REQUIRE(!untrusted);
            CHECK(says(untrusted.error(), "was not accepted"));

            client_options no_file = good;
            no_file.tls.ca_file = (files.path() / "missing.pem").string();
            const auto unreadable = co_await read(no_file);
            REQUIRE(!unreadable);
            CHECK(unreadable.error().code == errc::unreadable_ca_file);
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
