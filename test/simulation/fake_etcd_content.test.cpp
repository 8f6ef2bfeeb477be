// What can happen to the content of a fake etcd and to the way its events come, and what becomes of those who follow it.

#include "simulation/fake_scene.hpp"

using namespace dynconf;
using namespace dynconf::simulation_test;
using kind = mirror_step::kind;

namespace {

fake_etcd_options closed() {
    fake_etcd_options how;
    how.root_password = "secret";
    return how;
}

/// With a backup of twenty writes ago, and a client who has to log in.
struct scene_with_a_past : fake_scene {
    scene_with_a_past() : fake_scene(closed()), older(etcd.backup()) {
        for (int i = 0; i < 20; ++i) etcd.put("/a/k", std::to_string(i));
        options.auth = credentials{"root", "secret"};
    }
    const fake_backup older;
};

}  // namespace

TEST_CASE("fake etcd: an event that is kept from a watch is found missing, and what it said is loaded", "[fake_etcd]") {
    for (const std::size_t messages : {1u, 1000u}) {
        INFO(messages << " messages are dropped");
        fake_scene s;
        s.etcd.put("/a/k", "1");
        s.etcd.put("/a/gone", "1");
        std::string told;
        bool live_then = false, live_and_old = false;
        status after;
        snapshot found;
        s.play([&](client& c) -> asio::awaitable<void> {
            const auto schema = std::make_shared<prefix_schema>("/a");
            config_manager config(s.world.get_executor(), schema, etcd_source(c));
            co_await config.start();
            s.etcd.drop_events(messages);
            s.etcd.put("/a/k", "2");
            if (messages > 1) s.etcd.erase(key_range::key("/a/gone"));
            const auto began = s.world.now();
            co_await s.world.sleep(100ms);
            told = config.current().get<std::string>("k").value();
            live_then = config.status().state == config_state::live;
            while (s.world.now() < began + 2min) {
                co_await s.world.sleep(100ms);
                const bool old = config.current().get<std::string>("k").value() == "1";
                const bool live = config.status().state == config_state::live;
                live_and_old = live_and_old || (old && live && s.world.now() > began + s.options.max_staleness);
            }
            after = config.status();
            found = config.current();
            co_await config.stop();
        });
        CHECK(told == "1");
        CHECK(live_then);
        CHECK_FALSE(live_and_old);
        CHECK(found.get<std::string>("k").value() == "2");
        CHECK(found.get_or("gone", std::string("none")) == (messages > 1 ? "none" : "1"));
        CHECK(after.state == config_state::live);
        CHECK(after.revision == s.etcd.revision());
        // Another stream brings the one that was lost; where none brings anything all is loaded again.
        CHECK(after.repairs == (messages > 1 ? 1 : 0));
    }
}

TEST_CASE("fake etcd: an event that comes twice is told once", "[fake_etcd]") {
    fake_scene s;
    std::vector<revision_t> seen, written;
    std::vector<std::string> updates;
    s.play([&](client& c) -> asio::awaitable<void> {
        watch_options from;
        from.start_revision = s.etcd.revision() + 1;
        watcher w(c, key_range::prefix("/a/"), from);
        mirror m(c, key_range::prefix("/a/"));
        mirror_step step = co_await next_of(m, kind::connected);
        s.etcd.double_events(4);
        for (int i = 0; i < 6; ++i) {
            written.push_back(s.etcd.put("/a/k", std::to_string(i)));
            const watch_batch batch = co_await w.next();
            for (const event& e : batch.events) seen.push_back(e.kv.mod_revision);
            step = co_await next_of(m, kind::update);
            updates.push_back(shown(step.events));
        }
    });
    CHECK(seen == written);
    CHECK(updates == std::vector<std::string>{"/a/k=0", "/a/k=1", "/a/k=2", "/a/k=3", "/a/k=4", "/a/k=5"});
}

