#include "transport/shown_url.hpp"

#include "support/catch.hpp"

using dynconf::transport::shown_url;

TEST_CASE("shown_url: without what may hold a password or a token", "[transport]") {
    CHECK(shown_url("http://etcd:2379/v3/kv/range") == "http://etcd:2379/v3/kv/range");
    CHECK(shown_url("").empty());
    CHECK(shown_url("http://svc:pw@proxy:80/login") == "http://...@proxy:80/login");
    CHECK(shown_url("svc:p@w@proxy") == "...@proxy");
    CHECK(shown_url("/login?token=x") == "/login?...");
    CHECK(shown_url("https://proxy/login#token=x") == "https://proxy/login#...");
    CHECK(shown_url("http://svc:pw@proxy/login?token=x#y") == "http://...@proxy/login?...");
    // A password that is not written as it should be, or an '@' in a query: which of them nobody knows.
    CHECK(shown_url("http://svc:p?w@proxy/") == "http://...");
    CHECK(shown_url("http://proxy/?token=x@y") == "http://...");
    CHECK(shown_url("unix:///run/etcd") == "unix:///run/etcd");
    CHECK(shown_url("http://proxy/\r\nx") == "http://proxy/\\r\\nx");
}
