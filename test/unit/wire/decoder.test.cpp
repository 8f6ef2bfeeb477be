#include "support/catch.hpp"

#include "wire/decoder.hpp"

#include <limits>

using namespace dynconf;
using namespace dynconf::wire;

namespace {

template <class Message>
result<Message> decode(std::string_view text,
                       typename decoder<Message>::envelope e = decoder<Message>::envelope::none) {
    decoder<Message> d(e);
    d.write(text);
    return d.finish();
}

constexpr auto line = decoder<watch_response>::envelope::result;

// The same failure whether it came whole, in bytes, or in two pieces; `words` must be among its words.
template <class Message>
void check_malformed(const std::string& text, const std::string& words) {
    CAPTURE(text);
    const auto whole = decode<Message>(text);
    REQUIRE_FALSE(whole);
    CHECK(whole.error() == errc::malformed_response);
    CHECK(whole.error().detail.find(words) != std::string::npos);
    CHECK(whole.error().detail.size() <= 200);
    for (std::size_t i = 0; i <= text.size(); ++i) {
        decoder<Message> d;
        d.write(std::string_view(text).substr(0, i));
        d.write(std::string_view(text).substr(i));
        const auto cut = d.finish();
        REQUIRE_FALSE(cut);
        CHECK(cut.error().detail == whole.error().detail);
    }
}

}  // namespace

TEST_CASE("a message without fields is all zero") {
    const auto r = decode<range_response>("{}");
    REQUIRE(r);
    CHECK(r->kvs.empty());
    CHECK(r->count == 0);
    CHECK_FALSE(r->more);
    CHECK(r->header.revision == 0);
    CHECK(decode<range_response>(" \n{ } \r\n"));
}

TEST_CASE("every field of a range answer, in any order and spelling") {
    const auto r = decode<range_response>(R"({ "count" : 2, "more":true,
        "kvs":[{"lease":"-7587869", "value":"dg==","version":3,"modRevision":"9223372036854775806",
                "create_revision":"2","key":"YQ=="},
               {"key":"\u0059g=="}],
        "header":{"raftTerm":"2","revision":"5","member_id":18446744073709551615,
                  "clusterId":"12131692803055865972"}})");
    REQUIRE(r);
    CHECK(r->count == 2);
    CHECK(r->more);
    CHECK(r->header.cluster_id == 12131692803055865972u);
    CHECK(r->header.member_id == std::numeric_limits<std::uint64_t>::max());
    CHECK(r->header.revision == 5);
    CHECK(r->header.raft_term == 2);
    REQUIRE(r->kvs.size() == 2);
    CHECK(r->kvs[0] == key_value{.key = "a", .value = "v", .create_revision = 2,
                                 .mod_revision = std::numeric_limits<std::int64_t>::max() - 1, .version = 3,
                                 .lease = -7587869});
    CHECK(r->kvs[1].key == "b");
}

TEST_CASE("numbers may be text or not") {
    const auto r = decode<range_response>(R"({"count":3,"header":{"cluster_id":7,"member_id":"8","revision":9}})");
    REQUIRE(r);
    CHECK(r->count == 3);
    CHECK(r->header.cluster_id == 7);
    CHECK(r->header.member_id == 8);
    CHECK(r->header.revision == 9);
}

TEST_CASE("what is unknown is skipped whole, wherever it is cut") {
    const std::string body = R"({
        "kvs_":[{"key":"bad base64!"}], "a":{"kvs":[{"key":"YQ=="}],"count":"9","b":[[],[{}],{"c":[1,2.5,-1e400]}]},
        "header":{"revision":"5","new":{"revision":"6"},"newer":["x",null,true]},
        "kvs":[{"key":"Yg==","tags":[["count"]]}],
        "kvsX":null, "huge":18446744073709551615, "Count":"8", "co_unt":"7", "":"6", "unit":1.5,
        "a name that is far longer than any that a field of ours could have, and then some more of it":"x",
        "count":"1"})";
    for (std::size_t i = 0; i <= body.size(); ++i) {
        CAPTURE(i);
        decoder<range_response> d;
        REQUIRE(d.write(std::string_view(body).substr(0, i)));
        REQUIRE(d.write(std::string_view(body).substr(i)));
        const auto r = d.finish();
        REQUIRE(r);
        CHECK(r->count == 1);
        CHECK(r->header.revision == 5);
        REQUIRE(r->kvs.size() == 1);
        CHECK(r->kvs[0].key == "b");
    }
}

