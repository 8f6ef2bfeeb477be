#include "conformance/session.hpp"

namespace dynconf::test {
namespace {

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
    // Not every version looks inside.
    s.on().call("/v3/kv/txn", json{{"success", {{{"request_txn", {{"success", {op_put("a", "inner")}}}}}}}}.dump(), ann);
    s.on().call("/v3/kv/txn", json{{"success", {{{"request_put", {{"key", b64("w")}, {"prev_kv", true}}}}}}}.dump(), ann);
    s.on().call("/v3/kv/txn", json{{"success", {{{"request_put", {{"key", b64("w")}, {"lease", 3}}}}}}}.dump(), ann);
    s.on().call("/v3/lease/timetolive", json{{"ID", 3}, {"keys", true}}.dump(), ann);
    s.on().call("/v3/lease/leases", "{}", ann);
    s.on().call("/v3/kv/compaction", R"({"revision":2})", ann);
    s.on().call("/v3/cluster/member/list", "{}", ann);
    s.on().call("/v3/maintenance/hash", "{}", ann);
    for (const char* path : {"/v3/lease/leases", "/v3/cluster/member/list", "/v3/maintenance/alarm", "/v3/maintenance/status"})
        s.on().call(path, "{}", "");
    s.act_as({});
    for (const char* path : {"/v3/lease/leases", "/v3/cluster/member/list", "/v3/maintenance/alarm", "/v3/maintenance/status",
             "/v3/auth/user/list", "/v3/auth/status", "/v3/maintenance/hash", "/v3/maintenance/defragment"})
        s.on().call(path, "{}");
    s.on().call("/v3/kv/compaction", R"({"revision":3})");
    s.on().call("/v3/lease/grant", R"({"ID":77,"TTL":600})");
    s.on().call("/v3/lease/keepalive", R"({"ID":77})");
    s.on().call("/v3/lease/timetolive", R"({"ID":77})");
    s.on().call("/v3/lease/revoke", R"({"ID":77})");
    s.act_as(ann);
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

void tokens_end(target& t) {
    session s(t);
    s.ask("/v3/auth/user/add", {{"name", "root"}, {"password", "r"}});
    s.ask("/v3/auth/role/add", {{"name", "root"}});
    s.ask("/v3/auth/user/grant", {{"user", "root"}, {"role", "root"}});
    s.ask("/v3/auth/enable", json::object());
    const std::string old = s.log_in("root", "r");
    s.act_as(old);
    s.range("a");
    s.on().wait([] { return false; }, std::chrono::seconds(5));
    CHECK(s.refused("/v3/kv/range", key_range_of("a", {})) == "etcdserver: invalid auth token");
    s.act_as({});
    s.act_as(s.log_in("root", "r"));
    s.range("a");
    CHECK(s.refused("/v3/kv/range", key_range_of("a", {}), old) == "etcdserver: invalid auth token");
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

constexpr conformance_case all[] = {{"users", users}, {"ends of tokens", tokens_end, {.token_ttl = std::chrono::seconds(1)}},
    {"members", members}, {"maintenance", maintenance}, {"forms", forms}};

}  // namespace

std::span<const conformance_case> server_cases() { return all; }

}  // namespace dynconf::test
