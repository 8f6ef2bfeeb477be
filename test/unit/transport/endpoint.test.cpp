#include <dynconf/endpoint.hpp>

#include "support/catch.hpp"
#include "transport/shown_url.hpp"

#include <string>

using namespace dynconf;

namespace {

struct accepted { const char* text; endpoint::scheme kind; const char* host; unsigned port; const char* authority; const char* shown; };

constexpr auto http = endpoint::scheme::http;
constexpr auto https = endpoint::scheme::https;
constexpr auto local = endpoint::scheme::unix_socket;

const accepted good[] = {
    {"10.0.0.1:2379", http, "10.0.0.1", 2379, "10.0.0.1:2379", "http://10.0.0.1:2379"},
    {"etcd", http, "etcd", 2379, "etcd:2379", "http://etcd:2379"},
    {"etcd-0.etcd_headless.svc.cluster.local:4001", http, "etcd-0.etcd_headless.svc.cluster.local", 4001,
     "etcd-0.etcd_headless.svc.cluster.local:4001", "http://etcd-0.etcd_headless.svc.cluster.local:4001"},
    {"host.", http, "host.", 2379, "host.:2379", "http://host.:2379"},
    {"http://h", http, "h", 2379, "h:2379", "http://h:2379"},
    {"http://h:1", http, "h", 1, "h:1", "http://h:1"},
    {"https://h:65535", https, "h", 65535, "h:65535", "https://h:65535"},
    {"https://h", https, "h", 2379, "h:2379", "https://h:2379"},
    {"https://h:443/", https, "h", 443, "h:443", "https://h:443"},
    {"http://h:0080", http, "h", 80, "h:80", "http://h:80"},
    {"  http://h:1\t\r\n", http, "h", 1, "h:1", "http://h:1"},
    {"[::1]", http, "::1", 2379, "[::1]:2379", "http://[::1]:2379"},
    {"[::1]:23", http, "::1", 23, "[::1]:23", "http://[::1]:23"},
    {"https://[2001:db8::7]:23/", https, "2001:db8::7", 23, "[2001:db8::7]:23", "https://[2001:db8::7]:23"},
    {"http://[::ffff:10.0.0.1]", http, "::ffff:10.0.0.1", 2379, "[::ffff:10.0.0.1]:2379", "http://[::ffff:10.0.0.1]:2379"},
    {"unix:///run/etcd/gateway.sock", local, "/run/etcd/gateway.sock", 0, "localhost", "unix:///run/etcd/gateway.sock"},
    {"unix:///run/a@b,c:1", local, nullptr, 0, nullptr, nullptr},   // a path may hold anything; not in a list
};

const std::string refused[] = {
    "", " ", "\t\n", ":", ":2379", "http://", "https://:2379", "http:///", "://h", "h:", "h:x", "h:-1", "h:+1", "h:0", "h:65536",
    "h:99999999999999999999", "h:1.5", "h: 1", "h :1", "h 1", "ftp://h", "HTTP//h", "http:/h", "grpc://h:2379", "unix://", "unix://run/x",
    "http://unix:///x", "::1", "::1:2379", "2001:db8::7", "[::1", "::1]", "[]", "[]:1", "[h]:1", "[1.2.3.4]:1", "[::1]x", "[::1]2379",
    "[::1]:", "[::1]:x", "[[::1]]:1", "h/v3", "http://h:1/v3", "http://h:1//", "http://h:1?x=1", "http://h#f", "h\\x", "h\"", "h<x>",
    "h;1", "a..b", ".", "..", ".h", std::string("h\0:1", 4), "h\n:1", "b\xc3\xbc" "cher:1", std::string(300, 'h'),
    std::string(64, 'h') + ".com", "http://http://h",
    // What the system takes for an address, and what would not stay in its place in a header.
    std::string("[::1\0x]:1", 9), "[fe80::1%1\r\nX:1]", "[fe80::1%]", "[fe80::1%a b]", "[fe80::1%0123456789abcdef]", "unix:///run/x\ny",
    std::string("unix:///run/x\0y", 15),
};

}  // namespace

