#include "conformance/cases.hpp"

#include "conformance/normal.hpp"
#include "support/catch.hpp"
#include "wire/base64.hpp"

#include <array>

namespace dynconf::test {
namespace {

using nlohmann::json;

std::string b64(std::string_view bytes) { return wire::to_base64(bytes); }
const std::string everything(1, '\0');

json key_range_of(std::string_view key, std::string_view end) { return {{"key", b64(key)}, {"range_end", b64(end)}}; }

/// Requests by their words, answers as JSON with bytes made readable by the case itself.
class session {
public:
    explicit session(target& t) : target_(t) {}

    json ask(std::string_view path, const json& body, std::string_view token = {}) {
        const target_answer a = target_.call(path, body.dump(), token.empty() ? std::string_view(token_) : token);
        INFO(path << ' ' << body.dump() << " -> " << a.status << ' ' << a.body);
        CHECK(a.status == 200);
        return json::parse(a.body, nullptr, false);
    }
    /// The message of a refusal.
    std::string refused(std::string_view path, const json& body, std::string_view token = {}) {
        const target_answer a = target_.call(path, body.dump(), token.empty() ? std::string_view(token_) : token);
        INFO(path << ' ' << body.dump() << " -> " << a.status << ' ' << a.body);
        CHECK(a.status >= 400);
        const json j = json::parse(a.body, nullptr, false);
        return j.is_object() ? j.value("message", "") : a.body;
    }
    void put(std::string_view key, std::string_view value, json more = json::object()) {
        more["key"] = b64(key);
        more["value"] = b64(value);
        ask("/v3/kv/put", more);
    }
    json erase(std::string_view key, std::string_view end = {}) { return ask("/v3/kv/deleterange", key_range_of(key, end)); }
    json range(std::string_view key, std::string_view end = {}, json more = json::object()) {
        more.update(key_range_of(key, end));
        return ask("/v3/kv/range", more);
    }
    void act_as(std::string token) { token_ = std::move(token); }
    std::string log_in(std::string_view name, std::string_view password) {
        return ask("/v3/auth/authenticate", {{"name", name}, {"password", password}}).value("token", "");
    }
    target& on() { return target_; }

private:
    target& target_;
    std::string token_;
};

std::vector<std::string> keys_of(const json& reply) {
    std::vector<std::string> keys;
    for (const json& kv : reply.value("kvs", json::array())) keys.push_back(wire::from_base64(kv["key"].get<std::string>()).value());
    return keys;
}

using names = std::vector<std::string>;

void ranges(target& t) {
    session s(t);
    s.put("b", "5");
    s.put("a", "4");
    s.put("d", "1");
    s.put("c", "2");
    s.put("a", "3");
    s.put("c/x", "0");
    CHECK(keys_of(s.range(everything, everything)) == names{"a", "b", "c", "c/x", "d"});
    CHECK(keys_of(s.range("b", "d")) == names{"b", "c", "c/x"});
    CHECK(keys_of(s.range("c", everything)) == names{"c", "c/x", "d"});
    CHECK(keys_of(s.range("c")) == names{"c"});
    CHECK(keys_of(s.range("d", "b")) == names{});
    CHECK(keys_of(s.range("b", "b")) == names{});
    CHECK(keys_of(s.range("nothing")) == names{});
    const json page = s.range(everything, everything, {{"limit", 2}});
    CHECK(keys_of(page) == names{"a", "b"});
    CHECK(page["more"] == true);
    CHECK(page["count"] == "5");
    for (const int limit : {1, 4, 5, 6, -1}) s.range(everything, everything, {{"limit", limit}});
    for (const char* order : {"NONE", "ASCEND", "DESCEND"})
        for (const char* target : {"KEY", "VERSION", "CREATE", "MOD", "VALUE"}) {
            if (std::string_view(target) == "VERSION") continue;   // no order among equals
            s.range(everything, everything, {{"sort_order", order}, {"sort_target", target}});
            s.range(everything, everything, {{"sort_order", order}, {"sort_target", target}, {"limit", 3}});
        }
    CHECK(keys_of(s.range("a", "c", {{"sort_order", "DESCEND"}, {"sort_target", "VERSION"}})) == names{"a", "b"});
    CHECK(keys_of(s.range(everything, everything, {{"min_mod_revision", 5}})) == names{"a", "c", "c/x"});
    s.range(everything, everything, {{"max_mod_revision", 5}, {"limit", 1}});
    s.range(everything, everything, {{"min_create_revision", 3}, {"max_create_revision", 4}});
    s.range(everything, everything, {{"min_mod_revision", 100}});
    s.range(everything, everything, {{"count_only", true}, {"limit", 1}});
    s.range(everything, everything, {{"count_only", true}, {"max_mod_revision", 3}});
    s.range("a", {}, {{"keys_only", true}});
    for (const int revision : {-1, 1, 2, 3, 7}) s.range(everything, everything, {{"revision", revision}, {"serializable", true}});
    CHECK(s.refused("/v3/kv/range", {{"key", b64("a")}, {"revision", 8}}) == "etcdserver: mvcc: required revision is a future revision");
    CHECK(s.refused("/v3/kv/range", {{"range_end", b64("a")}}) == "etcdserver: key is not provided");
}

void puts_and_deletes(target& t) {
    session s(t);
    const std::string odd("\0\xff/ \n", 5);
    s.put(odd, odd);
    s.put("a", "");
    s.put("a", "1", {{"prev_kv", true}});
    s.put("a", "2", {{"prev_kv", true}});
    s.put("new", "1", {{"prev_kv", true}});
    s.ask("/v3/kv/put", {{"key", b64("a")}, {"ignore_value", true}, {"prev_kv", true}});
    CHECK(s.refused("/v3/kv/put", {{"key", b64("zz")}, {"ignore_value", true}}) == "etcdserver: key not found");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("zz")}, {"value", b64("1")}, {"ignore_lease", true}}) == "etcdserver: key not found");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}, {"value", b64("1")}, {"ignore_value", true}}) == "etcdserver: value is provided");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}, {"lease", 4}, {"ignore_lease", true}}) == "etcdserver: lease is provided");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}, {"lease", 4}}) == "etcdserver: requested lease not found");
    CHECK(s.refused("/v3/kv/put", {{"value", b64("1")}}) == "etcdserver: key is not provided");
    CHECK(s.refused("/v3/kv/deleterange", json::object()) == "etcdserver: key is not provided");
    CHECK_FALSE(s.erase("zz").contains("deleted"));
    CHECK(s.ask("/v3/kv/deleterange", {{"key", b64("a")}, {"prev_kv", true}})["prev_kvs"].size() == 1);
    CHECK(s.range("a").value("count", "0") == "0");
    s.put("a", "again");
    CHECK(s.range("a")["kvs"][0]["version"] == "1");
    s.range("a", {}, {{"revision", 4}});
    for (const char* key : {"p/1", "p/2", "p/3", "q"}) s.put(key, "v");
    CHECK(s.erase("p/", "p0")["deleted"] == "3");
    CHECK(s.erase("q", everything)["deleted"] == "1");
    CHECK_FALSE(s.erase("z", "b").contains("deleted"));
    s.ask("/v3/kv/deleterange", {{"key", b64(everything)}, {"range_end", b64(everything)}, {"prev_kv", true}});
    s.range(everything, everything);
}

