#include "support/catch.hpp"
#include "support/capture.hpp"

#include "wire/base64.hpp"
#include "wire/requests.hpp"

#include <nlohmann/json.hpp>

#include <limits>

using namespace dynconf;
using namespace dynconf::wire;
using nlohmann::json;

namespace {

std::string b64(std::string_view bytes) { return to_base64(bytes); }

json recorded(const std::string& name) {
    const std::string request = test::read_file(test::data_folder() / "captures" / "requests" / (name + ".req"));
    return json::parse(request.substr(request.find("\r\n\r\n") + 4));
}

}  // namespace

TEST_CASE("a range request says only what was asked for") {
    CHECK(range_request(key_range::key("a"), {}) == R"({"key":"YQ=="})");
    CHECK(json::parse(range_request(key_range::key("w"), {})) == recorded("auth-ok-range"));
    CHECK(json::parse(range_request(key_range::all(), {})) == json{{"key", "AA=="}, {"range_end", "AA=="}});
    CHECK(json::parse(range_request(key_range::prefix("/a/"), {})) ==
          json{{"key", b64("/a/")}, {"range_end", b64("/a0")}});
    CHECK(json::parse(range_request(key_range::interval("", "b"), {})) == json{{"key", "AA=="}, {"range_end", b64("b")}});
    CHECK(json::parse(txn_request(txn().if_(version_of(key_range::all()) == 0)))["compare"][0]
          == json{{"result", "EQUAL"}, {"target", "VERSION"}, {"key", "AA=="}, {"range_end", "AA=="}, {"version", "0"}});

    range_options o;
    o.limit = 10;
    o.revision = std::numeric_limits<std::int64_t>::max();
    o.order = sort_order::descend;
    o.target = sort_target::mod;
    o.read = consistency::serializable;
    o.keys_only = o.count_only = true;
    o.min_mod_revision = 1;
    o.max_mod_revision = 2;
    o.min_create_revision = 3;
    o.max_create_revision = 4;
    CHECK(json::parse(range_request(key_range::key("a"), o)) ==
          json{{"key", b64("a")}, {"limit", "10"}, {"revision", "9223372036854775807"}, {"sort_order", "DESCEND"},
               {"sort_target", "MOD"}, {"serializable", true}, {"keys_only", true}, {"count_only", true},
               {"min_mod_revision", "1"}, {"max_mod_revision", "2"}, {"min_create_revision", "3"},
               {"max_create_revision", "4"}});
}

TEST_CASE("sort names are those that servers know, which ignore any other without a word") {
    const auto sorted = [](sort_order order, sort_target target) {
        range_options o;
        o.order = order;
        o.target = target;
        const json j = json::parse(range_request(key_range::key("a"), o));
        return j.value("sort_order", "") + " " + j.value("sort_target", "");
    };
    CHECK(sorted(sort_order::none, sort_target::key) == " ");
    CHECK(sorted(sort_order::ascend, sort_target::key) == "ASCEND ");
    CHECK(sorted(sort_order::descend, sort_target::version) == "DESCEND VERSION");
    CHECK(sorted(sort_order::ascend, sort_target::create) == "ASCEND CREATE");
    CHECK(sorted(sort_order::ascend, sort_target::value) == "ASCEND VALUE");
}

TEST_CASE("a put request") {
    CHECK(json::parse(put_request("k", "v", {})) == json{{"key", b64("k")}, {"value", b64("v")}});
    CHECK(json::parse(put_request("k", "", {})) == json{{"key", b64("k")}});
    const std::string bytes("\0\xff\"\\\n", 5);
    CHECK(json::parse(put_request(bytes, bytes, {})) == json{{"key", b64(bytes)}, {"value", b64(bytes)}});
    put_options o;
    o.lease = std::numeric_limits<std::int64_t>::min();
    o.prev_kv = o.ignore_value = o.ignore_lease = true;
    CHECK(json::parse(put_request("k", "v", o)) ==
          json{{"key", b64("k")}, {"value", b64("v")}, {"lease", "-9223372036854775808"}, {"prev_kv", true},
               {"ignore_value", true}, {"ignore_lease", true}});
}

TEST_CASE("a large put is one allocation and whole") {
    const std::string value(1 << 20, 'x');
    const std::string body = put_request("k", value, {});
    CHECK(body == "{\"key\":\"aw==\",\"value\":\"" + b64(value) + "\"}");
}

TEST_CASE("a delete request") {
    CHECK(json::parse(delete_range_request(key_range::key("k"), {})) == json{{"key", b64("k")}});
    CHECK(json::parse(delete_range_request(key_range::prefix("k"), {.prev_kv = true})) ==
          json{{"key", b64("k")}, {"range_end", b64("l")}, {"prev_kv", true}});
}

