#include "support/catch.hpp"

#include "config/content.hpp"

#include <dynconf/config/declared_schema.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;
using detail::content;
using detail::edit;
using detail::snapshot_access;

namespace {

struct unit_config {
    int port = 0;
    std::string host;
    std::string token;
    std::optional<int> limit;
    std::string region;
};

std::shared_ptr<const schema> closed_schema() {
    auto s = std::make_shared<declared_schema<unit_config>>("/app");
    s->optional("port", &unit_config::port, {.etcd = "Port", .env = "PORT"}, 80, in_range<int>(1, 65535))
        .required("host", &unit_config::host, {.etcd = "Host", .env = "HOST"})
        .optional("token", &unit_config::token, {.etcd = "Token", .env = "TOKEN", .secret = true}, "none",
            one_of({"none", "some"}))
        .optional("limit", &unit_config::limit, {.etcd = "Limit"})
        .optional("region", &unit_config::region, {.env = "REGION"}, "north");
    return s;
}

content made_of(std::shared_ptr<const schema> s) {
    return content(detail::compiled_schema::compile(std::move(s)).value());
}

key_value pair(std::string key, std::string text, revision_t revision) {
    key_value kv;
    kv.key = std::move(key);
    kv.value = std::move(text);
    kv.create_revision = kv.mod_revision = revision;
    return kv;
}

event put(std::string key, std::string text, revision_t revision) {
    event e;
    e.kv = pair(std::move(key), std::move(text), revision);
    return e;
}

event erased(std::string key, revision_t revision) {
    event e;
    e.type = event::kind::erase;
    e.kv.key = std::move(key);
    e.kv.mod_revision = revision;
    return e;
}

const std::vector<key_value> good = {pair("/app/Host", "db1", 3), pair("/app/Port", "81", 4)};

environment_lookup variables(std::map<std::string, std::string> all) {
    return [all = std::move(all)](const std::string& name) -> std::optional<std::string> {
        const auto at = all.find(name);
        if (at == all.end()) return std::nullopt;
        return at->second;
    };
}

/// How many shards of the one are the very shards of the other.
std::size_t shared_shards(const snapshot& a, const snapshot& b) {
    const auto& x = snapshot_access::data(a)->shards;
    const auto& y = snapshot_access::data(b)->shards;
    std::size_t same = 0;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) same += x[i] == y[i] ? 1u : 0u;
    return same;
}

/// Counts what it is asked, to see that each text goes through it once.
struct counting_schema : schema {
    std::string get_config_prefix() const override { return "/c"; }
    name_map build_etcd_key_map() const override { return {{"/c/A", "a"}, {"/c/B", "b"}}; }
    result<value> coerce_config_value(std::string_view name, value raw) const override {
        ++asked[std::string(name)];
        if (raw.is_null()) return value(-1);
        auto n = coercion<int>::from(*raw.if_string());
        if (!n) return error{errc::schema_violation, "no number"};
        return value(*n * 10);
    }
    mutable std::map<std::string, int> asked;
};

}  // namespace

TEST_CASE("a load gives every mapped name a value and says which have no text", "[content]") {
    content c = made_of(closed_schema());
    const auto out = c.load({}, good, 9);
    CHECK(out.whole);
    CHECK(out.difference == edit::content);
    CHECK(out.rejected.empty());
    CHECK(out.missing == std::vector<std::string>{"limit", "region", "token"});
    CHECK(out.next.revision() == 9);
    CHECK(out.next.origin() == origin::etcd);
    CHECK(out.next.serial() == 1);
    CHECK(out.next.size() == 5);
    CHECK(out.next.get<int>("port").value() == 81);
    CHECK(out.next.get<std::string>("host").value() == "db1");
    CHECK(out.next.find("limit")->is_null());
    CHECK(out.next.info("host") == provenance{origin::etcd, 3});
    CHECK(out.next.info("token") == provenance{origin::defaults, 0});
    CHECK(out.next.info("limit") == provenance{origin::none, 0});
    CHECK(out.next.is_secret("token"));
}