json compare_of(std::string_view key, std::string_view target, std::string_view result, std::string_view field, const json& operand) {
    return {{"key", b64(key)}, {"target", target}, {"result", result}, {std::string(field), operand}};
}
json op_put(std::string_view key, std::string_view value) { return {{"request_put", {{"key", b64(key)}, {"value", b64(value)}}}}; }
json op_range(std::string_view key, std::string_view end = {}, json more = json::object()) {
    more.update(key_range_of(key, end));
    return {{"request_range", more}};
}
json op_delete(std::string_view key, std::string_view end = {}) { return {{"request_delete_range", key_range_of(key, end)}}; }

void comparisons(target& t) {
    session s(t);
    s.ask("/v3/lease/grant", {{"ID", 7}, {"TTL", 600}});
    s.put("a", "m");
    s.put("a", "m", {{"lease", 7}});
    s.put("b", "n");
    const auto holds = [&](const json& compare) { return s.ask("/v3/kv/txn", {{"compare", {compare}}}).value("succeeded", false); };
    struct { const char* target; const char* field; json below, same, above; } operands[] = {
        {"VERSION", "version", 1, 2, 3}, {"CREATE", "create_revision", 1, 2, 3}, {"MOD", "mod_revision", 2, 3, 4},
        {"LEASE", "lease", 6, 7, 8}, {"VALUE", "value", b64("l"), b64("m"), b64("mm")}};
    for (const auto& o : operands)
        for (const char* result : {"EQUAL", "NOT_EQUAL", "GREATER", "LESS"})
            for (const json& operand : {o.below, o.same, o.above}) {
                const std::string_view r = result;
                const bool below = operand == o.below, same = operand == o.same;
                const bool expected = r == "EQUAL" ? same : r == "NOT_EQUAL" ? !same : r == "GREATER" ? below : !below && !same;
                CHECK(holds(compare_of("a", o.target, result, o.field, operand)) == expected);
                holds(compare_of("missing", o.target, result, o.field, operand));
            }
    CHECK(holds(compare_of("missing", "CREATE", "EQUAL", "create_revision", 0)));
    CHECK_FALSE(holds(compare_of("missing", "VALUE", "EQUAL", "value", "")));
    CHECK_FALSE(holds(compare_of("missing", "VALUE", "NOT_EQUAL", "value", b64("x"))));
    CHECK(holds({{"key", b64("a")}, {"target", "VERSION"}, {"result", "GREATER"}}));
    // The operand of another target counts for nothing.
    CHECK_FALSE(holds(compare_of("a", "VERSION", "EQUAL", "mod_revision", 2)));
    // Of a range each key has to fit, and of an empty one none.
    CHECK(holds({{"key", b64("a")}, {"range_end", b64("c")}, {"target", "MOD"}, {"result", "LESS"}, {"mod_revision", 5}}));
    CHECK_FALSE(holds({{"key", b64("a")}, {"range_end", b64("c")}, {"target", "MOD"}, {"result", "LESS"}, {"mod_revision", 4}}));
    holds({{"key", b64("x")}, {"range_end", b64("y")}, {"target", "MOD"}, {"result", "LESS"}, {"mod_revision", 4}});
    holds({{"key", b64("b")}, {"range_end", b64(everything)}, {"target", "VALUE"}, {"result", "EQUAL"}, {"value", b64("n")}});
    CHECK(s.refused("/v3/kv/txn", {{"compare", {{{"target", "VERSION"}}}}}) == "etcdserver: key is not provided");
}

