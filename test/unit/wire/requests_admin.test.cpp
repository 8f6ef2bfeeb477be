#include "support/catch.hpp"

#include "wire/base64.hpp"
#include "wire/requests.hpp"

#include <nlohmann/json.hpp>

#include <string>

using namespace dynconf;
using namespace dynconf::wire;
using nlohmann::json;

namespace {

json made(const result<std::string>& body) {
    REQUIRE(body);
    return json::parse(*body);
}

void refuses(const result<std::string>& body) {
    REQUIRE_FALSE(body);
    CHECK(body.error() == errc::invalid_argument);
    CHECK(body.error().detail.find("secret") == std::string::npos);
}

}  // namespace

TEST_CASE("user and role requests") {
    CHECK(made(user_add_request("u", "p\"w")) == json{{"name", "u"}, {"password", "p\"w"}});
    CHECK(made(user_add_request("u", std::nullopt)) == json{{"name", "u"}, {"options", {{"no_password", true}}}});
    CHECK(made(user_change_password_request("u", "pw")) == json{{"name", "u"}, {"password", "pw"}});
    CHECK(made(user_delete_request("u")) == json{{"name", "u"}});
    CHECK(made(user_get_request("u")) == json{{"name", "u"}});
    CHECK(made(user_grant_role_request("u", "r")) == json{{"user", "u"}, {"role", "r"}});
    CHECK(made(user_revoke_role_request("u", "r")) == json{{"name", "u"}, {"role", "r"}});
    CHECK(made(role_add_request("r")) == json{{"name", "r"}});
    CHECK(made(role_delete_request("r")) == json{{"role", "r"}});
    CHECK(made(role_get_request("r")) == json{{"role", "r"}});
    CHECK(made(role_grant_permission_request("r", "READWRITE", key_range::prefix("a"))) ==
          json{{"name", "r"}, {"perm", {{"permType", "READWRITE"}, {"key", "YQ=="}, {"range_end", "Yg=="}}}});
    CHECK(made(role_grant_permission_request("r", "READ", key_range::key("a"))) ==
          json{{"name", "r"}, {"perm", {{"permType", "READ"}, {"key", "YQ=="}}}});
    CHECK(made(role_grant_permission_request("r", "READ", key_range::prefix("")))["perm"]["range_end"] == "AA==");
    CHECK(made(role_revoke_permission_request("r", key_range::from("a"))) ==
          json{{"role", "r"}, {"key", "YQ=="}, {"range_end", "AA=="}});
}

TEST_CASE("what etcd would take for something else is refused, without quoting it") {
    refuses(user_add_request("u", ""));
    refuses(user_add_request("secret\xff", "p"));
    refuses(user_add_request("u", "secret\xff"));
    refuses(user_add_request("secret\xc3", std::nullopt));
    refuses(user_change_password_request("u", ""));
    refuses(user_change_password_request("u", "secret\xed\xa0\x80"));
    refuses(user_delete_request("\x80"));
    refuses(role_add_request("\xc0\xaf"));
    refuses(role_grant_permission_request("\xfe", "READ", key_range::key("k")));
    refuses(role_revoke_permission_request("\xfe", key_range::key("k")));
    refuses(role_grant_permission_request("r", "READ", key_range::interval("b", "a")));
    refuses(role_grant_permission_request("r", "READ", key_range::interval("b", "b")));
    CHECK(user_add_request("u", "p\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
}

TEST_CASE("cluster and maintenance requests") {
    CHECK(compaction_request(7, false) == R"({"revision":"7"})");
    CHECK(compaction_request(7, true) == R"({"revision":"7","physical":true})");
    CHECK(hash_kv_request(0) == "{}");
    CHECK(hash_kv_request(3) == R"({"revision":"3"})");
    // IDs of members use all 64 bits
    CHECK(json::parse(alarm_list_request()) == json{{"action", "GET"}});
    CHECK(json::parse(alarm_disarm_request(12131692803055865972u, "NOSPACE")) ==
          json{{"action", "DEACTIVATE"}, {"memberID", "12131692803055865972"}, {"alarm", "NOSPACE"}});
    CHECK(move_leader_request(12131692803055865972u) == R"({"targetID":"12131692803055865972"})");
    CHECK(json::parse(downgrade_request("ENABLE", "3.4.0")) == json{{"action", "ENABLE"}, {"version", "3.4.0"}});
    CHECK(downgrade_request("CANCEL", {}) == R"({"action":"CANCEL"})");
    CHECK(member_id_request(12131692803055865972u) == R"({"ID":"12131692803055865972"})");
    CHECK(member_list_request(false) == "{}");
    CHECK(member_list_request(true) == R"({"linearizable":true})");
    CHECK(member_add_request({"http://a:1", "http://b:2"}, false) == R"({"peerURLs":["http://a:1","http://b:2"]})");
    CHECK(member_add_request({}, true) == R"({"peerURLs":[],"isLearner":true})");
    CHECK(member_update_request(5, {"http://\"a"}) == R"({"ID":"5","peerURLs":["http://\"a"]})");
}
