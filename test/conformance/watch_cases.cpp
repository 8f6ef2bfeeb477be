#include "conformance/session.hpp"

#include <algorithm>

namespace dynconf::test {
namespace {

void leases(target& t) {
    session s(t);
    CHECK(s.ask("/v3/lease/grant", {{"ID", 11}, {"TTL", 600}})["TTL"] == "600");
    CHECK(s.refused("/v3/lease/grant", {{"ID", 11}, {"TTL", 600}}) == "etcdserver: lease already exists");
    CHECK(s.refused("/v3/lease/grant", {{"TTL", 9'000'000'001}}) == "etcdserver: too large lease TTL");
    for (const int ttl : {0, 1, -5, 3}) s.ask("/v3/lease/grant", {{"ID", 20 + ttl}, {"TTL", ttl}});
    s.ask("/v3/lease/grant", {{"ID", -4}, {"TTL", 600}});
    s.put("b", "1", {{"lease", 11}});
    s.put("a", "1", {{"lease", 11}});
    s.put("c", "1", {{"lease", 11}});
    s.put("d", "1", {{"lease", 11}});
    s.ask("/v3/lease/timetolive", {{"ID", 11}, {"keys", true}});
    s.ask("/v3/lease/timetolive", {{"ID", 11}});
    s.ask("/v3/kv/lease/timetolive", {{"ID", -4}, {"keys", true}});
    CHECK(s.ask("/v3/lease/timetolive", {{"ID", 99}})["TTL"] == "-1");
    // A put without the lease takes the key off it, a deletion too; ignore_lease keeps it.
    s.put("c", "2");
    s.erase("d");
    s.ask("/v3/kv/put", {{"key", b64("a")}, {"value", b64("2")}, {"ignore_lease", true}});
    s.ask("/v3/kv/put", {{"key", b64("b")}, {"ignore_value", true}, {"lease", 11}});
    json attached = s.ask("/v3/lease/timetolive", {{"ID", 11}, {"keys", true}});
    forget_chance(attached);
    CHECK(attached["keys"] == json::array({b64("a"), b64("b")}));
    s.ask("/v3/lease/keepalive", {{"ID", 11}});
    s.ask("/v3/lease/keepalive", {{"ID", 99}});
    // Several in one body, one line each.
    const target_answer several = s.on().call("/v3/lease/keepalive", R"({"ID":"11"}{"ID":99} {"ID":-4})");
    CHECK(several.status == 200);
    CHECK(std::count(several.body.begin(), several.body.end(), '\n') == 3);
    s.put("e", "1", {{"lease", -4}});

    // The keys of a revoked lease go in one revision, in order.
    const auto watch = s.on().open("/v3/watch", json{{"create_request", key_range_of(everything, everything)}}.dump());
    watch->next();
    s.ask("/v3/lease/revoke", {{"ID", 11}});
    const auto line = watch->next();
    REQUIRE(line);
    const json events = json::parse(*line)["result"]["events"];
    REQUIRE(events.size() == 2);
    CHECK(events[0]["kv"]["key"] == b64("a"));
    CHECK(events[0]["kv"]["mod_revision"] == events[1]["kv"]["mod_revision"]);
    CHECK(s.refused("/v3/lease/revoke", {{"ID", 11}}) == "etcdserver: requested lease not found");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}, {"lease", 11}}) == "etcdserver: requested lease not found");
    s.ask("/v3/kv/lease/revoke", {{"ID", -4}});
    s.range(everything, everything);
}

void lease_expiry(target& t) {
    session s(t);
    s.ask("/v3/lease/grant", {{"ID", 5}, {"TTL", 2}});
    s.put("x", "1", {{"lease", 5}});
    const auto watch = s.on().open("/v3/watch", json{{"create_request", {{"key", b64("x")}}}}.dump());
    watch->next();
    std::optional<std::string> line;
    CHECK(s.on().wait([&] { return (line = watch->next()).has_value(); }, std::chrono::seconds(30)));
    REQUIRE(line);
    CHECK(json::parse(*line)["result"]["events"][0]["type"] == "DELETE");
    CHECK(s.ask("/v3/lease/timetolive", {{"ID", 5}})["TTL"] == "-1");
    CHECK_FALSE(s.ask("/v3/lease/keepalive", {{"ID", 5}})["result"].contains("TTL"));
    CHECK_FALSE(s.ask("/v3/lease/leases", json::object()).contains("leases"));
}

void watches(target& t) {
    session s(t);
    const auto read = [&](const json& request, int lines) {
        const auto watch = s.on().open("/v3/watch", request.dump());
        for (int i = 0; i < lines; ++i) CHECK(watch->next());
    };
    s.put("a", "1");
    s.put("a", "2");
    s.put("b", "1");
    s.erase("a");
    s.ask("/v3/kv/txn", {{"success", {op_put("c", "1"), op_delete("b"), op_put("a", "3")}}});
    read(create("a", {}, {{"start_revision", 1}}), 2);
    read(create("a", {}, {{"start_revision", 3}, {"prev_kv", true}}), 2);
    read(create(everything, everything, {{"start_revision", 2}, {"prev_kv", true}}), 2);
    read(create(everything, everything, {{"start_revision", 2}, {"filters", {"NOPUT"}}}), 2);
    read(create(everything, everything, {{"start_revision", 2}, {"filters", {"NODELETE"}}}), 2);
    read(create("b", everything, {{"start_revision", 4}, {"watch_id", 9}}), 2);
    read(create({}, {}, {{"start_revision", 2}}), 1);
    read(create("c", "b"), 1);
    read(create("c", "c"), 1);

    // Alive: one message for each revision.
    const auto live = s.on().open("/v3/watch", create("a", "d").dump());
    live->next();
    const auto later = s.on().open("/v3/watch", create("a", "d", {{"start_revision", 9}, {"prev_kv", true}}).dump());
    later->next();
    s.put("a", "x");
    s.put("zz", "x");
    s.ask("/v3/kv/txn", {{"success", {op_put("c", "2"), op_put("b", "2"), op_delete("a")}}});
    CHECK(live->next());
    const auto batch = live->next();
    REQUIRE(batch);
    CHECK(json::parse(*batch)["result"]["events"].size() == 3);
    CHECK(later->next());

    s.ask("/v3/kv/compaction", {{"revision", 6}, {"physical", true}});
    read(create("a", {}, {{"start_revision", 3}}), 2);
    read(create(everything, everything, {{"start_revision", 7}, {"prev_kv", true}}), 2);
    read(create(everything, everything, {{"start_revision", 6}, {"prev_kv", true}}), 2);
}

void watch_bodies(target& t) {
    session s(t);
    s.put("a", "1");
    const std::string two = create("a", {}, {{"watch_id", 7}}).dump() + create("a", {}, {{"watch_id", 7}}).dump();
    const auto watch = s.on().open("/v3/watch", two + "\n" + create("b").dump() + R"({"cancel_request":{"watch_id":"12"}})");
    for (int i = 0; i < 3; ++i) CHECK(watch->next());
    s.put("b", "1");
    CHECK(watch->next());
    s.put("a", "2");
    CHECK(watch->next());
    const auto cancelled = s.on().open("/v3/watch", create("a").dump() + R"({"cancel_request":{}})");
    CHECK(cancelled->next());
    CHECK(cancelled->next());
    const auto broken = s.on().open("/v3/watch", create("a").dump() + "{{{");
    CHECK(broken->next());
    s.put("a", "3");
    CHECK(broken->next());
}

void progress(target& t) {
    session s(t);
    s.put("a", "1");
    const auto watch = s.on().open("/v3/watch", create("a", {}, {{"progress_notify", true}}).dump());
    const auto silent = s.on().open("/v3/watch", create("a").dump());
    CHECK(watch->next());
    CHECK(silent->next());
    s.put("other", "1");
    s.on().wait([] { return false; }, std::chrono::seconds(3));
    const auto line = watch->next();
    REQUIRE(line);
    const json told = json::parse(*line)["result"];
    CHECK(told["header"]["revision"] == "3");
    CHECK_FALSE(told.contains("events"));
    s.put("a", "2");
    const auto event = silent->next();   // nothing came before
    REQUIRE(event);
    CHECK(json::parse(*event)["result"]["events"].size() == 1);
}

void fragments(target& t) {
    session s(t);
    for (const char* key : {"1", "2", "3", "4"}) s.put(key, std::string(900'000, *key));
    const auto watch = s.on().open("/v3/watch", create(everything, everything, {{"start_revision", 2}, {"fragment", true}}).dump());
    CHECK(watch->next());
    const auto first = watch->next(), second = watch->next();
    REQUIRE((first && second));
    CHECK(json::parse(*first)["result"]["fragment"] == true);
    CHECK(json::parse(*first)["result"]["events"].size() == 2);
    CHECK_FALSE(json::parse(*second)["result"].contains("fragment"));
}

constexpr conformance_case all[] = {{"leases", leases}, {"expiry of a lease", lease_expiry}, {"watches", watches},
    {"bodies of watches", watch_bodies}, {"progress", progress, {.progress_interval = std::chrono::seconds(1)}},
    {"fragments", fragments}};

}  // namespace

std::span<const conformance_case> watch_cases() { return all; }

}  // namespace dynconf::test