void transactions(target& t) {
    session s(t);
    s.put("a", "1");
    // All its writes are of one revision; a read in the middle sees those before it.
    const json reply = s.ask("/v3/kv/txn", {{"success", {op_range("b"), op_put("b", "1"), op_range("b"), op_delete("a"), op_range("a"), op_delete("zz"),
        op_put("c", "1")}}});
    CHECK(reply["header"]["revision"] == "3");
    CHECK(s.range(everything, everything).at("count") == "2");
    s.ask("/v3/kv/txn", {{"success", {op_delete("zz"), op_range("b", {}, {{"revision", 2}})}}});
    s.ask("/v3/kv/txn", {{"compare", {compare_of("b", "VERSION", "EQUAL", "version", 9)}}, {"failure", {op_put("b", "no"), op_range("b", "d")}}});
    // Inner comparisons are made before the outer writes.
    const json inner = {{"request_txn", {{"compare", {compare_of("n", "VERSION", "EQUAL", "version", 0)}}, {"success", {op_put("inner", "fresh")}},
        {"failure", {op_put("inner", "stale")}}}}};
    s.ask("/v3/kv/txn", {{"success", {op_put("n", "1"), inner, op_range("inner")}}});
    CHECK(wire::from_base64(s.range("inner")["kvs"][0]["value"].get<std::string>()) == "fresh");
    s.ask("/v3/kv/txn", {{"success", {{{"request_txn", {{"success", {{{"request_txn", {{"success", {op_range("b")}}}}}}}}}}}}});

    const char* const twice = "etcdserver: duplicate key given in txn request";
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), op_put("a", "2")}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"failure", {op_put("a", "1"), op_put("a", "2")}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), op_delete("a")}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_delete("a", "c"), op_put("b", "1")}}}) == twice);
    s.ask("/v3/kv/txn", {{"success", {op_delete("a", "c"), op_put("c", "1")}}});
    s.ask("/v3/kv/txn", {{"success", {op_delete("a"), op_delete("a", "b")}}});
    s.ask("/v3/kv/txn", {{"success", {op_put("y", "1"), op_delete("y", everything)}}});   // not seen as twice
    const auto only = [](const json& op) { return json::array({op}); };
    const auto nested = [](const json& then, const json& otherwise) {
        return json{{"request_txn", {{"success", then}, {"failure", otherwise}}}};
    };
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), nested(only(op_put("a", "2")), json::array())}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), nested(json::array(), only(op_put("a", "2")))}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), nested(only(op_delete("a")), json::array())}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_delete("a"), nested(only(op_put("a", "2")), json::array())}}}) == twice);
    s.ask("/v3/kv/txn", {{"success", {nested(only(op_put("a", "2")), only(op_put("a", "3")))}}});

    CHECK(s.refused("/v3/kv/txn", {{"success", {json::object()}}}) == "etcdserver: key not found");
    CHECK(s.refused("/v3/kv/txn", {{"success", {{{"request_put", {{"value", "eA=="}}}}}}}) == "etcdserver: key is not provided");
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_range("a", {}, {{"revision", 1000}})}}})
        == "etcdserver: mvcc: required revision is a future revision");
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), op_range("a", {}, {{"revision", 1000}})}}})
        == "etcdserver: mvcc: required revision is a future revision");
    json many = json::array();
    for (int i = 0; i < 128; ++i) many.push_back(op_put("k" + std::to_string(i), "v"));
    s.ask("/v3/kv/txn", {{"success", many}});
    many.push_back(op_range("a"));
    CHECK(s.refused("/v3/kv/txn", {{"success", many}}) == "etcdserver: too many operations in txn request");
    CHECK(s.refused("/v3/kv/txn", {{"failure", many}}) == "etcdserver: too many operations in txn request");
    many.erase(many.begin(), many.begin() + 2);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_range("a"), nested(many, json::array())}}}) == "etcdserver: too many operations in txn request");
    // Nothing of a refused one was done.
    s.range(everything, everything);
}