TEST_CASE("null is absent") {
    const auto r = decode<range_response>(
        R"({"header":null,"kvs":[null,{"key":null,"value":"dg==","lease":null}],"more":null,"count":null})");
    REQUIRE(r);
    REQUIRE(r->kvs.size() == 1);
    CHECK(r->kvs[0].value == "v");
    CHECK(decode<range_response>(R"({"kvs":null,"error":null,"code":null,"message":null})"));
    const auto p = decode<put_response>(R"({"prev_kv":null})");
    REQUIRE(p);
    CHECK_FALSE(p->prev_kv);
}

TEST_CASE("the last of two equal members counts") {
    const auto r = decode<range_response>(R"({"count":"1","kvs":[{"key":"YQ==","key":"Yg=="}],"count":"2"})");
    REQUIRE(r);
    CHECK(r->count == 2);
    CHECK(r->kvs.at(0).key == "b");
}

TEST_CASE("bytes after the message are nobody's") {
    decoder<range_response> d;
    CHECK(d.write("{\"count\":\"1\"} {\"count\":\"2\"} garbage"));
    CHECK(d.write("}}}"));
    const auto r = d.finish();
    REQUIRE(r);
    CHECK(r->count == 1);
}

TEST_CASE("a decoder is ready for the next message, after good and bad ones") {
    decoder<range_response> d;
    CHECK(d.write(R"({"kvs":[{"key":"YQ=="}],"header":{"revision":"5"}})"));
    CHECK(d.finish());
    CHECK_FALSE(d.write(R"({"kvs":[{"key":"*"}]})"));
    CHECK_FALSE(d.write("more"));
    CHECK_FALSE(d.finish());
    CHECK(d.write(R"({"code":5,"message":"etcdserver: requested lease not found"})"));
    CHECK(d.finish().error() == server_errc::lease_not_found);
    CHECK(d.write(R"({"kvs":[{"key":"YQ)"));
    CHECK_FALSE(d.finish());
    CHECK(d.write(R"({"kvs":[{"key":"Yg=="}]})"));
    const auto last = d.finish();
    REQUIRE(last);
    CHECK(last->header.revision == 0);
    REQUIRE(last->kvs.size() == 1);
    CHECK(last->kvs[0].key == "b");
}

TEST_CASE("a decoder can be moved") {
    decoder<range_response> first;
    first.write("{\"count\":");
    decoder<range_response> second = std::move(first);
    second.write("\"3\"}");
    const auto r = second.finish();
    REQUIRE(r);
    CHECK(r->count == 3);
}

TEST_CASE("a field of another type is named") {
    using range = range_response;
    check_malformed<range>(R"({"count":"x"})", "'count'");
    check_malformed<range>(R"({"count":""})", "'count'");
    check_malformed<range>(R"({"count":"1 "})", "'count'");
    check_malformed<range>(R"({"count":"+1"})", "'count'");
    check_malformed<range>(R"({"count":"9223372036854775808"})", "'count'");
    check_malformed<range>(R"({"count":9223372036854775808})", "'count'");
    check_malformed<range>(R"({"count":1.5})", "'count'");
    check_malformed<range>(R"({"count":true})", "'count'");
    check_malformed<range>(R"({"count":{}})", "'count'");
    check_malformed<range>(R"({"count":["1"]})", "'count'");
    check_malformed<range>(R"({"header":{"cluster_id":"-1"}})", "'header.cluster_id'");
    check_malformed<range>(R"({"header":{"cluster_id":-1}})", "'header.cluster_id'");
    check_malformed<range>(R"({"header":{"cluster_id":"18446744073709551616"}})", "'header.cluster_id'");
    check_malformed<range>(R"({"header":{"cluster_id":"1844674407370955161)" + std::string(100, '6') + R"("}})", "'header.cluster_id'");
    check_malformed<range>(R"({"header":[]})", "'header'");
    check_malformed<range>(R"({"header":"x"})", "'header'");
    check_malformed<range>(R"({"more":"true"})", "'more'");
    check_malformed<range>(R"({"more":1})", "'more'");
    check_malformed<range>(R"({"kvs":{}})", "'kvs'");
    check_malformed<range>(R"({"kvs":"x"})", "'kvs'");
    check_malformed<range>(R"({"kvs":[[]]})", "'kvs'");
    check_malformed<range>(R"({"kvs":["x"]})", "'kvs'");
    check_malformed<range>(R"({"kvs":[{"key":5}]})", "'kvs.key'");
    check_malformed<range>(R"({"kvs":[{"key":true}]})", "'kvs.key'");
    check_malformed<range>(R"({"kvs":[{"key":"YQ==","value":"*"}]})", "'kvs.value'");
    check_malformed<range>(R"({"kvs":[{"value":"YQ=="},{"value":"YQ="}]})", "'kvs.value'");
    check_malformed<range>(R"({"kvs":[{"value":"YWJj\n"}]})", "'kvs.value'");
    check_malformed<range>(R"({"kvs":[{"value":["YQ=="]}]})", "'kvs.value'");
    check_malformed<status_response>(R"({"errors":"x"})", "'errors'");
    check_malformed<status_response>(R"({"errors":[5]})", "'errors'");
    check_malformed<status_response>(R"({"version":5})", "'version'");
    check_malformed<lease_time_to_live_response>(R"({"keys":["YQ==","*"]})", "'keys'");
    check_malformed<txn_response>(R"({"responses":[{"response_txn":{"succeeded":"yes"}}]})", "'responses.response_txn.succeeded'");
    check_malformed<txn_response>(R"({"responses":[{"response_range":{"count":"x"}}]})",
                                  "'responses.response_range.count'");
    check_malformed<watch_response>(R"({"events":[{"type":"MOVE"}]})", "'events.type'");
    check_malformed<watch_response>(R"({"events":[{"type":2}]})", "'events.type'");
    check_malformed<watch_response>(R"({"events":[{"type":true}]})", "'events.type'");
}

TEST_CASE("numbers to which something will be added have room for it") {
    check_malformed<range_response>(R"({"header":{"revision":"9223372036854775807"}})", "'header.revision' is beyond what etcd counts to");
    check_malformed<range_response>(R"({"header":{"revision":9223372036854775807}})", "'header.revision'");
    check_malformed<range_response>(R"({"header":{"revision":"-9223372036854775808"}})", "'header.revision'");
    check_malformed<range_response>(R"({"kvs":[{"mod_revision":"9223372036854775807"}]})", "'kvs.mod_revision'");
    check_malformed<watch_response>(R"({"compact_revision":"9223372036854775807"})", "'compact_revision'");
    check_malformed<lease_grant_response>(R"({"TTL":"9000000001"})", "'TTL'");
    check_malformed<lease_keep_alive_response>(R"({"TTL":9000000001})", "'TTL'");
    check_malformed<lease_time_to_live_response>(R"({"grantedTTL":"-9000000001"})", "'grantedTTL'");
    const auto longest = decode<lease_grant_response>(R"({"ID":"9223372036854775807","TTL":"9000000000"})");
    REQUIRE(longest);
    CHECK(longest->ttl == 9'000'000'000);
    CHECK(longest->id == std::numeric_limits<lease_id>::max());
}

TEST_CASE("what is no message says so") {
    check_malformed<range_response>("", "the body was empty");
    check_malformed<range_response>(" \n", "ends before");
    check_malformed<range_response>("{", "ends before");
    check_malformed<range_response>(R"({"kvs":[{"key":"YQ==")", "ends before");
    check_malformed<range_response>(R"({"kvs":[{"key":"YQ)", "ends before");
    check_malformed<range_response>("[]", "array");
    check_malformed<range_response>("null", "null");
    check_malformed<range_response>("\"x\"", "single value");
    check_malformed<range_response>("true", "single value");
    check_malformed<range_response>("404 page not found\n", "404 page not found");
    check_malformed<range_response>("<html>", "<html>");
    check_malformed<range_response>("{]", "{]");
    check_malformed<range_response>("{\"count\":01}", "not JSON");
    check_malformed<range_response>("\xef\xbb\xbf{}", "not JSON");
    check_malformed<range_response>(std::string("{\"a\":\"\0\"}", 9), "not JSON");
}

TEST_CASE("nesting is limited") {
    std::string deep = "{\"x\":";
    check_malformed<range_response>(deep + std::string(100, '[') + std::string(100, ']') + "}", "not JSON");
    std::string million = deep;
    for (int i = 0; i < 1000000; ++i) million += "{\"kvs\":";
    const auto r = decode<range_response>(million);
    REQUIRE_FALSE(r);
    CHECK(r.error() == errc::malformed_response);
    CHECK(decode<range_response>(deep + std::string(20, '[') + std::string(20, ']') + "}"));
}

TEST_CASE("large values and many keys") {
    const std::string value(3 << 20, 'A');   // base64 of zero bytes
    std::string body = "{\"kvs\":[{\"key\":\"YQ==\",\"value\":\"" + value + "\"}";
    for (int i = 0; i < 10000; ++i) body += R"(,{"key":"Yg==","mod_revision":")" + std::to_string(i) + "\"}";
    body += "]}";
    for (const std::size_t piece : {body.size(), std::size_t{65536}, std::size_t{4099}}) {
        decoder<range_response> d;
        for (std::size_t at = 0; at < body.size(); at += piece)
            REQUIRE(d.write(std::string_view(body).substr(at, piece)));
        const auto r = d.finish();
        REQUIRE(r);
        REQUIRE(r->kvs.size() == 10001);
        CHECK(r->kvs[0].value == std::string(value.size() / 4 * 3, '\0'));
        CHECK(r->kvs[10000].mod_revision == 9999);
    }
}

TEST_CASE("an answer that is an error, whatever its shape") {
    const std::pair<const char*, error_code> bodies[] = {
        {R"({"code":5,"message":"etcdserver: requested lease not found"})", server_errc::lease_not_found},
        {R"({"message":"etcdserver: requested lease not found","code":"5"})", server_errc::lease_not_found},
        {R"({"error":"etcdserver: no leader"})", server_errc::no_leader},
        {R"({"error":"etcdserver: no leader","message":"etcdserver: no leader","code":14})", server_errc::no_leader},
        {R"({"error":{"grpc_code":14,"http_code":503,"message":"x","http_status":"y"}})", grpc_errc::unavailable},
        {R"({"error":{"code":14,"message":"etcdserver: no leader"}})", server_errc::no_leader},
        {R"({"error":{}})", grpc_errc::unknown},
        {R"({"code":2})", grpc_errc::unknown},
        {R"({"kvs":[],"code":7})", grpc_errc::permission_denied},
    };
    for (const auto& [body, code] : bodies) {
        CAPTURE(body);
        CHECK(decode<range_response>(body).error() == code);
        CHECK(decode<watch_response>(body, line).error() == code);
    }
    // these words alone are no error, and further down they are somebody else's
    CHECK(decode<range_response>(R"({"message":"hello","code":0,"error":""})"));
    CHECK(decode<range_response>(R"({"header":{"code":5,"error":"x"},"kvs":[{"error":{"code":3}}]})"));
    CHECK(decode<range_response>(R"({"code":["x"],"message":{"a":1},"error":[{}]})"));
}

TEST_CASE("a line of a stream is a result or an error") {
    const auto r = decode<watch_response>(R"({"result":{"watch_id":"-1","created":true}})", line);
    REQUIRE(r);
    CHECK(r->created);
    CHECK(r->watch_id == -1);
    CHECK(decode<watch_response>(R"({"result":{}})", line));
    for (const char* bad : {"{}", R"({"result":null})", R"({"created":true})", R"({"result":[]})",
                            R"({"result":"x"})"}) {
        CAPTURE(bad);
        const auto refused = decode<watch_response>(bad, line);
        REQUIRE_FALSE(refused);
        CHECK(refused.error() == errc::malformed_response);
    }
    const auto field = decode<watch_response>(R"({"result":{"events":[{"kv":{"key":"*"}}]}})", line);
    CHECK(field.error().detail.find("'result.events.kv.key'") != std::string::npos);
}

TEST_CASE("events of a watch") {
    const auto r = decode<watch_response>(R"({"result":{"header":{"revision":"9"},"fragment":true,"events":[
        {"kv":{"key":"YQ==","create_revision":"9","mod_revision":"9","version":"1"}},
        {"type":"PUT","kv":{"key":"Yg=="}},
        {"type":"DELETE","kv":{"key":"Yw==","mod_revision":"9"},"prevKv":{"key":"Yw==","value":"dg=="}},
        {"type":0,"kv":{}},{"type":1}]}})", line);
    REQUIRE(r);
    CHECK(r->header.revision == 9);
    CHECK(r->fragment);
    REQUIRE(r->events.size() == 5);
    CHECK(r->events[0].type == event::kind::put);
    CHECK(r->events[0].is_create());
    CHECK_FALSE(r->events[0].prev_kv);
    CHECK(r->events[1].type == event::kind::put);
    CHECK(r->events[2].type == event::kind::erase);
    REQUIRE(r->events[2].prev_kv);
    CHECK(r->events[2].prev_kv->value == "v");
    CHECK(r->events[3].type == event::kind::put);
    CHECK(r->events[4].type == event::kind::erase);

    const auto refused = decode<watch_response>(
        R"({"result":{"canceled":true,"compact_revision":"8","cancel_reason":"a \"b\" \u00e4 \ud83d\ude00"}})", line);
    REQUIRE(refused);
    CHECK(refused->canceled);
    CHECK(refused->compact_revision == 8);
    CHECK(refused->cancel_reason == "a \"b\" \xc3\xa4 \xf0\x9f\x98\x80");
}

