#include "conformance/cases.hpp"
#include "conformance/etcd_target.hpp"
#include "conformance/normal.hpp"
#include "conformance/random_requests.hpp"
#include "integration/scene.hpp"

#include <dynconf/testing/fake_etcd.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <string>

// The fake etcd beside each real one: every request of every case goes to both, and both have to answer the same.

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("conformance: the fake etcd answers as a real one", "[conformance]") {
    FOR_EACH_ETCD(binary);
    each_conformance_case([&](const conformance_case& c) {
        INFO(c.name);
        etcd_options told;
        told.flags = {"--auth-token-ttl=" + std::to_string(c.settings.token_ttl.count()),
            "--experimental-watch-progress-notify-interval=" + std::to_string(c.settings.progress_interval.count()) + "s"};
        const etcd_process etcd(binary, told);
        fake_target fake(binary.version, c.settings);
        etcd_target real(etcd);
        paired_target both(fake, real);
        c.run(both);
    });
}

TEST_CASE("conformance: what nobody thought of is answered the same", "[conformance]") {
    FOR_EACH_ETCD(binary);
    const etcd_process etcd(binary);
    fake_target fake(binary.version);
    etcd_target real(etcd);
    paired_target both(fake, real);
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    random_requests requests(seed);
    const auto everything = both.open("/v3/watch", R"({"create_request":{"key":"AA==","range_end":"AA==","prev_kv":true}})");
    everything->next();
    std::int64_t told = 1;   // the last revision that the watch has shown
    for (int i = 0; i < 500; ++i) {
        const auto r = requests.next(fake.member().cluster().store().revision());
        INFO("request " << i);
        both.call(r.path, r.body);
        REQUIRE(both.agreed());
        const std::int64_t now = fake.member().cluster().store().revision();
        for (; told < now; ++told) REQUIRE(everything->next());
    }
    both.call("/v3/kv/range", R"({"key":"AA==","range_end":"AA=="})");
}

namespace {

/// All that comes back, as it came.
std::string exchange(const std::string& url, const std::string& method, const std::string& path, const std::string& body) {
    const std::string authority = url.substr(url.find("://") + 3);
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    const auto port = static_cast<std::uint16_t>(std::stoi(authority.substr(authority.find(':') + 1)));
    socket.connect({asio::ip::address_v4::loopback(), port});
    asio::write(socket, asio::buffer(method + " " + path + " HTTP/1.1\r\nHost: " + authority + "\r\nConnection: close\r\nContent-Length: "
        + std::to_string(body.size()) + "\r\n\r\n" + body));
    std::string answer;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(answer), ended);
    return answer;
}

}  // namespace

TEST_CASE("conformance: the heads and trailers of answers are those of a real one", "[conformance]") {
    FOR_EACH_ETCD(binary);
    const etcd_process real(binary);
    testing::fake_etcd_options same;
    same.version = binary.version;
    testing::fake_etcd fake(same);
    const std::string large(3000, 'A');
    struct { const char *method, *path; std::string body; } const requests[] = {
        {"POST", "/v3/kv/put", R"({"key":"YQ==","value":")" + large + R"("})"},
        {"POST", "/v3/kv/range", R"({"key":"YQ=="})"},                    // more than 2 KB
        {"POST", "/v3/kv/range", R"({"key":"YQ==","count_only":true})"},
        {"POST", "/v3/kv/range", R"({"key":"YQ==","revision":100})"},     // refused behind the gateway
        {"POST", "/v3/kv/range", R"({"key":)"},                           // and by the gateway
        {"POST", "/v3/kv/nope", "{}"},
        {"POST", "/nope", "{}"},
        {"POST", "/v3//kv/range", "{}"},
        {"GET", "/v3/kv/range", ""},
        {"GET", "/version", ""},
        {"GET", "/health", ""},
        {"POST", "/v3/lease/grant", R"({"ID":5,"TTL":60})"},
        {"POST", "/v3/lease/revoke", R"({"ID":6})"},
        {"POST", "/v3/lease/keepalive", R"({"ID":5})"},
        {"POST", "/v3/lease/keepalive", ""},
        {"POST", "/v3/auth/user/add", R"({"name":"root","password":"r"})"},
        {"POST", "/v3/auth/role/add", R"({"name":"root"})"},
        {"POST", "/v3/auth/user/grant", R"({"user":"root","role":"root"})"},
        {"POST", "/v3/auth/enable", ""},
        {"POST", "/v3/kv/range", R"({"key":"YQ=="})"},
        {"POST", "/v3/lease/keepalive", R"({"ID":5})"},
    };
    for (const auto& r : requests) {
        INFO(r.method << ' ' << r.path << ' ' << r.body.substr(0, 100));
        const auto told = normal_head(exchange(real.endpoint(), r.method, r.path, r.body));
        CHECK(normal_head(exchange(fake.url(), r.method, r.path, r.body)) == told);
    }
}