void sizes(target& t) {
    session s(t);
    s.put("big", std::string(1'500'000, 'x'));
    CHECK(s.refused("/v3/kv/put", {{"key", b64("big")}, {"value", b64(std::string(1'572'864, 'x'))}}) == "etcdserver: request is too large");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("big")}, {"value", b64(std::string(2'098'176, 'x'))}}).starts_with("grpc: received message larger than max"));
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("1", std::string(800'000, 'x')), op_put("2", std::string(800'000, 'x'))}}})
        == "etcdserver: request is too large");
}

void compaction(target& t) {
    session s(t);
    for (int i = 0; i < 5; ++i) s.put("a", std::to_string(i));
    s.put("gone", "1");
    s.erase("gone");
    s.put("b", "1");
    s.ask("/v3/kv/compaction", {{"revision", 4}, {"physical", true}});
    const char* const compacted = "etcdserver: mvcc: required revision has been compacted";
    CHECK(s.refused("/v3/kv/compaction", {{"revision", 4}}) == compacted);
    CHECK(s.refused("/v3/kv/compaction", {{"revision", 3}}) == compacted);
    CHECK(s.refused("/v3/kv/compaction", {{"revision", 1000}}) == "etcdserver: mvcc: required revision is a future revision");
    CHECK(s.refused("/v3/kv/range", {{"key", b64("a")}, {"revision", 3}}) == compacted);
    s.range("a", {}, {{"revision", 4}});
    s.range("gone", {}, {{"revision", 7}});
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_range("a", {}, {{"revision", 3}})}}}) == compacted);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "x"), op_range("a", {}, {{"revision", 3}})}}}) == compacted);
    s.ask("/v3/kv/compaction", {{"revision", 9}, {"physical", true}});
    s.range(everything, everything);
    s.put("gone", "back");
    CHECK(s.range("gone")["kvs"][0]["version"] == "1");
}

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