TEST_CASE("the responses of a transaction") {
    const auto r = decode<txn_response>(R"({"succeeded":true,"responses":[
        {"response_put":{"header":{"revision":"6"},"prev_kv":{"key":"YQ=="}}},
        {"response_range":{"kvs":[{"key":"YQ=="}],"count":"1"}},
        {"responseDeleteRange":{"deleted":"2","prev_kvs":[{"key":"YQ=="},{"key":"Yg=="}]}},
        {"response_range":{}},
        {"response_txn":{"header":{},"succeeded":true,"responses":[{"response_put":{}},{"response_txn":{}}]}}]})");
    REQUIRE(r);
    CHECK(r->succeeded);
    REQUIRE(r->responses.size() == 5);
    CHECK(std::get<put_response>(r->responses[0]).header.revision == 6);
    CHECK(std::get<put_response>(r->responses[0]).prev_kv->key == "a");
    CHECK(std::get<range_response>(r->responses[1]).kvs.at(0).key == "a");
    CHECK(std::get<delete_response>(r->responses[2]).deleted == 2);
    CHECK(std::get<delete_response>(r->responses[2]).prev_kvs.at(1).key == "b");
    CHECK(std::get<range_response>(r->responses[3]).count == 0);
    const auto& inner = std::get<txn_response>(r->responses[4]);
    CHECK(inner.succeeded);
    REQUIRE(inner.responses.size() == 2);
    CHECK(std::holds_alternative<put_response>(inner.responses[0]));
    CHECK_FALSE(std::get<txn_response>(inner.responses[1]).succeeded);
}

