#include "conformance/cases.hpp"
#include "conformance/etcd_target.hpp"
#include "conformance/random_requests.hpp"
#include "integration/scene.hpp"

// The fake etcd beside each real one: every request of every case goes to both, and both have to answer the same.

using namespace dynconf::test;

TEST_CASE("conformance: the fake etcd answers as a real one", "[conformance]") {
    FOR_EACH_ETCD(binary);
    each_conformance_case([&](const conformance_case& c) {
        INFO(c.name);
        const etcd_process etcd(binary);
        fake_target fake(binary.version);
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