json create(std::string_view key, std::string_view end = {}, json more = json::object()) {
    more.update(key_range_of(key, end));
    return {{"create_request", more}};
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

void users(target& t) {
    session s(t);
    CHECK(s.refused("/v3/auth/enable", json::object()) == "etcdserver: root user does not exist");
    CHECK(s.refused("/v3/auth/authenticate", {{"name", "root"}, {"password", "x"}}) == "etcdserver: authentication is not enabled");
    s.ask("/v3/auth/disable", json::object());
    s.ask("/v3/auth/user/add", {{"name", "root"}, {"password", "r"}});
    CHECK(s.refused("/v3/auth/enable", json::object()) == "etcdserver: root user does not have root role");
    CHECK(s.refused("/v3/auth/user/add", {{"name", "root"}, {"password", "r"}}) == "etcdserver: user name already exists");
    CHECK(s.refused("/v3/auth/user/add", {{"password", "r"}}) == "etcdserver: user name is empty");
    CHECK(s.refused("/v3/auth/user/grant", {{"user", "root"}, {"role", "none"}}) == "etcdserver: role name not found");
    CHECK(s.refused("/v3/auth/user/grant", {{"user", "none"}, {"role", "root"}}) == "etcdserver: user name not found");
    CHECK(s.refused("/v3/auth/user/get", {{"name", "none"}}) == "etcdserver: user name not found");
    CHECK(s.refused("/v3/auth/user/delete", {{"name", "none"}}) == "etcdserver: user name not found");
    CHECK(s.refused("/v3/auth/user/changepw", {{"name", "none"}, {"password", "x"}}) == "etcdserver: user name not found");
    CHECK(s.refused("/v3/auth/user/revoke", {{"name", "root"}, {"role", "none"}}) == "etcdserver: role is not granted to the user");
    s.refused("/v3/auth/role/add", {{"name", ""}});
    s.ask("/v3/auth/role/add", {{"name", "reader"}});
    CHECK(s.refused("/v3/auth/role/add", {{"name", "reader"}}) == "etcdserver: role name already exists");
    CHECK(s.refused("/v3/auth/role/get", {{"role", "none"}}) == "etcdserver: role name not found");
    CHECK(s.refused("/v3/auth/role/delete", {{"role", "none"}}) == "etcdserver: role name not found");
    const auto grant = [&](const char* role, const char* type, std::string_view key, std::string_view end) {
        s.ask("/v3/auth/role/grant", {{"name", role}, {"perm", {{"permType", type}, {"key", b64(key)}, {"range_end", b64(end)}}}});
    };
    CHECK(s.refused("/v3/auth/role/grant", {{"name", "none"}, {"perm", {{"key", b64("a")}}}}) == "etcdserver: role name not found");
    CHECK(s.refused("/v3/auth/role/revoke", {{"role", "reader"}, {"key", b64("a")}}) == "etcdserver: permission is not granted to the role");
    if (s.on().profile().is(5)) s.refused("/v3/auth/role/grant", {{"name", "reader"}});   // ends a 3.4
    grant("reader", "READ", "a", "c");
    grant("reader", "READ", "c", "e");
    grant("reader", "WRITE", "w", {});
    grant("reader", "READWRITE", "x", everything);
    grant("reader", "READ", "w", {});
    grant("reader", "WRITE", "w", {});
    s.ask("/v3/auth/role/get", {{"role", "reader"}});
    s.ask("/v3/auth/role/list", json::object());
    s.ask("/v3/auth/user/add", {{"name", "ann"}, {"password", "a"}});
    s.ask("/v3/auth/user/add", {{"name", "bob"}, {"options", {{"no_password", true}}}});
    s.ask("/v3/auth/user/grant", {{"user", "ann"}, {"role", "reader"}});
    s.ask("/v3/auth/user/grant", {{"user", "ann"}, {"role", "reader"}});
    s.ask("/v3/auth/user/grant", {{"user", "root"}, {"role", "root"}});
    s.ask("/v3/auth/user/list", json::object());
    s.put("a", "1");
    s.put("b", "1");
    s.ask("/v3/lease/grant", {{"ID", 3}, {"TTL", 600}});
    s.put("b", "1", {{"lease", 3}});

    s.ask("/v3/auth/enable", json::object());
    s.on().call("/v3/auth/enable", "{}");
    CHECK(s.refused("/v3/kv/range", {{"key", b64("a")}}) == "etcdserver: user name is empty");
    CHECK(s.refused("/v3/kv/range", {{"key", b64("a")}}, "garbage") == "etcdserver: invalid auth token");
    CHECK(s.refused("/v3/auth/authenticate", {{"name", "ann"}, {"password", "x"}})
        == "etcdserver: authentication failed, invalid user ID or password");
    s.refused("/v3/auth/authenticate", {{"name", "none"}, {"password", "x"}});
    s.refused("/v3/auth/authenticate", {{"name", "bob"}, {"password", "x"}});
    const std::string root = s.log_in("root", "r"), ann = s.log_in("ann", "a");

    s.act_as(ann);
    const char* const denied = "etcdserver: permission denied";
    s.range("a", "e");
    s.range("b");
    s.range("x", everything);
    CHECK(s.refused("/v3/kv/range", key_range_of("a", "f")) == denied);
    CHECK(s.refused("/v3/kv/range", key_range_of(everything, everything)) == denied);
    CHECK(s.refused("/v3/kv/range", key_range_of("w", {})) == denied);
    s.put("w", "1");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("w")}, {"prev_kv", true}}) == denied);
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}}) == denied);
    CHECK(s.refused("/v3/kv/put", {{"key", b64("w")}, {"lease", 3}}) == denied);
    CHECK(s.refused("/v3/lease/revoke", {{"ID", 3}}) == denied);
    CHECK(s.refused("/v3/kv/deleterange", key_range_of("w", "z")) == denied);
    s.erase("x", everything);
    CHECK(s.refused("/v3/kv/txn", {{"compare", {compare_of("w", "VERSION", "EQUAL", "version", 0)}}}) == denied);
    CHECK(s.refused("/v3/kv/txn", {{"failure", {op_put("a", "1")}}}) == denied);
    s.ask("/v3/kv/txn", {{"compare", {compare_of("a", "VERSION", "EQUAL", "version", 1)}}, {"success", {op_put("w", "1"), op_range("d")}}});
    for (const char* path : {"/v3/auth/user/list", "/v3/auth/role/list", "/v3/auth/disable"}) CHECK(s.refused(path, json::object()) == denied);
    CHECK(s.refused("/v3/auth/user/add", {{"name", "x"}, {"password", "y"}}) == denied);
    CHECK(s.refused("/v3/auth/user/get", {{"name", "root"}}) == denied);
    s.ask("/v3/auth/user/get", {{"name", "ann"}});
    s.ask("/v3/auth/role/get", {{"role", "reader"}});
    CHECK(s.refused("/v3/auth/role/get", {{"role", "root"}}) == denied);
    s.refused("/v3/maintenance/defragment", json::object());
    s.ask("/v3/lease/grant", {{"ID", 4}, {"TTL", 600}});
    for (const json& request : {create("w"), create("a", "f")}) {
        const auto watch = s.on().open("/v3/watch", request.dump(), ann);
        const auto line = watch->next();
        REQUIRE(line);
        CHECK(json::parse(*line)["result"]["cancel_reason"] == "rpc error: code = PermissionDenied desc = etcdserver: permission denied");
    }
    const auto open = s.on().open("/v3/watch", create("a", "e").dump(), ann);
    open->next();

    s.act_as(root);
    s.put("a", "2");
    CHECK(open->next());
    CHECK(s.refused("/v3/auth/user/delete", {{"name", "root"}}) == "etcdserver: invalid auth management");
    CHECK(s.refused("/v3/auth/role/delete", {{"role", "root"}}) == "etcdserver: invalid auth management");
    CHECK(s.refused("/v3/auth/user/revoke", {{"name", "root"}, {"role", "root"}}) == "etcdserver: invalid auth management");
    s.ask("/v3/auth/role/revoke", {{"role", "reader"}, {"key", b64("a")}, {"range_end", b64("c")}});
    CHECK(s.refused("/v3/kv/range", {{"key", b64("a")}}, ann) == denied);
    s.ask("/v3/auth/user/changepw", {{"name", "ann"}, {"password", "b"}});
    CHECK(s.refused("/v3/kv/range", {{"key", b64("c")}}, ann) == "etcdserver: invalid auth token");
    s.ask("/v3/auth/role/delete", {{"role", "reader"}});
    s.ask("/v3/auth/user/get", {{"name", "ann"}});
    s.ask("/v3/auth/user/delete", {{"name", "ann"}});
    if (s.on().profile().is(5)) CHECK(s.ask("/v3/auth/status", json::object())["enabled"] == true);
    s.ask("/v3/auth/disable", json::object());
    s.act_as({});
    s.put("a", "3");
    s.on().call("/v3/kv/range", R"({"key":"YQ=="})", root);
}