TEST_CASE("answers of leases, authentication and status") {
    const auto grant = decode<lease_grant_response>(
        R"({"header":{"revision":"3"},"ID":"-5","TTL":"60","error":"odd"})");
    REQUIRE(grant);
    CHECK(grant->id == -5);
    CHECK(grant->ttl == 60);
    CHECK(grant->error == "odd");
    CHECK(decode<lease_grant_response>(
              R"({"error":"etcdserver: lease already exists","code":9,"message":"etcdserver: lease already exists"})")
              .error() == server_errc::lease_exists);

    const auto lost = decode<lease_keep_alive_response>(R"({"result":{"header":{},"ID":"1234"}})",
                                                        decoder<lease_keep_alive_response>::envelope::result);
    REQUIRE(lost);
    CHECK(lost->id == 1234);
    CHECK(lost->ttl == 0);

    const auto left = decode<lease_time_to_live_response>(
        R"({"ID":"7","TTL":"-1","grantedTTL":"60","keys":["YQ==","Yg=="]})");
    REQUIRE(left);
    CHECK(left->ttl == -1);
    CHECK(left->granted_ttl == 60);
    CHECK(left->keys == std::vector<std::string>{"a", "b"});

    const auto who = decode<authenticate_response>(R"({"token":"tvbeuCzmrzUehLDw.13"})");
    REQUIRE(who);
    CHECK(who->token == "tvbeuCzmrzUehLDw.13");

    const auto status = decode<status_response>(R"({"version":"3.6.14","dbSize":"20480",
        "leader":"12131692803055865972","raftIndex":"8","raftTerm":"2","raftAppliedIndex":"7",
        "errors":["etcdserver: no leader","memberID:1 alarm:NOSPACE "],"dbSizeInUse":"16384",
        "isLearner":true,"storageVersion":"3.6.0","dbSizeQuota":"2147483648","downgradeInfo":{}})");
    REQUIRE(status);
    CHECK(status->version == "3.6.14");
    CHECK(status->db_size == 20480);
    CHECK(status->db_size_in_use == 16384);
    CHECK(status->leader == 12131692803055865972u);
    CHECK(status->raft_index == 8);
    CHECK(status->raft_applied_index == 7);
    CHECK(status->errors.size() == 2);
    CHECK(status->is_learner);

    CHECK(decode<header_only_response>(R"({"header":{"revision":"3"}})")->header.revision == 3);
}

