// The configuration manager on real etcd processes. The test's own thread is the operator; the managers live on others.

#include "integration/scene.hpp"
#include "support/io_threads.hpp"
#include "support/relay.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using steady = std::chrono::steady_clock;

namespace {

struct app_config {
    int port = 0;
    std::string host;
    std::string elsewhere;
};

std::shared_ptr<const schema> app_schema() {
    auto s = std::make_shared<declared_schema<app_config>>("/app");
    s->optional("port", &app_config::port, {.etcd = "Port", .env = "PORT"}, 80)
        .required("host", &app_config::host, {.etcd = "Host", .env = "HOST"})
        .optional("elsewhere", &app_config::elsewhere, {.etcd = "/shared/Elsewhere"}, "nowhere");
    return s;
}

std::shared_ptr<const schema> open_schema() { return std::make_shared<const prefix_schema>("/app"); }

manager_options quick(bool strict = false) {
    manager_options o;
    o.strict = strict;
    o.client.backoff.first = 20ms;
    o.client.backoff.most = 200ms;
    o.client.slow_retry = 200ms;
    o.look_up = [](const std::string& name) -> std::optional<std::string> {
        if (name == "HOST") return "env-host";
        return std::nullopt;
    };
    return o;
}

settings at(std::string endpoint, std::optional<credentials> who = std::nullopt) {
    settings s;
    s.endpoints = std::vector<std::string>(1, std::move(endpoint));
    if (who) {
        s.username = who->username;
        s.password = who->password;
    }
    return s;
}

/// What etcd holds, as an open schema shows it.
config_map content_of(const etcd_admin& admin) {
    config_map all;
    for (const auto& [key, item] : admin.read("/app/")) all.emplace(key.substr(5), value(item.value));
    return all;
}

bool is_live(const config_manager& cfg) { return cfg.status().state == config_state::live; }

start_report started(config_manager& cfg) { return cfg.start(asio::use_future).get(); }

error_code start_error(config_manager& cfg) {
    std::promise<error_code> done;
    auto result = done.get_future();
    cfg.start([&](error_code ec, const start_report&) { done.set_value(ec); });
    return result.get();
}

/// How long stop() takes.
std::chrono::milliseconds stopped(config_manager& cfg) {
    const auto begin = steady::now();
    cfg.stop(asio::use_future).get();
    CHECK(cfg.status().state == config_state::stopped);
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - begin);
}

/// Notes what subscribers are told, and whether they could ever tell a reload from a change.
class witness {
public:
    explicit witness(config_manager& cfg)
        : subscription_(cfg.subscribe([this](const snapshot& before, const snapshot& after) {
              const std::lock_guard lock(mutex_);
              if (before.serial() >= after.serial()) ++faults_;
              if (!last_.empty() && !(before.all() == last_)) ++faults_;   // nothing between what it was told
              if (changed_names(before, after).empty()) ++faults_;
              if (after.empty() && !before.empty()) ++emptied_;
              for (std::string& name : changed_names(before, after)) names_.push_back(std::move(name));
              last_ = after.all();
          })) {}

    int faults() const { return read(faults_); }
    int emptied() const { return read(emptied_); }
    /// Names that were told as changed, in order; and forgets them.
    strings names() {
        const std::lock_guard lock(mutex_);
        return std::exchange(names_, {});
    }

private:
    int read(const int& n) const {
        const std::lock_guard lock(mutex_);
        return n;
    }
    mutable std::mutex mutex_;
    config_map last_;
    strings names_;
    int faults_ = 0;
    int emptied_ = 0;
    subscription subscription_;
};

strings sorted(strings all) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

}  // namespace

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

TEST_CASE("a restart of etcd, or its death, loses no change", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (int i = 0; i < 20; ++i) admin.put("/app/k" + std::to_string(i), "0");
    io_threads io(2);
    manager_options how = quick();
    how.client.backoff.first = how.client.backoff.most = 300ms;   // the operator is quicker
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint()), how);
    REQUIRE(started(cfg).ok());
    witness saw(cfg);
    for (int round = 1; round <= 4; ++round) {
        const config_map before = cfg.current().all();
        if (round % 2) etcd.kill();
        else REQUIRE(etcd.terminate());
        REQUIRE(becomes_true([&] { return cfg.status().state == config_state::stale; }));
        CHECK(cfg.status().cause.code);
        CHECK(cfg.status().endpoint.empty());
        CHECK(cfg.current().all() == before);   // the last good values are served
        etcd.start();
        const std::string n = std::to_string(round);
        admin.put_all({{"/app/k1", n}, {"/app/k2", n}});
        admin.erase("/app/k" + std::to_string(10 + round));
        const auto last = admin.put("/app/new" + n, n);
        REQUIRE(becomes_true([&] { return is_live(cfg) && cfg.current().revision() >= last; }));
        CHECK(cfg.current().all() == content_of(admin));
        CHECK(sorted(saw.names()) == sorted({"k1", "k2", "k" + std::to_string(10 + round), "new" + n}));
    }
    CHECK(saw.faults() == 0);
    CHECK(saw.emptied() == 0);
    CHECK(cfg.status().resyncs == 0);
    CHECK(stopped(cfg) < 1s);
}

