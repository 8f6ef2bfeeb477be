// What can befall the members of a fake etcd, as a client sees it.

#include "simulation/fake_scene.hpp"

#include <functional>

using namespace dynconf;
using namespace dynconf::simulation_test;

namespace {

// A client of one member alone, which gives up before that member does.
client_options only(const fake_scene& s, std::size_t member) {
    client_options o = s.options;
    o.endpoints = {s.etcd.url(member)};
    o.max_rounds = 1;
    o.request_timeout = o.total_timeout = 10s;
    return o;
}

}  // namespace

TEST_CASE("fake etcd: a member that is cut off serves its own past and refuses the rest, until it is back", "[fake_etcd]") {
    fake_scene s(three_members());
    s.etcd.put("/k", "old");
    s.etcd.isolate(2);
    s.etcd.put("/k", "new");
    std::string others, own;
    error_code read;
    bool written = false, back = false;
    s.play([&](client& c) -> asio::awaitable<void> {
        kv store(c);
        std::optional<key_value> got = co_await store.get("/k");
        others = got->value;
        client alone(s.world.get_executor(), only(s, 2));
        kv there(alone);
        range_options past;
        past.read = consistency::serializable;
        got = co_await there.get("/k", past);
        own = got->value;
        auto [ec, none] = co_await there.get("/k", {}, tupled);
        read = ec;
        auto done = co_await there.put("/k", "lost", {}, as_outcome);
        written = done.executed();
        s.etcd.reconnect(2);
        got = co_await there.get("/k");
        back = got->value == "new";
    });
    CHECK(others == "new");
    CHECK(own == "old");
    CHECK(read == server_errc::no_leader);
    CHECK_FALSE(written);
    CHECK(back);
}

TEST_CASE("fake etcd: a watch leaves a member that is cut off", "[fake_etcd]") {
    fake_scene s(three_members());
    revision_t ours = 0, seen = 0;
    s.play([&](client& c) -> asio::awaitable<void> {
        mirror m(c, key_range::prefix("/a/"));
        mirror_step step = co_await next_of(m, mirror_step::kind::connected);
        std::size_t serves = 0;
        while (s.etcd.url(serves) != step.endpoint) ++serves;
        s.etcd.isolate(serves);
        ours = s.etcd.put("/a/k", "1");
        step = co_await next_of(m, mirror_step::kind::update);
        seen = step.revision;
        s.etcd.reconnect(serves);
    });
    CHECK(seen == ours);
}

TEST_CASE("fake etcd: a member that lags shows its past, and has it behind when it has caught up", "[fake_etcd]") {
    fake_scene s(three_members());
    s.etcd.put("/k", "old");
    s.etcd.hold_back(1);
    s.etcd.put("/k", "new");
    std::string past, now;
    error_code read;
    s.play([&](client&) -> asio::awaitable<void> {
        client alone(s.world.get_executor(), only(s, 1));
        kv there(alone);
        range_options own;
        own.read = consistency::serializable;
        std::optional<key_value> got = co_await there.get("/k", own);
        past = got->value;
        auto [ec, none] = co_await there.get("/k", {}, tupled);
        read = ec;
        s.etcd.catch_up(1);
        got = co_await there.get("/k");
        now = got->value;
    });
    CHECK(past == "old");
    CHECK(read == server_errc::timeout_applied_index);
    CHECK(now == "new");
}

TEST_CASE("fake etcd: watches that are told no progress resume where they last heard something", "[fake_etcd]") {
    for (const bool frozen : {false, true}) {
        INFO((frozen ? "no progress" : "progress"));
        fake_etcd_options often;
        often.progress_notify_interval = 1s;
        fake_scene s(often);
        error_code failed;
        s.play([&](client& c) -> asio::awaitable<void> {
            if (frozen) s.etcd.freeze_progress(true);
            watch_options from;
            from.start_revision = s.etcd.revision() + 1;
            from.progress_notify = true;
            watcher w(c, key_range::prefix("/a/"), from);
            const revision_t first = s.etcd.put("/a/k", "1");
            watch_batch batch = co_await w.next();
            CHECK(batch.revision == first);
            bool ended = false;
            w.next([&](error_code ec, const watch_batch&) {
                failed = ec;
                ended = true;
            });
            revision_t newest = 0;
            for (int i = 0; i < 5; ++i) newest = s.etcd.put("/b/k", "foreign");
            co_await s.world.sleep(5s);
            s.etcd.compact(newest);
            s.etcd.cut_connections();
            co_await s.world.sleep(5s);
            if (!ended) s.etcd.put("/a/k", "2");
            co_await s.world.sleep(5s);
            CHECK(ended);
        });
        CHECK(failed == (frozen ? make_error_code(errc::history_lost) : error_code()));
    }
}