TEST_CASE("loads and events take one path from text to value, once for each text", "[content]") {
    const auto s = std::make_shared<counting_schema>();
    content c = made_of(s);
    auto out = c.load({}, {pair("/c/A", "1", 2)}, 2);
    CHECK(out.next.get<int>("a").value() == 10);
    CHECK(out.next.get<int>("b").value() == -1);
    CHECK(s->asked == std::map<std::string, int>{{"a", 1}, {"b", 1}});
    out = c.apply(out.next, {put("/c/A", "2", 3)}, 3);
    CHECK(out.next.get<int>("a").value() == 20);
    CHECK(s->asked == std::map<std::string, int>{{"a", 2}, {"b", 1}});
    out = c.apply(out.next, {erased("/c/A", 4)}, 4);
    CHECK(out.next.get<int>("a").value() == -1);
    CHECK(out.next.info("a") == provenance{origin::defaults, 0});
    (void)out.next.get<int>("a");
    CHECK(s->asked == std::map<std::string, int>{{"a", 3}, {"b", 1}});
}

TEST_CASE("a value that could not be opened is refused, whatever the schema takes", "[content]") {
    content c = made_of(closed_schema());
    key_value broken = pair("/app/Host", "", 12);   // the schema takes any text for it
    broken.unreadable = errc::seal_broken;

    SECTION("the last good one stays") {
        const auto before = c.load({}, good, 9).next;
        event e;
        e.kv = broken;
        for (const auto& out : {c.apply(before, {e}, 12), c.load(before, {broken, good[1]}, 12)}) {
            REQUIRE(out.rejected.size() == 1);
            CHECK(out.rejected[0].name == "host");
            CHECK(out.rejected[0].key == "/app/Host");
            CHECK(out.rejected[0].reason.code == errc::seal_broken);
            CHECK(out.rejected[0].revision == 12);
            CHECK(out.next.get<std::string>("host").value() == "db1");
            CHECK(out.next.info("host") == provenance{origin::etcd, 3});
        }
    }
    SECTION("before there was one: the default, or none") {
        const auto out = c.load({}, {broken}, 12);
        CHECK(out.rejected.size() == 1);
        CHECK(out.next.find("host")->is_null());
        CHECK(std::count(out.missing.begin(), out.missing.end(), "host") == 0);
    }
}

TEST_CASE("a refused value keeps the last good one and is reported with key, reason and revision", "[content]") {
    content c = made_of(closed_schema());
    const auto before = c.load({}, good, 9).next;

    SECTION("by an event") {
        const auto out = c.apply(before, {put("/app/Port", "70000", 12)}, 12);
        REQUIRE(out.rejected.size() == 1);
        CHECK(out.rejected[0].name == "port");
        CHECK(out.rejected[0].key == "/app/Port");
        CHECK(out.rejected[0].reason.code == errc::schema_violation);
        CHECK(out.rejected[0].reason.detail.find("70000") != std::string::npos);
        CHECK(out.rejected[0].revision == 12);
        CHECK(out.difference == edit::none);
        CHECK(out.next.get<int>("port").value() == 81);
        CHECK(out.next.info("port") == provenance{origin::etcd, 4});
        CHECK(out.next.revision() == 12);
    }
    SECTION("by a reload, at the revision of the write") {
        const auto out = c.load(before, {pair("/app/Host", "db1", 3), pair("/app/Port", "x", 11)}, 14);
        REQUIRE(out.rejected.size() == 1);
        CHECK(out.rejected[0].revision == 11);
        CHECK(out.next.get<int>("port").value() == 81);
        CHECK(out.difference == edit::none);
    }
    SECTION("then a good one counts again") {
        const auto bad = c.apply(before, {put("/app/Port", "x", 12)}, 12);
        const auto out = c.apply(bad.next, {put("/app/Port", "82", 13)}, 13);
        CHECK(out.rejected.empty());
        CHECK(out.difference == edit::content);
        CHECK(out.next.get<int>("port").value() == 82);
    }
    SECTION("a good and a bad one in one step: the good one stays") {
        const auto out = c.apply(before, {put("/app/Port", "82", 12), put("/app/Port", "x", 13)}, 13);
        CHECK(out.rejected.size() == 1);
        CHECK(out.next.get<int>("port").value() == 82);
        CHECK(out.next.info("port") == provenance{origin::etcd, 12});
    }
    SECTION("a secret is not quoted") {
        const auto out = c.apply(before, {put("/app/Token", "canary", 12)}, 12);
        REQUIRE(out.rejected.size() == 1);
        CHECK(out.rejected[0].reason.message().find("canary") == std::string::npos);
        CHECK(out.next.get<std::string>("token").value() == "none");
    }
}

