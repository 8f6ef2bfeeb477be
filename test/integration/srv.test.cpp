#include "integration/tls_scene.hpp"

#include "etcd/client_access.hpp"
#include "etcd/client_core.hpp"
#include "support/dns_responder.hpp"

#include <dynconf/maintenance.hpp>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;

namespace {

/// The SRV records of "example.test", which can be changed.
class zone {
public:
    void plain(std::vector<dns_srv> records) { set(plain_, std::move(records)); }
    void secure(std::vector<dns_srv> records) { set(secure_, std::move(records)); }

    /// By these records alone.
    client_options options() const {
        client_options o = hasty(strings());
        o.discovery.srv = "example.test";
        o.discovery.refresh = 100ms;
        return o;
    }
    client connect(asio::any_io_executor executor, const client_options& options) const {
        client c(std::move(executor), options);
        dynconf::detail::client_access::core(c)->ask_name_servers({server_.address()});
        return c;
    }

private:
    void set(std::vector<dns_srv>& which, std::vector<dns_srv> records) {
        const std::lock_guard lock(mutex_);
        which = std::move(records);
    }
    dns_reply reply(const std::string& name) {
        const std::lock_guard lock(mutex_);
        const auto& records = name == "_etcd-client-ssl._tcp.example.test" ? secure_ : plain_;
        return records.empty() ? no_such_name() : dns_reply{0, records};
    }

    std::mutex mutex_;
    std::vector<dns_srv> plain_;
    std::vector<dns_srv> secure_;
    dns_responder server_{[this](const std::string& name) { return reply(name); }};
};

dns_srv at(const etcd_process& etcd, std::uint16_t priority) { return {priority, 0, etcd.port(), "localhost."}; }
std::string by_name(const etcd_process& etcd, const char* scheme = "http") {
    return std::string(scheme) + "://localhost:" + std::to_string(etcd.port());
}

}  // namespace

TEST_CASE("srv: a client with records alone reads, writes and follows, and one that appears takes over", "[srv]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster etcd(binary, 3);
    etcd_process stranger(binary);
    zone dns;
    dns.plain({at(etcd[0], 10)});
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client c = dns.connect(ex, dns.options());
            kv store(c);
            const put_response written = co_await store.put("k/1", "one");
            const range_response found = co_await store.range(key_range::key("k/1"));
            CHECK(found.kvs.size() == 1);
            CHECK(found.header.cluster_id == written.header.cluster_id);
            mirror content(c, key_range::prefix("k/"));
            const mirror_step up = co_await next_of(content, kind::connected);
            CHECK(up.endpoint == by_name(etcd[0]));

            // One of another cluster would be the best, and never serves.
            etcd::client_core& core = *dynconf::detail::client_access::core(c);
            dns.plain({at(stranger, 1), at(etcd[1], 20), at(etcd[0], 10)});
            while (core.endpoint_count() != 2) co_await wait_for(1ms);
            etcd[0].kill();
            const mirror_step elsewhere = co_await next_of(content, kind::connected);
            CHECK(elsewhere.endpoint == by_name(etcd[1]));
            result<put_response> again = error{errc::deadline_exceeded, {}};   // perhaps until there is a new leader
            while (!again) again = co_await outcome(store.put("k/2", "two"));
            CHECK(again->header.cluster_id == written.header.cluster_id);
            const std::vector<event> news = co_await changes_until(content, again->header.revision);
            CHECK(news.back().kv.key == "k/2");
        },
        60s);
}

TEST_CASE("srv: names that do not answer are told, and healed once they do", "[srv]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    zone dns;
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client c = dns.connect(ex, dns.options());
        mirror content(c, key_range::prefix("k/"));
        const mirror_step down = co_await next_of(content, kind::interrupted);
        CHECK(down.cause.code == errc::discovery_failed);
        CHECK(down.cause.message().find("'example.test'") != std::string::npos);
        kv store(c);
        const auto refused = co_await outcome(store.put("k/1", "one"));
        REQUIRE(!refused);
        CHECK(refused.error().code == errc::discovery_failed);
        CHECK_FALSE(refused.error().in_doubt);
        dns.plain({at(etcd, 0)});
        (void)co_await next_of(content, kind::connected);
        (void)co_await store.put("k/1", "one");
    });
}

TEST_CASE("srv: certificates have to name the target, and plain records are not used beside https", "[srv]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir files;
    test_ca ca(files.path(), "ca");
    etcd_process named(binary, with_certificate(ca.issue("DNS:localhost")));
    etcd_process other(binary, with_certificate(ca.issue("DNS:example.test,IP:127.0.0.1")));
    etcd_process plain(binary);
    zone dns;
    dns.secure({at(named, 0)});
    dns.plain({at(plain, 0)});
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client_options o = dns.options();
        o.tls.ca_file = ca.file();
        client c = dns.connect(ex, o);
        mirror content(c, key_range::prefix("k/"));
        const mirror_step up = co_await next_of(content, kind::connected);
        CHECK(up.endpoint == by_name(named, "https"));

        dns.secure({at(other, 0)});
        client wrong = dns.connect(ex, o);
        kv store(wrong);
        const auto refused = co_await outcome(store.range(key_range::key("k")));
        REQUIRE(!refused);
        INFO(refused.error().message());
        CHECK(refused.error().message().find("the certificate for 'localhost' was not accepted") != std::string::npos);
    });
}