void members(target& t) {
    session s(t);
    s.ask("/v3/cluster/member/list", json::object());
    s.ask("/v3/cluster/member/list", {{"linearizable", true}});
    CHECK(s.refused("/v3/cluster/member/remove", {{"ID", 4}}) == "etcdserver: member not found");
    CHECK(s.refused("/v3/cluster/member/promote", {{"ID", 4}}) == "etcdserver: member not found");
    CHECK(s.refused("/v3/cluster/member/update", {{"ID", 4}, {"peerURLs", {"http://127.0.0.1:4"}}}) == "etcdserver: member not found");
    CHECK(s.refused("/v3/cluster/member/add", json::object()) == "etcdserver: given member URLs are invalid");
    CHECK(s.refused("/v3/cluster/member/add", {{"peerURLs", {"nonsense"}}}) == "etcdserver: given member URLs are invalid");
    const json added = s.ask("/v3/cluster/member/add", {{"peerURLs", {"http://127.0.0.1:4"}}, {"isLearner", true}});
    CHECK(added["members"].size() == 2);
    CHECK(added["member"]["isLearner"] == true);
    CHECK(s.refused("/v3/cluster/member/add", {{"peerURLs", {"http://127.0.0.1:5"}}, {"isLearner", true}})
        == "etcdserver: too many learner members in cluster");
}

