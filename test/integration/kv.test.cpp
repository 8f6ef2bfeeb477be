#include "support/etcd_admin.hpp"
#include "support/etcd_process.hpp"
#include "support/run.hpp"
#include "support/skip.hpp"

#include <dynconf/kv.hpp>

using namespace dynconf;
namespace asio = boost::asio;

TEST_CASE("kv: put and get", "[kv]") {
    REQUIRE_ETCD();
    const auto binary = GENERATE(from_range(test::etcd_binaries()));
    INFO(binary);
    test::etcd_process etcd(binary);
    const test::etcd_admin admin(etcd);
    CHECK(admin.put("a", "b") == 2);
    CHECK(admin.read("a").at("a").value == "b");
    test::run([&]() -> asio::awaitable<void> {
        auto ex = co_await asio::this_coro::executor;
        client_options options;
        options.endpoints = {etcd.endpoint()};
        client c(ex, options);
        kv store(c);
        auto r = co_await store.range(key_range::key("a"));
        REQUIRE(r.kvs.size() == 1);
        CHECK(r.kvs[0].value == "b");
    });
    CHECK(etcd.terminate());
    etcd.start();
    etcd.kill();
    etcd.start();
    CHECK(admin.read("a").at("a").value == "b");
    etcd.pause();
    CHECK_THROWS(etcd.raw("/v3/kv/range", "{\"key\":\"YQ==\"}", {}, std::chrono::milliseconds(200)));
    etcd.resume();
    CHECK(admin.read("a").at("a").value == "b");
}