TEST_CASE("a transaction request") {
    CHECK(txn_request(txn()) == "{}");
    CHECK(json::parse(txn_request(txn()
                                      .if_(mod_revision_of("a") == 5)
                                      .if_(version_of("b") == 0)
                                      .if_(create_revision_of("c") > 1)
                                      .if_(lease_of("d") != 2)
                                      .if_(value_of("e") < std::string("x"))
                                      .then(op::put("a", "t"))
                                      .then(op::range(key_range::key("a"), {.keys_only = true}))
                                      .else_(op::delete_range(key_range::prefix("a"), {.prev_kv = true})))) ==
          json::parse(R"({
        "compare": [
            {"target": "MOD", "result": "EQUAL", "key": "YQ==", "mod_revision": "5"},
            {"target": "VERSION", "result": "EQUAL", "key": "Yg==", "version": "0"},
            {"target": "CREATE", "result": "GREATER", "key": "Yw==", "create_revision": "1"},
            {"target": "LEASE", "result": "NOT_EQUAL", "key": "ZA==", "lease": "2"},
            {"target": "VALUE", "result": "LESS", "key": "ZQ==", "value": "eA=="}],
        "success": [
            {"request_put": {"key": "YQ==", "value": "dA=="}},
            {"request_range": {"key": "YQ==", "keys_only": true}}],
        "failure": [
            {"request_delete_range": {"key": "YQ==", "range_end": "Yg==", "prev_kv": true}}]})"));
    // transactions within transactions, in both branches
    const txn inner = txn().if_(version_of("b") == 0).then(op::put("b", "t"));
    const txn outer = txn().then(op::txn(inner)).else_(op::txn(txn()));
    CHECK(json::parse(txn_request(outer)) == json::parse(R"({
        "success": [{"request_txn": {
            "compare": [{"target": "VERSION", "result": "EQUAL", "key": "Yg==", "version": "0"}],
            "success": [{"request_put": {"key": "Yg==", "value": "dA=="}}]}}],
        "failure": [{"request_txn": {}}]})"));
    CHECK_FALSE(outer.read_only());
    CHECK(txn().then(op::txn(txn().then(op::range(key_range::key("a"))))).read_only());
    // an empty operand is still an operand
    CHECK(json::parse(txn_request(txn().if_(value_of("e") == std::string())))["compare"][0]["value"] == "");
    CHECK(json::parse(txn_request(txn().if_(create_revision_of(key_range::prefix("q/")) == 0)))["compare"][0]
          == json::parse(R"({"target":"CREATE","result":"EQUAL","key":"cS8=","range_end":"cTA=","create_revision":"0"})"));
    CHECK(json::parse(txn_request(txn().if_(version_of(key_range::prefix("a")) == 0)))["compare"][0]
          == json({{"result", "EQUAL"}, {"target", "VERSION"}, {"key", "YQ=="}, {"range_end", "Yg=="}, {"version", "0"}}));
}

TEST_CASE("watch requests") {
    watch_create plain{.range = key_range::prefix("/a/")};
    CHECK(json::parse(watch_request({&plain, 1})) ==
          json{{"create_request", {{"key", b64("/a/")}, {"range_end", b64("/a0")}}}});

    watch_create full{.range = key_range::key("w"), .start_revision = 7, .watch_id = 3, .progress_notify = true,
                      .prev_kv = true, .fragment = true, .no_put = true, .no_delete = true};
    const watch_create several[] = {plain, full};
    const std::string body = watch_request(several);
    const auto second = body.find("{\"create_request\"", 1);
    REQUIRE(second != std::string::npos);
    CHECK(json::parse(body.substr(0, second)) == json::parse(watch_request({&plain, 1})));
    CHECK(json::parse(body.substr(second)) ==
          json{{"create_request",
                {{"key", b64("w")}, {"start_revision", "7"}, {"progress_notify", true},
                 {"filters", {"NOPUT", "NODELETE"}}, {"prev_kv", true}, {"watch_id", "3"}, {"fragment", true}}}});
    // a byte after the message would stay unread, and blind the server to our disconnecting
    CHECK(body.back() == '}');

    full.no_put = false;
    CHECK(json::parse(watch_request({&full, 1}))["create_request"]["filters"] == json{"NODELETE"});
    full.no_put = true;
    full.no_delete = false;
    CHECK(json::parse(watch_request({&full, 1}))["create_request"]["filters"] == json{"NOPUT"});
}

TEST_CASE("an authenticate request takes any bytes") {
    CHECK(json::parse(authenticate_request("root", "pw")) == json{{"name", "root"}, {"password", "pw"}});
    std::string ascii;
    for (char c = 0; c < 127; ++c) ascii += c;
    ascii += "\x7f";
    CHECK(json::parse(authenticate_request("\"\\", ascii)) == json{{"name", "\"\\"}, {"password", ascii}});
    CHECK(json::parse(authenticate_request("", "p\xc3\xa4ss"))["password"] == "p\xc3\xa4ss");
    CHECK(authenticate_request("r", "\xff\xfe") == "{\"name\":\"r\",\"password\":\"\xff\xfe\"}");
}

TEST_CASE("lease requests") {
    CHECK(lease_grant_request(60, 0) == R"({"TTL":"60"})");
    CHECK(lease_grant_request(60, 77) == R"({"TTL":"60","ID":"77"})");
    CHECK(lease_revoke_request(77) == R"({"ID":"77"})");
    CHECK(lease_time_to_live_request(77, false) == R"({"ID":"77"})");
    CHECK(lease_time_to_live_request(77, true) == R"({"ID":"77","keys":true})");
    const lease_id ids[] = {77, -2};
    CHECK(lease_keep_alive_request(ids) == "{\"ID\":\"77\"}\n{\"ID\":\"-2\"}");
    CHECK(lease_keep_alive_request({}).empty());
}

TEST_CASE("a number that no enumerator has is sent as the first of them") {
    range_options o;
    o.order = static_cast<sort_order>(99);
    o.target = static_cast<sort_target>(99);
    CHECK(json::parse(range_request(key_range::key("a"), o)) == json{{"key", "YQ=="}, {"sort_order", "NONE"}, {"sort_target", "KEY"}});
    comparison odd = value_of("a") == "b";
    odd.is = static_cast<comparison::relation>(99);
    odd.what = static_cast<comparison::target>(99);
    CHECK(json::parse(txn_request(txn().if_(odd)))["compare"][0]
          == json{{"result", "EQUAL"}, {"target", "VERSION"}, {"key", "YQ=="}, {"version", "0"}});
}
