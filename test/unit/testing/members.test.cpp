#include "support/catch.hpp"
#include "unit/testing/member_scene.hpp"

using namespace dynconf;
using namespace dynconf::test;

namespace {

// Three members of one cluster, the first of them its leader.
struct three {
    std::shared_ptr<cluster> all = [] {
        cluster_options o;
        o.members = 3;
        return std::make_shared<cluster>(o);
    }();
    gateway a{all, all->members()[0].id}, b{all, all->members()[1].id}, c{all, all->members()[2].id};
};

}  // namespace

TEST_CASE("members: share keys, watches and leases, and name themselves") {
    three m;
    const auto watch = watch_of(m.c, "k");
    int changes = 0;
    m.c.on_change = [&] { ++changes; };
    answer_of(m.a, put_of("k", "v"));
    CHECK(changes == 1);
    CHECK(told(*watch) == revisions{2});
    const json read = json_of(m.b, range_of("k"));
    CHECK(value_of(read) == "v");
    CHECK(read["header"]["member_id"] == std::to_string(m.b.id()));
    CHECK(json_of(m.b, ask("/v3/maintenance/status"))["leader"] == std::to_string(m.a.id()));
    CHECK(json_of(m.a, ask("/v3/cluster/member/list"))["members"].size() == 3);
}

TEST_CASE("members: one that is cut off reads old, refuses the rest, and catches up") {
    three m;
    answer_of(m.a, put_of("k", "old"));
    const auto strict = watch_of(m.c, "k", {}, true), plain = watch_of(m.c, "k");
    m.c.isolate();
    answer_of(m.a, put_of("k", "new"));
    CHECK(value_of(json_of(m.c, range_of("k", true))) == "old");
    CHECK(value_of(json_of(m.a, range_of("k", true))) == "new");
    const reply read = answer_of(m.c, range_of("k"));
    CHECK(read.status == 503);
    CHECK(read.delay == 7s);
    const reply written = answer_of(m.c, put_of("k", "lost"));
    CHECK(written.status == 504);
    CHECK(m.all->store().revision() == 3);
    request strict_read = range_of("k");
    strict_read.require_leader = true;
    CHECK(answer_of(m.c, strict_read).delay == 0s);
    CHECK(answer_of(m.c, strict_read).body.find("no leader") != std::string::npos);
    CHECK_FALSE(json_of(m.c, ask("/v3/maintenance/status")).contains("leader"));

    const auto lines = strict->take({});
    CHECK(strict->ended());
    CHECK(lines.back().find("no leader") != std::string::npos);
    CHECK(told(*plain).empty());
    m.c.reconnect();
    CHECK(told(*plain) == revisions{3});
    CHECK(value_of(json_of(m.c, range_of("k"))) == "new");
}

TEST_CASE("members: one that lags behind commits what it is told, but cannot say so") {
    three m;
    answer_of(m.a, put_of("k", "1"));
    m.b.hold_back();
    answer_of(m.a, put_of("k", "2"));
    const auto watch = watch_of(m.b, "k", {{"start_revision", 2}});
    CHECK(told(*watch) == revisions{2});
    CHECK(json_of(m.b, range_of("k", true))["header"]["revision"] == "2");
    CHECK(answer_of(m.b, ask("/v3/kv/range", {{"key", "aw=="}, {"revision", 3}, {"serializable", true}})).body.find("future revision")
        != std::string::npos);
    const json serializable = {{"request_range", {{"key", "aw=="}, {"serializable", true}}}};
    CHECK(value_of(json_of(m.b, ask("/v3/kv/txn", {{"success", json::array({serializable})}}))["responses"][0]["response_range"]) == "1");
    const reply late = answer_of(m.b, put_of("k", "3"));
    CHECK(late.status == 503);
    CHECK(late.body.find("applied index") != std::string::npos);
    CHECK(m.all->store().revision() == 4);
    CHECK(told(*watch).empty());
    m.b.catch_up();
    CHECK(told(*watch) == revisions{3, 4});
}

TEST_CASE("members: without a leader anywhere nothing is written, and leases do not end") {
    three m;
    answer_of(m.a, ask("/v3/lease/grant", {{"ID", 9}, {"TTL", 5}}));
    const auto strict = watch_of(m.b, "k", {}, true);
    m.all->lose_leader();
    told(*strict);
    CHECK(strict->ended());
    CHECK(answer_of(m.a, put_of("k", "v"), time_point() + 1s).status == 504);
    m.a.advance(time_point() + 60s);
    CHECK_FALSE(m.a.next_due());
    CHECK(m.all->store().find_lease(9));
    // The new leader gives every lease its time again.
    m.all->elect(m.b.id(), time_point() + 60s);
    m.a.advance(time_point() + 65s);
    CHECK(m.all->store().find_lease(9));
    m.a.advance(time_point() + 67s);
    CHECK_FALSE(m.all->store().find_lease(9));
    CHECK(json_of(m.c, ask("/v3/maintenance/status"))["raftTerm"] == "3");
}