TEST_CASE("endpoint: every accepted form", "[endpoint]") {
    for (const accepted& a : good) {
        INFO(a.text);
        const result<endpoint> e = endpoint::parse(a.text);
        REQUIRE(e);
        CHECK(e->kind() == a.kind);
        CHECK(e->port() == a.port);
        CHECK(e->uses_tls() == (a.kind == https));
        if (a.host) CHECK(e->host() == a.host);
        if (a.authority) CHECK(e->authority() == a.authority);
        if (a.shown) CHECK(e->to_string() == a.shown);
        // What it shows is an endpoint again, and the same.
        const result<endpoint> again = endpoint::parse(e->to_string());
        REQUIRE(again);
        CHECK(*again == *e);
    }
}

TEST_CASE("endpoint: nonsense is refused by an error that names it", "[endpoint]") {
    for (const std::string& text : refused) {
        INFO("'" << text << "'");
        const result<endpoint> e = endpoint::parse(text);
        REQUIRE_FALSE(e);
        CHECK(e.error().code == errc::invalid_endpoint);
        if (text.size() < 100 && text.find_first_of(std::string_view(" \t\n\r\0", 5)) == std::string::npos)
            CHECK(e.error().detail.find("'" + transport::shown_url(text) + "'") != std::string::npos);
        CHECK(e.error().detail.size() < 400);
    }
}

TEST_CASE("endpoint: a user part is refused and never quoted", "[endpoint]") {
    const std::string secret = "hunter2";
    const std::string texts[] = {
        "http://root:hunter2@h:2379", "root:hunter2@h", "https://hunter2@h/", "http://root:hun@hunter2@h",
        "hunter2@h:x", "ftp://root:hunter2@h", "http://root:hunter2@[::1", "https://root:hunter2/@h", "http://root:hunter2?x@h:1",
        "http://root:" + std::string(300, 'x') + "hunter2@h", "http://root:hunter2" + std::string(300, 'x') + "@h",
        "http://root:hun,hunter2@h", "http://root:hunter2,rest@h", "http://a:1,http://root:hunter2,x@h,http://b:1",
        "http://root:hunter2://x@h", "http://root:12hunter2,@h", "hunter2,x://y@h",
    };
    for (const std::string& text : texts) {
        INFO(text);
        const auto list = endpoint::parse_list(text);
        REQUIRE_FALSE(list);
        CHECK(list.error().code == errc::invalid_endpoint);
        CHECK(list.error().message().find(secret) == std::string::npos);
        if (text.find(',') != std::string::npos) continue;
        const auto one = endpoint::parse(text);
        REQUIRE_FALSE(one);
        CHECK(one.error().message().find(secret) == std::string::npos);
    }
}

TEST_CASE("endpoint: comma lists", "[endpoint]") {
    const auto three = endpoint::parse_list(" http://a:1, https://b ,[::1]:3");
    REQUIRE(three);
    REQUIRE(three->size() == 3);
    CHECK((*three)[0].to_string() == "http://a:1");
    CHECK((*three)[1].to_string() == "https://b:2379");
    CHECK((*three)[2].to_string() == "http://[::1]:3");
    const auto one = endpoint::parse_list("unix:///x");
    REQUIRE(one);
    CHECK(one->size() == 1);
    for (const char* text : {"", ",", "a,", ",a", "a,,b", "a, ,b", "a;b", "a b"}) {
        INFO("'" << text << "'");
        const auto list = endpoint::parse_list(text);
        REQUIRE_FALSE(list);
        CHECK(list.error().code == errc::invalid_endpoint);
    }
    const auto culprit = endpoint::parse_list("http://good:1,http://bad:x,http://good:2");
    REQUIRE_FALSE(culprit);
    CHECK(culprit.error().detail.find("'http://bad:x'") != std::string::npos);
    CHECK(culprit.error().detail.find("good") == std::string::npos);
}