void maintenance(target& t) {
    session s(t);
    s.put("a", "1");
    const json status = s.ask("/v3/maintenance/status", json::object());
    CHECK(status["version"] == s.on().profile().version());
    s.ask("/v3/maintenance/alarm", json::object());
    const std::string id = status["header"]["member_id"];
    s.ask("/v3/maintenance/alarm", {{"action", "ACTIVATE"}, {"memberID", id}, {"alarm", "NOSPACE"}});
    CHECK(s.ask("/v3/maintenance/status", json::object())["errors"].size() == 1);
    const char* const full = "etcdserver: mvcc: database space exceeded";
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}}) == full);
    CHECK(s.refused("/v3/kv/txn", {{"failure", {op_put("a", "1")}}}) == full);
    CHECK(s.refused("/v3/lease/grant", {{"TTL", 5}}) == full);
    s.range("a");
    s.ask("/v3/kv/txn", {{"success", {op_range("a"), op_delete("b")}}});
    s.erase("a");
    s.ask("/v3/maintenance/alarm", {{"action", "GET"}, {"alarm", "NOSPACE"}});
    s.ask("/v3/maintenance/alarm", {{"action", "DEACTIVATE"}, {"memberID", id}, {"alarm", "NOSPACE"}});
    s.ask("/v3/maintenance/alarm", {{"action", "DEACTIVATE"}, {"memberID", id}, {"alarm", "NOSPACE"}});
    s.put("a", "2");
    s.ask("/v3/maintenance/defragment", json::object());
    s.ask("/v3/maintenance/hash", json::object());
    if (!s.on().profile().is(5)) {
        CHECK(s.on().call("/v3/maintenance/hashkv", "{}").status == 404);
        return;
    }
    s.ask("/v3/maintenance/hashkv", json::object());
    s.ask("/v3/maintenance/hashkv", {{"revision", 2}});
    s.refused("/v3/maintenance/hashkv", {{"revision", 1000}});
    s.ask("/v3/kv/compaction", {{"revision", 3}, {"physical", true}});
    s.ask("/v3/maintenance/hashkv", json::object());
    s.refused("/v3/maintenance/hashkv", {{"revision", 2}});
}