TEST_CASE("fake etcd: a store that went back, or is another one, is told as that, and the content is right", "[fake_etcd]") {
    struct {
        const char* name;
        std::function<void(fake_etcd&, const fake_backup&)> happen;
        std::string leads;      // from the old content to the new one
        bool other_cluster;
    } const ways[] = {
        {"restored", [](fake_etcd& e, const fake_backup& older) { e.restore(older); }, "/a/k=1 -/a/new", false},
        {"restored as another", [](fake_etcd& e, const fake_backup& older) { e.restore_as_another(older); }, "/a/k=1 -/a/new", true},
        {"replaced", [](fake_etcd& e, const fake_backup&) { e.replace(); }, "-/a/k -/a/new", true},
    };
    for (const auto& way : ways) {
        INFO(way.name);
        fake_scene s;
        s.etcd.put("/a/k", "1");
        const fake_backup older = s.etcd.backup();
        const revision_t revision_then = s.etcd.revision();
        for (int i = 0; i < 10; ++i) s.etcd.put("/a/k", "2");
        s.etcd.put("/a/new", "x");
        mirror_step before, lost, next;
        std::uint64_t member_before = 0, member_after = 0;
        s.play([&](client& c) -> asio::awaitable<void> {
            mirror m(c, key_range::prefix("/a/"));
            before = co_await next_of(m, kind::connected);
            maintenance care(c);
            status_response of = co_await care.status();
            member_before = of.header.member_id;
            way.happen(s.etcd, older);
            lost = co_await next_of(m, kind::resync);
            of = co_await care.status();
            member_after = of.header.member_id;
            s.etcd.put("/a/k", "3");
            next = co_await next_of(m, kind::update);
        });
        CHECK(lost.why == mirror_step::reason::store_replaced);
        CHECK(shown(lost.events) == way.leads);
        CHECK(lost.revision == (std::string_view(way.name) == "replaced" ? 1 : revision_then));
        CHECK((lost.cluster_id != before.cluster_id) == way.other_cluster);
        CHECK((member_after != member_before) == way.other_cluster);
        CHECK(shown(next.events) == "/a/k=3");
        CHECK(s.times_logged("store_replaced") == 1);
    }
}

TEST_CASE("fake etcd: a manager follows a store that went back", "[fake_etcd]") {
    fake_scene s;
    s.etcd.put("/a/k", "old");
    const fake_backup older = s.etcd.backup();
    s.etcd.put("/a/k", "new");
    std::string value;
    status now;
    s.play([&](client& c) -> asio::awaitable<void> {
        const auto schema = std::make_shared<prefix_schema>("/a");
        config_manager config(s.world.get_executor(), schema, etcd_source(c));
        co_await config.start();
        s.etcd.restore(older);
        co_await s.world.sleep(30s);
        value = config.current().get<std::string>("k").value();
        now = config.status();
        co_await config.stop();
    });
    CHECK(value == "old");
    CHECK(now.state == config_state::live);
    CHECK(now.resyncs == 1);
    CHECK(now.revision == s.etcd.revision());
}

TEST_CASE("fake etcd: users come and go with what is restored, and those of another cluster with nothing", "[fake_etcd]") {
    fake_scene s(closed());
    const fake_backup before = s.etcd.backup();
    s.etcd.add_user("late", "two");
    s.options.auth = credentials{"late", "two"};
    std::vector<std::string> seen;
    const auto write = [&] {
        s.play([&](client& c) -> asio::awaitable<void> {
            kv store(c);
            auto done = co_await store.put("/k", "1", {}, as_outcome);
            seen.push_back(done.executed() ? "executed" : done.error().code.message());
        });
    };
    write();
    s.etcd.restore(before);
    write();
    s.etcd.replace();
    write();
    CHECK(seen == std::vector<std::string>{"executed", make_error_code(server_errc::auth_failed).message(), "executed"});
    CHECK(s.etcd.revision() == 2);
}

