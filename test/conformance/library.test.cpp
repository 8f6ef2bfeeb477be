#include "conformance/library_cases.hpp"
#include "integration/scene.hpp"

#include <dynconf/testing/fake_etcd.hpp>

// Those who compete see the same on each real etcd and on the fake one of its version, both over loopback.

using namespace dynconf;
using namespace dynconf::test;

namespace {

std::vector<std::string> seen_at(const std::string& url, const library_case& what) {
    std::vector<std::string> seen;
    run([&]() -> asio::awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        client_options options;
        options.endpoints = {url};
        client c(executor, options);
        co_await what.run(c, seen);
    });
    return seen;
}

}  // namespace

TEST_CASE("conformance: locks, elections and bulk on the fake etcd and on a real one", "[conformance]") {
    FOR_EACH_ETCD(binary);
    const etcd_process real(binary);
    testing::fake_etcd_options same;
    same.version = binary.version;
    testing::fake_etcd fake(same);
    for (const library_case& each : library_cases()) {
        INFO(each.name);
        CHECK(seen_at(real.endpoint(), each) == each.expected);
        CHECK(seen_at(fake.url(), each) == each.expected);
    }
}