TEST_CASE("a value that is refused at the first load gives the default", "[content]") {
    content c = made_of(closed_schema());
    const auto out =
        c.load({}, {pair("/app/Host", "db1", 3), pair("/app/Port", "x", 4), pair("/app/Limit", "y", 5)}, 9);
    CHECK(out.rejected.size() == 2);
    CHECK(out.next.get<int>("port").value() == 80);
    CHECK(out.next.info("port") == provenance{origin::defaults, 0});
    CHECK(out.next.find("limit")->is_null());
    CHECK(out.next.info("limit") == provenance{origin::none, 0});
    CHECK(out.missing == std::vector<std::string>{"region", "token"});
}

TEST_CASE("an erased key gives the default, or null", "[content]") {
    content c = made_of(closed_schema());
    auto all = good;
    all.push_back(pair("/app/Limit", "5", 6));
    const auto before = c.load({}, all, 9).next;
    const auto out = c.apply(before, {erased("/app/Port", 10), erased("/app/Limit", 10)}, 10);
    CHECK(out.rejected.empty());
    CHECK(out.difference == edit::content);
    CHECK(out.next.get<int>("port").value() == 80);
    REQUIRE(out.next.contains("limit"));
    CHECK(out.next.find("limit")->is_null());
    CHECK(changed_names(before, out.next) == std::vector<std::string>{"limit", "port"});
    CHECK(c.apply(out.next, {erased("/app/Port", 11)}, 11).difference == edit::none);
}

TEST_CASE("an erased required key keeps its value and is reported", "[content]") {
    content c = made_of(closed_schema());
    const auto before = c.load({}, good, 9).next;

    SECTION("by an event") {
        const auto out = c.apply(before, {erased("/app/Host", 10)}, 10);
        REQUIRE(out.rejected.size() == 1);
        CHECK(out.rejected[0].name == "host");
        CHECK(out.rejected[0].key == "/app/Host");
        CHECK(out.rejected[0].reason.code == errc::required_missing);
        CHECK(out.rejected[0].revision == 10);
        CHECK(out.difference == edit::none);
        CHECK(out.next.get<std::string>("host").value() == "db1");
    }
    SECTION("by a reload") {
        const auto out = c.load(before, {pair("/app/Port", "81", 4)}, 11);
        REQUIRE(out.rejected.size() == 1);
        CHECK(out.rejected[0].reason.code == errc::required_missing);
        CHECK(out.rejected[0].revision == 11);
        CHECK(out.next.get<std::string>("host").value() == "db1");
    }
    SECTION("at the first load it is null") {
        const auto out = c.load({}, {pair("/app/Port", "81", 4)}, 11);
        REQUIRE(out.rejected.size() == 1);
        REQUIRE(out.next.contains("host"));
        CHECK(out.next.find("host")->is_null());
        CHECK(out.next.get<std::string>("host").error().code == errc::required_missing);
    }
}

TEST_CASE("the names of an open schema come and go with their keys", "[content]") {
    content c = made_of(std::make_shared<prefix_schema>("/open"));
    auto out = c.load({}, {pair("/open/A", "1", 2), pair("/open/B/C", "2", 3), pair("/opener/D", "3", 4)}, 4);
    CHECK(out.next.all() == config_map{{"A", value("1")}, {"B/C", value("2")}});
    CHECK(out.missing.empty());
    out = c.apply(out.next, {put("/open/E", "4", 5), erased("/open/A", 5)}, 5);
    CHECK(out.difference == edit::content);
    CHECK(out.next.all() == config_map{{"B/C", value("2")}, {"E", value("4")}});
    CHECK(c.apply(out.next, {erased("/open/A", 6)}, 6).difference == edit::none);
    const auto loaded = c.load(out.next, {pair("/open/E", "4", 5), pair("/open/F", "5", 8)}, 9);
    CHECK(loaded.difference == edit::content);
    CHECK(loaded.next.all() == config_map{{"E", value("4")}, {"F", value("5")}});
    CHECK(c.load(loaded.next, {}, 10).next.empty());
}

TEST_CASE("all events of a step make one snapshot", "[content]") {
    content c = made_of(closed_schema());
    const auto before = c.load({}, good, 9).next;
    const auto out = c.apply(before,
        {put("/app/Host", "db2", 10), put("/app/Port", "82", 10), put("/app/Limit", "1", 11),
            put("/app/Limit", "2", 12), put("/app/Unknown", "x", 12), put("/other", "x", 12)},
        12);
    CHECK(out.next.serial() == before.serial() + 1);
    CHECK(out.next.revision() == 12);
    CHECK_FALSE(out.whole);
    CHECK(changed_names(before, out.next) == std::vector<std::string>{"host", "limit", "port"});
    CHECK(out.next.get<int>("limit").value() == 2);
    CHECK(out.next.size() == 5);
    // the one before is what it was
    CHECK(before.get<std::string>("host").value() == "db1");
    CHECK(before.revision() == 9);
}