TEST_CASE("fake etcd: a watch of what is compacted is told so, and a mirror loads it again", "[fake_etcd]") {
    fake_scene s;
    for (const char* value : {"1", "2", "3"}) s.etcd.put("/a/k", value);
    s.etcd.compact(4);
    error_code lost;
    mirror_step again;
    s.play([&](client& c) -> asio::awaitable<void> {
        watch_options from;
        from.start_revision = 2;
        watcher late(c, key_range::prefix("/a/"), from);
        auto [ec, batch] = co_await late.next(tupled);
        lost = ec;
        mirror m(c, key_range::prefix("/a/"));
        again = co_await next_of(m, kind::connected);
        s.etcd.stop();
        s.etcd.put("/a/k", "4");
        const revision_t newest = s.etcd.put("/a/k", "5");
        s.etcd.compact(newest);
        s.etcd.start();
        again = co_await next_of(m, kind::resync);
    });
    CHECK(lost == errc::history_lost);
    CHECK(again.why == mirror_step::reason::compacted);
    CHECK(shown(again.events) == "/a/k=5");
}

TEST_CASE("fake etcd: a deletion that an older etcd has forgotten is missed by nobody", "[fake_etcd]") {
    for (const char* version : {"3.4.23", "3.5.30"})
        for (const bool more : {false, true}) {
            INFO(version << (more ? ", more happens" : ""));
            fake_etcd_options old;
            old.version = version;
            fake_scene s(old);
            s.etcd.put("/a/k", "1");
            error_code told;
            mirror_step found;
            std::chrono::steady_clock::duration took{};
            s.play([&](client& c) -> asio::awaitable<void> {
                watch_options from;
                from.start_revision = s.etcd.revision() + 1;
                watcher w(c, key_range::prefix("/a/"), from);
                mirror m(c, key_range::prefix("/a/"));
                found = co_await next_of(m, kind::connected);
                s.etcd.stop();
                s.etcd.erase(key_range::key("/a/k"));
                s.etcd.compact(s.etcd.revision());
                s.etcd.start();
                const auto began = s.world.now();
                if (more) s.etcd.put("/a/other", "1");
                found = co_await next_of(m, kind::resync);
                took = s.world.now() - began;
                auto [ec, batch] = co_await w.next(tupled);
                told = ec;
            });
            CHECK(told == errc::history_lost);
            CHECK(found.why == mirror_step::reason::compacted);
            CHECK(shown(found.events).find("-/a/k") != std::string::npos);
            CHECK(took < 10s);
        }
}

TEST_CASE("fake etcd: a client gets over a store that has gone back behind its token's place in the log", "[fake_etcd]") {
    scene_with_a_past s;
    std::chrono::milliseconds limit = s.options.total_timeout;
    SECTION("by calls") {}
    SECTION("by calls with little time") { limit = 500ms; }
    int refused = 0;
    s.play([&](client& c) -> asio::awaitable<void> {
        const kv whole(c);
        kv store = whole.with_timeout(limit);
        co_await store.put("/a/k", "before");
        s.etcd.restore(s.older);
        for (; refused < 10; ++refused) {
            auto [failed, done] = co_await store.get("/a/k", {}, tupled);
            if (!failed) break;
            co_await s.world.sleep(1s);
        }
    });
    CHECK(refused < 10);
    CHECK(s.times_logged("token_held_up") == 1);
}

TEST_CASE("fake etcd: a watch gets over a store that has gone back behind its token's place in the log", "[fake_etcd]") {
    scene_with_a_past s;
    std::string value;
    s.play([&](client& c) -> asio::awaitable<void> {
        const auto schema = std::make_shared<prefix_schema>("/a");
        config_manager config(s.world.get_executor(), schema, etcd_source(c));
        co_await config.start();
        s.etcd.restore(s.older);
        co_await s.world.sleep(30s);
        s.etcd.put("/a/k", "after");
        co_await s.world.sleep(30s);
        value = config.current().get<std::string>("k").value();
        co_await config.stop();
    });
    CHECK(value == "after");
}
