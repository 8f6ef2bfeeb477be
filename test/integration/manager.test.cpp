// The configuration manager on real etcd processes: what it loads and follows. The test's own thread is the operator; the
// managers live on others.

#include "integration/manager_scene.hpp"

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("a manager loads from etcd and follows it", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    admin.put("/app/Port", "81");
    admin.put("/shared/Elsewhere", "here");
    io_threads io(2);
    config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), quick(true));
    const start_report r = started(cfg);
    CHECK(r.ok());
    CHECK(r.state == config_state::live);
    CHECK(r.origin == origin::etcd);
    CHECK(r.revision == admin.revision());
    CHECK(r.missing.empty());
    CHECK(cfg.current().get<int>("port").value() == 81);
    CHECK(cfg.current().get<std::string>("elsewhere").value() == "here");
    CHECK(cfg.status().endpoint == etcd.endpoint());
    witness saw(cfg);

    // one revision, keys on both sides of the prefix
    const auto together = admin.put_all({{"/app/Port", "82"}, {"/shared/Elsewhere", "there"}});
    snapshot now = cfg.changed_since(r.revision, asio::use_future).get();
    CHECK(now.revision() == together);
    CHECK(now.get<int>("port").value() == 82);
    CHECK(now.get<std::string>("elsewhere").value() == "there");
    CHECK(now.info("port") == provenance{origin::etcd, together});

    const auto gone = admin.erase("/app/Port");
    now = cfg.changed_since(together, asio::use_future).get();
    CHECK(now.revision() == gone);
    CHECK(now.get<int>("port").value() == 80);

    // bad, then good
    admin.put("/app/Port", "many");
    admin.erase("/app/Host");
    REQUIRE(becomes_true([&] { return cfg.status().rejected == 2; }));
    CHECK(cfg.current().get<int>("port").value() == 80);
    CHECK(cfg.current().get<std::string>("host").value() == "db1");
    const auto good = admin.put_all({{"/app/Port", "84"}, {"/app/Host", "db2"}});
    now = cfg.changed_since(gone, asio::use_future).get();
    CHECK(now.revision() == good);
    CHECK(now.get<int>("port").value() == 84);
    CHECK(now.get<std::string>("host").value() == "db2");
    CHECK(saw.names() == strings{"elsewhere", "port", "port", "host", "port"});
    CHECK(saw.faults() == 0);
    CHECK(stopped(cfg) < 1s);
}

TEST_CASE("siblings of the prefix are not seen", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (const char* key : {"/app", "/app/In", "/app2/Out", "/app-x", "/ap", "/app0", "/app.", "/App/In"})
        admin.put(key, "1");
    io_threads io(1);
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint()), quick(true));
    started(cfg);
    CHECK(cfg.current().all() == config_map{{"In", value("1")}});
    witness saw(cfg);
    for (const char* key : {"/app", "/app2/Out", "/app-x", "/app0", "/app2/In"}) admin.put(key, "2");
    const auto last = admin.put("/app/In", "2");
    CHECK(cfg.changed_since(1, asio::use_future).get().size() == 1);
    REQUIRE(becomes_true([&] { return cfg.current().revision() == last; }));
    CHECK(cfg.current().all() == config_map{{"In", value("2")}});
    CHECK(saw.names() == strings{"In"});
}

TEST_CASE("wrong passwords and missing permissions have a typed cause", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    admin.enable_auth();
    admin.add_user("reader", "secret");
    admin.add_role("readers");
    admin.grant_role("reader", "readers");
    io_threads io(2);
    const struct { credentials who; error_code expected; } cases[] = {
        {as_user("reader", "wrong"), server_errc::auth_failed},
        {as_user("nobody", "secret"), server_errc::auth_failed},
        {as_user("reader", "secret"), server_errc::permission_denied},
    };
    for (const auto& c : cases) {
        INFO(c.who.username << ": " << c.expected.message());
        config_manager strict(io.get_executor(), app_schema(), at(etcd.endpoint(), c.who), quick(true));
        CHECK(start_error(strict) == c.expected);
        CHECK(strict.status().state == config_state::stopped);
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint(), c.who), quick());
        const start_report r = started(cfg);
        CHECK(r.cause.code == c.expected);
        CHECK(r.cause.message().find("secret") == std::string::npos);
        CHECK(r.state == config_state::local);
        CHECK(r.origin == origin::environment);
        CHECK(cfg.current().get<std::string>("host").value() == "env-host");
        CHECK(stopped(cfg) < 1s);
    }
    // and is over as soon as the permission is there
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint(), as_user("reader", "secret")), quick());
    CHECK(started(cfg).cause.code == server_errc::permission_denied);
    admin.grant("readers", "/app/", "READ");
    CHECK(becomes_true([&] { return is_live(cfg); }));
    CHECK(cfg.current().get<std::string>("Host").value() == "db1");
}