TEST_CASE("fake etcd: without a leader nothing is read or written, until one is elected", "[fake_etcd]") {
    fake_scene s(three_members());
    s.etcd.put("/k", "1");
    error_code read;
    write_state wrote = write_state::executed, then = write_state::unknown;
    std::uint64_t leader_before = 0, leader_without = 1, leader_after = 0, member_two = 0;
    s.play([&](client& c) -> asio::awaitable<void> {
        maintenance care(c);
        status_response of = co_await care.status();
        leader_before = of.leader;
        watcher w(c, key_range::prefix("/k"));
        bool told = false;
        w.next([&](error_code ec, const watch_batch&) { told = !ec; });
        co_await s.world.sleep(1s);
        const std::size_t streams = s.etcd.requests("/v3/watch");
        s.etcd.lose_leader();
        co_await s.world.sleep(1s);
        CHECK(s.etcd.open_streams() == 0);   // the watch asked for a leader
        of = co_await care.status();
        leader_without = of.leader;
        kv store(c);
        auto [ec, none] = co_await store.get("/k", {}, tupled);
        read = ec;
        auto done = co_await store.put("/k", "2", {}, as_outcome);
        wrote = done.state();
        s.etcd.elect(1);
        co_await s.world.sleep(60s);
        done = co_await store.put("/k", "3", {}, as_outcome);
        then = done.state();
        client alone(s.world.get_executor(), only(s, 1));
        maintenance there(alone);
        of = co_await there.status();
        leader_after = of.leader;
        member_two = of.header.member_id;
        co_await s.world.sleep(1s);
        CHECK(told);
        CHECK(s.etcd.requests("/v3/watch") > streams);
    });
    CHECK(leader_before != 0);
    CHECK(leader_without == 0);
    CHECK((read == server_errc::no_leader || read == server_errc::timeout || read == errc::no_endpoint_available || read == errc::deadline_exceeded));
    CHECK(wrote != write_state::executed);
    CHECK(then == write_state::executed);
    CHECK(leader_after == member_two);
}

TEST_CASE("fake etcd: without a majority nothing is written, and with it again the next member leads", "[fake_etcd]") {
    struct { const char* name; std::function<void(fake_etcd&, std::size_t)> go, come; } const ways[] = {
        {"stopped", [](fake_etcd& e, std::size_t m) { e.stop(m); }, [](fake_etcd& e, std::size_t m) { e.start(m); }},
        {"paused", [](fake_etcd& e, std::size_t m) { e.pause(true, m); }, [](fake_etcd& e, std::size_t m) { e.pause(false, m); }},
        {"cut off", [](fake_etcd& e, std::size_t m) { e.isolate(m); }, [](fake_etcd& e, std::size_t m) { e.reconnect(m); }},
    };
    for (const auto& way : ways) {
        INFO(way.name);
        fake_scene s(three_members());
        std::vector<std::uint64_t> leaders;
        std::vector<write_state> wrote;
        std::chrono::steady_clock::duration waited{};
        s.play([&](client&) -> asio::awaitable<void> {
            client third(s.world.get_executor(), only(s, 2));
            kv store(third);
            maintenance care(third);
            const auto note = [&](std::uint64_t leader) {
                if (leaders.empty() || leaders.back() != leader) leaders.push_back(leader);
            };
            status_response of = co_await care.status();
            note(of.leader);
            way.go(s.etcd, 0);   // the leader
            const auto began = s.world.now();
            auto done = co_await store.put("/k", "1", {}, as_outcome);
            waited = s.world.now() - began;
            wrote.push_back(done.state());
            of = co_await care.status();
            note(of.leader);
            way.go(s.etcd, 1);   // and who followed it
            of = co_await care.status();
            note(of.leader);
            done = co_await store.put("/k", "2", {}, as_outcome);
            wrote.push_back(done.state());
            CHECK(s.etcd.get("/k")->value == "1");
            way.come(s.etcd, 0);
            co_await s.world.sleep(3s);
            done = co_await store.put("/k", "3", {}, as_outcome);
            wrote.push_back(done.state());
            of = co_await care.status();
            note(of.leader);
        });
        // The first, the second, nobody, and the third.
        CHECK(leaders.size() == 4);
        CHECK(leaders.at(2) == 0);
        CHECK(wrote.at(0) == write_state::executed);
        CHECK(waited >= 1s);
        CHECK(waited <= 2s);
        CHECK(wrote.at(1) != write_state::executed);
        CHECK(wrote.at(2) == write_state::executed);
        CHECK(s.etcd.get("/k")->value == "3");
    }
}