TEST_CASE("compaction while disconnected shows as the real differences", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (int i = 0; i < 20; ++i) admin.put("/app/k" + std::to_string(i), "0");
    relay wire(etcd.port());
    io_threads io(2);
    config_manager cfg(io.get_executor(), open_schema(), at(wire.endpoint()), quick());
    REQUIRE(started(cfg).ok());
    witness saw(cfg);
    std::atomic<bool> done{false};
    std::atomic<int> emptied{0};
    std::thread reader([&] {
        while (!done) {
            if (cfg.current().size() < 18) ++emptied;
            std::this_thread::sleep_for(100us);
        }
    });
    for (int round = 1; round <= 3; ++round) {
        wire.cut();
        const std::string n = std::to_string(round);
        admin.put("/app/k1", n + "x");
        admin.put("/app/k1", n);
        admin.put("/app/k2", "1");
        admin.put("/app/k2", "0");   // there and back
        admin.put("/app/k3", "0");   // the same again
        admin.put("/app/brief", n);
        admin.erase("/app/brief");
        const auto last = admin.put("/app/new", n);
        admin.compact(last);
        CHECK(becomes_true([&] { return cfg.status().state == config_state::stale; }));
        wire.mend();
        CHECK(becomes_true([&] { return is_live(cfg) && cfg.current().revision() >= last; }));
        CHECK(cfg.current().all() == content_of(admin));
        CHECK(saw.names() == strings{"k1", "new"});
        CHECK(cfg.status().resyncs == static_cast<unsigned>(round));
    }
    done = true;
    reader.join();
    CHECK(emptied == 0);
    CHECK(saw.faults() == 0);
    CHECK(stopped(cfg) < 1s);
    CHECK(
        becomes_true([&] { return wire.connections() <= 1; }));  // the watch is closed; one kept-alive session may stay
}

TEST_CASE("a store that is replaced by another takes over", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    for (int i = 0; i < 20; ++i) admin.put("/app/k" + std::to_string(i), "0");
    io_threads io(2);
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint()), quick());
    REQUIRE(started(cfg).ok());
    witness saw(cfg);
    auto went_back = cfg.changed_since(cfg.current().revision(), asio::use_future);
    etcd.kill();
    REQUIRE(becomes_true([&] { return cfg.status().state == config_state::stale; }));
    etcd.wipe();
    etcd.start();
    admin.put("/app/k1", "0");
    admin.put("/app/k2", "2");
    REQUIRE(becomes_true([&] { return is_live(cfg) && cfg.current().all() == content_of(admin); }));
    CHECK(cfg.current().revision() == admin.revision());
    CHECK(saw.faults() == 0);
    CHECK(went_back.get().revision() < 21);
}

TEST_CASE("tokens that live for one second, over thirty", "[manager_lifetime]") {
    FOR_EACH_ETCD(binary);
    etcd_options flags;
    flags.flags = {"--auth-token-ttl=1"};
    etcd_process etcd(binary, flags);
    etcd_admin admin(etcd);
    admin.put("/app/n", "0");
    admin.enable_auth();
    admin.add_user("reader", "secret");
    admin.add_role("readers");
    admin.grant("readers", "/app/", "READ");
    admin.grant_role("reader", "readers");
    io_threads io(2);
    config_manager cfg(io.get_executor(), open_schema(), at(etcd.endpoint(), as_user("reader", "secret")), quick(true));
    REQUIRE(started(cfg).ok());
    witness saw(cfg);
    const auto due = steady::now() + 30s;
    int n = 0;
    while (steady::now() < due) {
        const auto revision = admin.put("/app/n", std::to_string(++n));
        REQUIRE(becomes_true([&] { return cfg.current().revision() >= revision; }, 15s));
        CHECK(cfg.current().get<int>("n").value() == n);
        const auto pause = steady::now() + (n % 4 ? 50ms : 2500ms);   // longer than a token lives
        CHECK_FALSE(becomes_true([&] { return cfg.current().get<int>("n").value() != n; }, pause - steady::now()));
    }
    CHECK(n > 20);
    CHECK(saw.faults() == 0);
    CHECK(saw.names().size() == static_cast<std::size_t>(n));
    // a start late in the game, when the client's token has long expired
    CHECK(stopped(cfg) < 1s);
    CHECK(started(cfg).ok());
    CHECK(stopped(cfg) < 1s);
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

TEST_CASE("an etcd that appears after start is taken up", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    REQUIRE(etcd.terminate());
    io_threads io(2);
    config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), quick());
    const start_report r = started(cfg);
    CHECK(r.state == config_state::local);
    CHECK(r.origin == origin::environment);
    CHECK(r.cause.code == asio::error::connection_refused);
    CHECK(cfg.current().get<std::string>("host").value() == "env-host");
    auto next = cfg.changed_since(cfg.current().revision(), asio::use_future);
    etcd.start();
    CHECK(next.get().get<std::string>("host").value() == "db1");
    CHECK(becomes_true([&] { return is_live(cfg); }));
    CHECK(cfg.status().origin == origin::etcd);
    CHECK(cfg.current().info("host")->from == origin::etcd);
    CHECK(stopped(cfg) < 1s);
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