TEST_CASE("a rewrite of the same value is metadata only", "[content]") {
    content c = made_of(closed_schema());
    const auto before = c.load({}, good, 9).next;
    auto out = c.apply(before, {put("/app/Port", "81", 10)}, 10);
    CHECK(out.difference == edit::metadata);
    CHECK(changed_names(before, out.next).empty());
    CHECK(out.next.info("port") == provenance{origin::etcd, 10});
    out = c.apply(before, {put("/app/Port", " 81", 11)}, 11);   // another text, the same number
    CHECK(out.difference == edit::metadata);
    out = c.apply(before, {put("/app/Port", "99", 11), put("/app/Port", "81", 12)}, 12);   // there and back
    CHECK(out.difference == edit::metadata);
    out = c.apply(before, {put("/app/Token", "none", 11)}, 11);   // the default, now written down
    CHECK(out.difference == edit::metadata);
}

TEST_CASE("a reload that changes nothing says so", "[content]") {
    content c = made_of(closed_schema());
    const auto before = c.load({}, good, 9).next;
    auto out = c.load(before, good, 20);
    CHECK(out.difference == edit::none);
    CHECK(out.next.revision() == 20);
    CHECK(out.next.serial() == before.serial() + 1);
    CHECK(shared_shards(before, out.next) == snapshot_access::data(before)->shards.size());
    out = c.load(before, {pair("/app/Host", "db1", 3), pair("/app/Port", "81", 15)}, 20);
    CHECK(out.difference == edit::metadata);
}

TEST_CASE("the environment gives way to etcd, default for default", "[content]") {
    content c = made_of(closed_schema());
    const auto local =
        c.load_local({}, variables({{"PORT", "5"}, {"HOST", "env-host"}, {"REGION", "south"}, {"TOKEN", "bad"}}));
    CHECK(local.whole);
    CHECK(local.next.origin() == origin::environment);
    CHECK(local.next.revision() == 0);
    CHECK(local.missing == std::vector<std::string>{"limit", "token"});
    REQUIRE(local.rejected.size() == 1);
    CHECK(local.rejected[0].key == "TOKEN");
    CHECK(local.next.get<int>("port").value() == 5);
    CHECK(local.next.info("port") == provenance{origin::environment, 0});

    const auto out = c.load(local.next, {pair("/app/Host", "db1", 3)}, 9);
    CHECK(out.next.origin() == origin::etcd);
    CHECK(out.next.get<std::string>("host").value() == "db1");
    CHECK(out.next.info("host") == provenance{origin::etcd, 3});
    CHECK(out.next.get<int>("port").value() == 80);   // not in etcd: its default, not the variable
    CHECK(out.next.info("port") == provenance{origin::defaults, 0});
    CHECK(out.next.get<std::string>("region").value() == "south");   // etcd has no say in it
    CHECK(out.next.info("region") == provenance{origin::environment, 0});
    CHECK(out.missing == std::vector<std::string>{"limit", "port", "token"});
}

TEST_CASE("one changed key of ten thousand costs one shard", "[content]") {
    content c = made_of(std::make_shared<prefix_schema>("/open"));
    std::vector<key_value> all;
    for (int i = 0; i < 10'000; ++i) all.push_back(pair("/open/key" + std::to_string(i), std::to_string(i), 2));
    const auto before = c.load({}, all, 2).next;
    REQUIRE(before.size() == 10'000);
    const auto shards = snapshot_access::data(before)->shards.size();
    const auto out = c.apply(before, {put("/open/key77", "changed", 3)}, 3);
    CHECK(out.next.size() == 10'000);
    CHECK(snapshot_access::data(out.next)->shards.size() == shards);
    CHECK(shared_shards(before, out.next) == shards - 1);
    CHECK(changed_names(before, out.next) == std::vector<std::string>{"key77"});
    // what lies beside it in its shard is shared as well
    CHECK(before.find("key78") == out.next.find("key78"));
    all[77].value = "changed";
    all[77].mod_revision = 3;
    const auto again = c.load(out.next, all, 5);
    CHECK(again.difference == edit::none);
    CHECK(shared_shards(out.next, again.next) == shards);
}