TEST_CASE("members: a restored backup takes revisions back, and can be another cluster") {
    gateway g;
    answer_of(g, put_of("k", "1"));
    g.cluster().raise({g.id(), alarm_type::corrupt});
    const cluster_backup backup = g.cluster().back_up();
    answer_of(g, put_of("k", "2"));
    answer_of(g, put_of("k", "3"));
    const auto watch = watch_of(g, "k");
    told(*watch);
    g.cluster().disarm({g.id(), alarm_type::corrupt});
    const auto before = g.id();
    g.cluster().restore(backup, 77);
    CHECK(watch->ended());
    CHECK(g.id() != before);
    CHECK(json_of(g, ask("/v3/maintenance/status"))["leader"] == std::to_string(g.id()));
    CHECK(g.cluster().alarms().at(0).member == g.id());
    const json read = json_of(g, range_of("k"));
    CHECK(read["header"]["revision"] == "2");
    CHECK(read["header"]["cluster_id"] == "77");
    CHECK(value_of(read) == "1");
    answer_of(g, put_of("k", "other"));
    CHECK(told(*watch_of(g, "k", {{"start_revision", 1}})) == revisions{2, 3});
    CHECK(backup.store.revision() == 2);
}

TEST_CASE("members: another cluster in their place has nothing of the first") {
    three m;
    answer_of(m.a, put_of("k", "1"));
    answer_of(m.a, ask("/v3/lease/grant", {{"ID", 9}, {"TTL", 5}}));
    m.all->auth().add_user("root", "r", false);
    m.all->auth().add_role("root");
    m.all->auth().grant_role("root", "root");
    m.all->auth().enable();
    m.all->raise({m.b.id(), alarm_type::nospace});
    const std::vector<std::uint64_t> before{m.a.id(), m.b.id(), m.c.id()};
    m.all->replace(5);
    CHECK(m.all->store().revision() == 1);
    CHECK(m.all->store().leases().empty());
    CHECK_FALSE(m.all->auth().enabled());
    CHECK(m.all->auth().users().empty());
    CHECK(m.all->alarms().empty());
    const json header = json_of(m.c, range_of("k"))["header"];
    CHECK(header["cluster_id"] == "5");
    CHECK(header["raft_term"] == "2");
    for (const std::uint64_t id : {m.a.id(), m.b.id(), m.c.id()}) {
        CHECK(std::find(before.begin(), before.end(), id) == before.end());
        CHECK(m.all->find_member(id));
    }
    CHECK(m.all->leader() == m.a.id());
}

TEST_CASE("members: a 3.4 that forgets deletions at a compaction does so in any cluster that it is of") {
    for (const char* version : {"3.4.23", "3.5.30"}) {
        INFO(version);
        gateway_options options;
        options.server_version = version;
        gateway g(std::make_shared<cluster>(), 0, options);
        for (const bool replaced : {false, true}) {
            if (replaced) g.cluster().replace(3);
            answer_of(g, put_of("k", "1"));
            answer_of(g, ask("/v3/kv/deleterange", {{"key", wire::to_base64("k")}}));
            answer_of(g, ask("/v3/kv/compaction", {{"revision", 3}}));
            const bool kept = told(*watch_of(g, "k", {{"start_revision", 3}})) == revisions{3};
            CHECK(kept == (std::string_view(version) != "3.4.23"));
        }
    }
}

TEST_CASE("members: progress is told while nothing happens, unless it is frozen") {
    gateway_options options;
    options.progress_notify_interval = 10s;
    gateway g(options);
    const auto watch = watch_of(g, "k", {{"progress_notify", true}});
    answer_of(g, put_of("other", "1"));
    CHECK(told(*watch).empty());
    CHECK(g.next_due() == time_point() + 10s);
    g.advance(time_point() + 10s);
    CHECK(told(*watch) == revisions{-2});
    answer_of(g, put_of("k", "1"), time_point() + 11s);
    g.advance(time_point() + 20s);
    CHECK(told(*watch) == revisions{3});   // an event takes its place
    g.advance(time_point() + 30s);
    CHECK(told(*watch) == revisions{-3});
    g.freeze_progress(true);
    g.advance(time_point() + 60s);
    CHECK(told(*watch).empty());
}

TEST_CASE("members: events that were told are not lost to a compaction") {
    gateway g;
    const auto watch = watch_of(g, "k", {{"prev_kv", true}});
    for (const char* value : {"1", "2", "3"}) answer_of(g, put_of("k", value));
    answer_of(g, ask("/v3/kv/compaction", {{"revision", 4}}));
    CHECK(told(*watch) == revisions{2, 3, 4});
}