TEST_CASE("stop is quick in every state", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    io_threads io(2);
    std::vector<std::chrono::milliseconds> took;
    const auto options = [] {
        manager_options o = quick();
        o.client.backoff.first = o.client.backoff.most = 20s;   // stop() must not wait for it
        o.start_timeout = 30s;
        return o;
    };
    const auto begun = [&](config_manager& cfg) { cfg.start([](error_code, const start_report&) {}); };
    for (int round = 0; round < 20; ++round) {
        {   // idle
            config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
            took.push_back(stopped(cfg));
        }
        {   // anywhere in a start
            config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
            begun(cfg);
            (void)becomes_true([] { return false; }, std::chrono::microseconds(round * 300));
            took.push_back(stopped(cfg));
        }
        {   // live
            config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
            REQUIRE(started(cfg).ok());
            admin.put("/app/Host", std::to_string(round));
            took.push_back(stopped(cfg));
        }
    }
    {   // from within a callback, twice
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
        REQUIRE(started(cfg).ok());
        std::promise<void> both;
        std::atomic<int> left{2};
        const subscription sub = cfg.subscribe([&](const snapshot&, const snapshot&) {
            for (int i = 0; i < 2; ++i)
                cfg.stop([&](error_code) {
                    if (--left == 0) both.set_value();
                });
        });
        const auto begin = steady::now();
        admin.put("/app/Host", "callback");
        both.get_future().get();
        took.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - begin));
    }
    {   // stale, in the pause between two tries
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
        REQUIRE(started(cfg).ok());
        etcd.kill();
        REQUIRE(becomes_true([&] { return cfg.status().state == config_state::stale; }));
        took.push_back(stopped(cfg));
    }
    {   // fallen back
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
        CHECK(started(cfg).state == config_state::local);
        took.push_back(stopped(cfg));
    }
    etcd.start();
    {   // live at a member that has fallen silent, then starting at one
        config_manager cfg(io.get_executor(), app_schema(), at(etcd.endpoint()), options());
        REQUIRE(started(cfg).ok());
        etcd.pause();
        took.push_back(stopped(cfg));
        for (int round = 0; round < 5; ++round) {
            begun(cfg);
            (void)becomes_true([] { return false; }, std::chrono::milliseconds(round * 5));
            took.push_back(stopped(cfg));
        }
        config_manager with_login(io.get_executor(), app_schema(), at(etcd.endpoint(), as_user("a", "b")), options());
        begun(with_login);
        (void)becomes_true([] { return false; }, 20ms);
        took.push_back(stopped(with_login));
        etcd.resume();
    }
    {   // a name that does not resolve
        config_manager cfg(io.get_executor(), app_schema(), at("http://no-such-host.invalid:2379"), options());
        begun(cfg);
        took.push_back(stopped(cfg));
    }
    std::sort(took.begin(), took.end());
    INFO("the slowest took " << took.back().count() << " ms");
    CHECK(took[took.size() * 99 / 100] < 1s);
}

TEST_CASE("a destroyed manager leaves nothing behind", "[manager]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/Host", "db1");
    relay wire(etcd.port());
    const auto begin = steady::now();
    {
        io_threads io(2);   // ends when all work has
        for (int round = 0; round < 20; ++round) {
            config_manager cfg(io.get_executor(), app_schema(), at(wire.endpoint()), quick());
            cfg.start([](error_code, const start_report&) {});
            if (round % 2) REQUIRE(becomes_true([&] { return is_live(cfg); }));
            if (round % 4 == 3) admin.put("/app/Host", std::to_string(round));
        }
    }
    CHECK(becomes_true([&] { return wire.connections() == 0; }));
    CHECK(steady::now() - begin < 30s);
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