TEST_CASE("a token is never quoted") {
    for (const char* body : {R"({"token":"secret-token)", R"({"token":"secret-token","header":5})", "secret-token"}) {
        const auto r = decode<authenticate_response>(body);
        REQUIRE_FALSE(r);
        CHECK(r.error().message().find("secret") == std::string::npos);
    }
}

TEST_CASE("a list of members, one that is not started and a learner among them") {
    const auto found = decode<member_list_response>(R"({"header":{"cluster_id":"7"},"members":[
        {"ID":"1","name":"a","peerURLs":["http://a:2380"],"clientURLs":["http://a:2379","http://0.0.0.0:2379"]},
        {"ID":"2","peerURLs":["http://b:2380"]},
        {"ID":"3","name":"c","peerURLs":[],"clientURLs":["http://c:2379"],"isLearner":true}]})");
    REQUIRE(found);
    const member_list_response& list = *found;
    REQUIRE(list.members.size() == 3);
    CHECK(list.header.cluster_id == 7);
    CHECK(list.members[0].name == "a");
    CHECK(list.members[0].client_urls == std::vector<std::string>{"http://a:2379", "http://0.0.0.0:2379"});
    CHECK(list.members[1].name.empty());
    CHECK(list.members[1].client_urls.empty());
    CHECK(list.members[2].is_learner);
}
