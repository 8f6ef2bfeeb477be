// What a client that only follows costs etcd, by the server's own count, and what the cheap way rests on.

#include "integration/scene.hpp"
#include "wire/base64.hpp"

#include <nlohmann/json.hpp>

#include <memory>

using namespace dynconf;
using namespace dynconf::test;
using kind = mirror_step::kind;

namespace {

/// Calls of the client's kind that the server has answered.
double answered(const etcd_process& etcd, const std::string& method) {
    return etcd.metric("grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"" + method
        + "\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}");
}

const std::string read_only_txn = "{\"success\":[{\"request_range\":{\"key\":\"" + wire::to_base64("k")
    + "\",\"keys_only\":true,\"min_mod_revision\":\"1\",\"limit\":\"1\"}}]}";

/// The revision of a transaction that only reads, as the header says, and of the reads.
std::pair<revision_t, revision_t> revisions_of_read(const etcd_process& etcd) {
    const raw_answer answer = etcd.raw("/v3/kv/txn", read_only_txn);
    REQUIRE(answer.status == 200);
    const auto body = nlohmann::json::parse(answer.body);
    const auto& kv = body.at("responses").at(0).at("response_range").at("kvs").at(0);
    return {std::stoll(body.at("header").at("revision").get<std::string>()), std::stoll(kv.at("mod_revision").get<std::string>())};
}

}  // namespace

TEST_CASE("probe looks: quiet prefixes beside foreign writes cost one request a probe", "[watch_hub][looks]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/p/0/k", "quiet");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(etcd);
        options.max_staleness = 3s;
        client c(executor, options);
        std::vector<std::unique_ptr<mirror>> all;
        for (int i = 0; i < 5; ++i) all.push_back(std::make_unique<mirror>(c, key_range::prefix("/p/" + std::to_string(i) + "/")));
        for (auto& m : all) (void)co_await next_of(*m, kind::connected);

        const auto next_proofs = [&]() -> asio::awaitable<void> {
            admin.put("/foreign", "x");
            const auto written = std::chrono::steady_clock::now();
            for (auto& m : all) {
                mirror_step s;
                do {
                    s = co_await m->next();
                    CHECK(s.what == kind::verified);
                } while (s.as_of < written);
            }
        };
        co_await next_proofs();   // the first is a probe, and a look of each
        const double ranges = answered(etcd, "Range"), txns = answered(etcd, "Txn");
        constexpr int probes = 4;
        for (int i = 0; i < probes; ++i) co_await next_proofs();
        CHECK(answered(etcd, "Range") - ranges == 0);
        CHECK(answered(etcd, "Txn") - txns == probes);

        const revision_t r = admin.put("/p/0/k", "heard");
        const std::vector<event> seen = co_await changes_until(*all[0], r);
        CHECK(shown(seen) == strings{"put /p/0/k=heard @" + std::to_string(r)});
    }, 60s);
}

TEST_CASE("probe looks: a permission that is taken away costs its mirror only", "[watch_hub][looks]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.put("/a/k", "1");
    admin.put("/b/k", "1");
    admin.enable_auth();
    admin.add_user("svc", "pw");
    admin.add_role("r");
    admin.grant("r", "/a/", "READ");
    admin.grant("r", "/b/", "READ");
    admin.grant_role("svc", "r");
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(etcd);
        options.max_staleness = 3s;
        options.auth = as_user("svc", "pw");
        bool down = false;
        options.log = [&](const log_record& r) { down = down || r.event == "endpoint_down"; };
        client c(executor, options);
        mirror kept(c, key_range::prefix("/a/")), lost(c, key_range::prefix("/b/"));
        (void)co_await next_of(kept, kind::connected);
        (void)co_await next_of(lost, kind::connected);
        admin.put("/foreign", "x");
        const double before = answered(etcd, "Txn");
        (void)co_await next_of(kept, kind::verified);
        (void)co_await next_of(lost, kind::verified);
        admin.put("/foreign", "x");
        (void)co_await next_of(kept, kind::verified);
        (void)co_await next_of(lost, kind::verified);
        CHECK(answered(etcd, "Txn") > before);   // the looks of both

        admin.call("/v3/auth/role/revoke", "{\"role\":\"r\",\"key\":\"" + wire::to_base64("/b/") + "\",\"range_end\":\"" + wire::to_base64("/b0") + "\"}");
        const auto revoked = std::chrono::steady_clock::now();
        admin.put("/foreign", "x");
        mirror_step s;
        do {
            s = co_await kept.next();
            CHECK(s.what == kind::verified);
        } while (s.as_of < revoked);
        do s = co_await lost.next();
        while (s.what != kind::interrupted || s.cause.code != server_errc::permission_denied);

        const double with_both = answered(etcd, "Txn");
        const auto told = std::chrono::steady_clock::now();
        admin.put("/foreign", "x");
        do {
            s = co_await kept.next();
            CHECK((s.what == kind::verified || s.what == kind::connected));
        } while (s.as_of < told);
        CHECK(answered(etcd, "Txn") > with_both);   // the look of one goes along again
        CHECK_FALSE(down);
    }, 60s);
}

TEST_CASE("probe looks: a transaction that only reads is linearizable, and its header tells the revision", "[watch_hub][looks]") {
    FOR_EACH_ETCD(binary);
    etcd_cluster cluster(binary, 3);
    const etcd_admin admin(cluster[0]);
    for (int i = 0; i < 30; ++i) {
        const revision_t written = admin.put("k", std::to_string(i));
        for (std::size_t member = 0; member < cluster.size(); ++member) {
            const auto [header, read] = revisions_of_read(cluster[member]);
            CHECK(header == written);
            CHECK(read == written);
        }
    }
    cluster[1].pause();
    cluster[2].pause();
    const std::string serializable = "{\"key\":\"" + wire::to_base64("k") + "\",\"serializable\":true}";
    CHECK(cluster[0].raw("/v3/kv/range", serializable).status == 200);
    const raw_answer refused = cluster[0].raw("/v3/kv/txn", read_only_txn, {}, 20s);
    CHECK(refused.status != 200);
    INFO(refused.body);
    cluster[1].resume();
    cluster[2].resume();
}