TEST_CASE("ten thousand keys, and a value of one mebibyte", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    std::vector<std::pair<std::string, std::string>> some;
    for (int i = 0; i < 10'000; ++i) {
        some.emplace_back("/app/key" + std::to_string(i), "value " + std::to_string(i));
        if (some.size() == 100) admin.put_all(std::exchange(some, {}));
    }
    const std::string large(std::size_t{1} << 20, 'x');
    admin.put("/app/large", large);
    io_threads io(2);
    manager_options how = quick(true);
    how.start_timeout = 60s;
    for (const std::int64_t page : {10'000, 777}) {
        how.client.page_size = page;
        config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint()), how);
        const start_report r = started(cfg);
        CHECK(r.ok());
        CHECK(cfg.current().size() == 10'001);
        CHECK((cfg.current().all() == content_of(admin)));
        witness saw(cfg);
        const auto changed = admin.put("/app/key77", "page " + std::to_string(page));
        admin.put("/app/large", large + std::to_string(page));
        REQUIRE(becomes_true([&] { return cfg.current().revision() > changed; }));
        CHECK((cfg.current().all() == content_of(admin)));
        CHECK(saw.names() == strings{"key77", "large"});
        CHECK(stopped(cfg) < 1s);
    }
}

TEST_CASE("many managers start while transactions are committed: none is torn, all end equal", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    constexpr int keys = 10;
    const auto write = [&](int n) {
        std::vector<std::pair<std::string, std::string>> all;
        for (int k = 0; k < keys; ++k) all.emplace_back("/app/k" + std::to_string(k), std::to_string(n));
        return admin.put_all(all);
    };
    const auto agree = [](const snapshot& s) {
        if (s.size() != keys) return false;
        for (int k = 1; k < keys; ++k)
            if (!(*s.find("k" + std::to_string(k)) == *s.find("k0"))) return false;
        return true;
    };
    write(0);
    io_threads io(3);
    std::atomic<bool> enough{false};
    std::atomic<std::int64_t> last{0};
    std::thread writer([&] {
        for (int n = 1; !enough; ++n) last = write(n);
    });
    std::atomic<int> torn{0}, failed{0}, told{0}, ready{0};
    std::deque<config_manager> managers;
    std::vector<subscription> subscriptions;
    for (int i = 0; i < 50; ++i) {
        config_manager& cfg = managers.emplace_back(io.get_executor(), open_schema(), at(etcd.endpoint()), quick(true));
        subscriptions.push_back(cfg.subscribe([&](const snapshot&, const snapshot& after) {
            ++told;
            if (!agree(after)) ++torn;
        }));
        cfg.start([&](error_code ec, const start_report&) {
            if (ec) ++failed;
            ++ready;
        });
    }
    const bool all_ready = becomes_true([&] { return ready == 50; }, 60s);
    const int before = told;
    const bool moved = becomes_true([&] { return told >= before + 500; }, 60s);
    enough = true;
    writer.join();
    CHECK(all_ready);
    CHECK(moved);
    CHECK(failed == 0);
    const config_map expected = content_of(admin);
    for (config_manager& cfg : managers) {
        CHECK(becomes_true([&] { return cfg.current().revision() >= last; }));
        CHECK(agree(cfg.current()));
        CHECK(cfg.current().all() == expected);
        CHECK(cfg.status().interruptions == 0);
    }
    CHECK(torn == 0);
    for (config_manager& cfg : managers) CHECK(stopped(cfg) < 1s);
}

TEST_CASE("local mode asks no etcd", "[manager]") {
    io_threads io(1);
    settings local = at("http://127.0.0.1:1");
    local.use_local_config = true;
    config_manager cfg(io.get_executor(), app_schema(), local, quick(true));
    const start_report r = started(cfg);
    CHECK(r.ok());
    CHECK(r.state == config_state::local);
    CHECK(r.origin == origin::environment);
    CHECK(r.missing == strings{"elsewhere", "port"});
    CHECK(cfg.current().get<std::string>("host").value() == "env-host");
    CHECK(cfg.current().get<int>("port").value() == 80);
    CHECK(stopped(cfg) < 1s);
}