TEST_CASE("members: history comes a thousand revisions at a time") {
    gateway g;
    for (int i = 0; i < 2500; ++i) answer_of(g, put_of("k", std::to_string(i)));
    const auto watch = watch_of(g, "k", {{"start_revision", 1}});
    std::vector<std::size_t> sizes;
    for (const std::string& line : watch->take({})) sizes.push_back(json::parse(line)["result"].value("events", json::array()).size());
    CHECK(sizes == std::vector<std::size_t>{0, 1000, 1000, 500});
}

TEST_CASE("members: a token is renewed where it is used, and only there") {
    three m;
    const auto user = [&](const char* path, const json& body) { CHECK(answer_of(m.a, ask(path, body)).status == 200); };
    user("/v3/auth/user/add", {{"name", "root"}, {"password", "r"}});
    user("/v3/auth/user/grant", {{"user", "root"}, {"role", "root"}});
    user("/v3/auth/enable", json::object());
    request read = range_of("k");
    read.token = json_of(m.a, ask("/v3/auth/authenticate", {{"name", "root"}, {"password", "r"}}))["token"];
    const auto at = [&](gateway& g, std::chrono::seconds t) { return answer_of(g, read, time_point() + t).status; };
    CHECK(at(m.a, 200s) == 200);
    CHECK(at(m.a, 400s) == 200);
    CHECK(at(m.b, 400s) == 401);
    CHECK(at(m.a, 699s) == 200);
    CHECK(at(m.a, 1000s) == 401);
    // One of a log that this cluster does not have yet is waited for.
    read.token = "abcdefghijklmnop.100000";
    CHECK(answer_of(m.a, read).lost);
}

TEST_CASE("members: a JWT is as old as the users it was made of") {
    gateway_options options;
    options.tokens = token_kind::jwt;
    gateway g(options);
    auth_store& auth = g.cluster().auth();
    auth.add_user("root", "r", false);
    auth.grant_role("root", "root");
    auth.enable();
    request read = range_of("k");
    const auto log_in = [&] { read.token = json_of(g, ask("/v3/auth/authenticate", {{"name", "root"}, {"password", "r"}}))["token"]; };
    log_in();
    CHECK(answer_of(g, read).status == 200);
    auth.add_role("any");
    CHECK(answer_of(g, read).body.find("revision of auth store is old") != std::string::npos);
    log_in();
    CHECK(answer_of(g, read, time_point() + 299s).status == 200);
    CHECK(answer_of(g, read, time_point() + 300s).status == 401);
}

TEST_CASE("members: a learner serves nothing but its own copy") {
    three m;
    const member_info learner = m.all->add_member({"http://127.0.0.1:9999"}, true);
    m.all->member(learner.id).name = "n3";
    gateway g(m.all, learner.id);
    answer_of(m.a, put_of("k", "v"));
    CHECK(answer_of(g, range_of("k")).body.find("not supported for learner") != std::string::npos);
    CHECK(value_of(json_of(g, range_of("k", true))) == "v");
    CHECK(json_of(g, ask("/v3/maintenance/status"))["isLearner"] == true);
    CHECK(std::get<reply>(g.handle(ask("/v3/watch", {{"create_request", {{"key", "aw=="}}}}), {})).status == 503);
    m.all->promote_member(learner.id);
    CHECK(answer_of(g, range_of("k")).status == 200);
    m.all->remove_member(learner.id);
    CHECK(answer_of(g, range_of("k")).body.find("server stopped") != std::string::npos);
}

TEST_CASE("members: a database that grows too full says so until it is told otherwise") {
    gateway g;
    g.cluster().store().set_quota(100'000);
    int written = 0;
    while (answer_of(g, put_of("k", std::string(1000, 'x'))).status == 200) ++written;
    CHECK(written > 50);
    CHECK(g.cluster().is_full());
    answer_of(g, ask("/v3/kv/compaction", {{"revision", g.cluster().store().revision()}}));
    answer_of(g, ask("/v3/maintenance/defragment"));
    CHECK(answer_of(g, put_of("k", "v")).status == 429);
    CHECK(g.cluster().disarm({g.id(), alarm_type::nospace}));
    CHECK(answer_of(g, put_of("k", "v")).status == 200);
}

TEST_CASE("members: the same requests give the same answers, byte for byte") {
    const auto run = [] {
        three m;
        std::string all;
        for (int i = 0; i < 50; ++i) all += answer_of(i % 2 == 0 ? m.a : m.b, put_of("k" + std::to_string(i % 7), "v")).body;
        all += answer_of(m.c, ask("/v3/lease/grant", {{"TTL", 5}})).body;
        all += answer_of(m.c, ask("/v3/maintenance/hash")).body;
        return all + answer_of(m.c, ask("/v3/maintenance/status")).body;
    };
    CHECK(run() == run());
}