void forms(target& t) {
    session s(t);
    s.put("a", "1");
    const auto status = [&](const char* body) { return t.call("/v3/kv/range", body).status; };
    CHECK(status("") == 400);
    CHECK(status("{\"key\":") == 400);
    CHECK(status("[]") == 400);
    CHECK(status("hello") == 400);
    CHECK(status(R"({"key":"***"})") == 400);
    CHECK(status(R"({"key":7})") == 400);
    CHECK(status(R"({"key":"YQ==","limit":"x"})") == 400);
    CHECK(status(R"({"key":"YQ==","serializable":1})") == 400);
    CHECK(status(R"({"key":"YQ==","limit":"1"})") == 200);
    CHECK(status(R"({"key":"YQ==","rangeEnd":"Yg=="} garbage)") == 200);
    CHECK(status(R"({"key":"YQ==","limit":null,"unknown":{"x":[1]}})") == 200);
    const bool tolerant = t.profile().is_v2();
    CHECK(status(R"({"key":"YQ"})") == (tolerant ? 200u : 400u));
    CHECK(status(R"({"key":"YQ==","limit":1.0})") == (tolerant ? 200u : 400u));
    CHECK(status(R"({"key":"YQ==","sort_order":"WRONG"})") == (tolerant ? 200u : 400u));
    CHECK(t.call("/v3/kv/nope", "{}").status == 404);
    CHECK(t.call("/v3/kv/range/", "{}").status == 404);
    CHECK(t.call("/v3alpha/kv/range", "{}").status == 404);
    CHECK(t.call("/v3beta/kv/range", R"({"key":"YQ=="})").status == 200);
}

constexpr conformance_case all[] = {
    {"ranges", ranges}, {"puts and deletes", puts_and_deletes}, {"comparisons", comparisons}, {"transactions", transactions},
    {"sizes", sizes}, {"compaction", compaction}, {"leases", leases}, {"expiry of a lease", lease_expiry}, {"watches", watches},
    {"bodies of watches", watch_bodies}, {"fragments", fragments}, {"users", users}, {"members", members},
    {"maintenance", maintenance}, {"forms", forms},
};

}  // namespace

std::span<const conformance_case> conformance_cases() { return all; }

}  // namespace dynconf::test
