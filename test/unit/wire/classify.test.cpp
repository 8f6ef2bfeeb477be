#include "support/catch.hpp"
#include "support/capture.hpp"

#include "wire/classify.hpp"
#include "wire/quote.hpp"

using namespace dynconf;
using namespace dynconf::wire;

namespace {

struct row {
    unsigned http;
    int code;
    std::string message;
    error_code expected;
};

const std::string cn_refusal =
    "CommonName of client sending a request against gateway will be ignored and not used as expected";

// What etcd answers when, as it was seen or read: status, gRPC code, words.
const row rows[] = {
    {400, 3, "proto: (line 1:8): invalid value for bytes field key: \"***\"", grpc_errc::invalid_argument},
    {400, 3, "illegal base64 data at input byte 0", grpc_errc::invalid_argument},
    {400, 3, "etcdserver: key is not provided", server_errc::empty_key},
    {400, 3, "etcdserver: key not found", server_errc::key_not_found},
    {400, 11, "etcdserver: mvcc: required revision has been compacted", server_errc::compacted},
    {400, 11, "etcdserver: mvcc: required revision is a future revision", server_errc::future_revision},
    {404, 5, "etcdserver: requested lease not found", server_errc::lease_not_found},
    {400, 9, "etcdserver: lease already exists", server_errc::lease_exists},
    {412, 9, "etcdserver: lease already exists", server_errc::lease_exists},
    {400, 11, "etcdserver: too large lease TTL", server_errc::lease_ttl_too_large},
    {400, 3, "etcdserver: too many operations in txn request", server_errc::too_many_ops},
    {400, 3, "etcdserver: duplicate key given in txn request", server_errc::duplicate_key},
    {400, 3, "etcdserver: request is too large", server_errc::request_too_large},
    {429, 8, "grpc: received message larger than max (2098186 vs. 2097152)", server_errc::request_too_large},
    {429, 8, "etcdserver: mvcc: database space exceeded", server_errc::no_space},
    {429, 8, "etcdserver: too many requests", server_errc::too_many_requests},
    {400, 3, "etcdserver: user name is empty", server_errc::user_empty},
    {401, 16, "etcdserver: invalid auth token", server_errc::invalid_auth_token},
    {400, 3, "etcdserver: revision of auth store is old", server_errc::auth_old_revision},
    {403, 7, "etcdserver: permission denied", server_errc::permission_denied},
    {400, 3, "etcdserver: authentication failed, invalid user ID or password", server_errc::auth_failed},
    {500, 2, "auth: authentication failed, password was given for no password user", server_errc::auth_failed},
    {400, 9, "etcdserver: authentication is not enabled", server_errc::auth_not_enabled},
    {412, 9, "etcdserver: authentication is not enabled", server_errc::auth_not_enabled},
    {503, 14, "etcdserver: request timed out", server_errc::timeout},
    {503, 14, "etcdserver: request timed out, possibly due to previous leader failure",
     server_errc::timeout_leader_failure},
    {503, 14, "etcdserver: request timed out, possibly due to connection lost", server_errc::timeout_connection_lost},
    {503, 14, "etcdserver: request timed out, waiting for the applied index took too long",
     server_errc::timeout_applied_index},
    {500, 2, "etcdserver: request timed out, leader transfer took too long", server_errc::timeout},
    {504, 4, "context deadline exceeded", grpc_errc::deadline_exceeded},
    {500, 2, "context deadline exceeded", grpc_errc::deadline_exceeded},
    {500, 0, "context deadline exceeded", grpc_errc::deadline_exceeded},
    {504, 4, "stream terminated by RST_STREAM with error code: CANCEL", grpc_errc::deadline_exceeded},
    {503, 14, "etcdserver: no leader", server_errc::no_leader},
    {503, 14, "etcdserver: leader changed", server_errc::leader_changed},
    {503, 14, "etcdserver: rpc not supported for learner", server_errc::not_supported_for_learner},
    {400, 9, "etcdserver: rpc not supported for learner", server_errc::not_supported_for_learner},
    {400, 9, "etcdserver: can only promote a learner member", server_errc::member_not_learner},
    {400, 9, "etcdserver: can only promote a learner member which is in sync with leader",
     server_errc::learner_not_ready},
    {503, 14, "transport is closing", grpc_errc::unavailable},
    {503, 14, "error reading from server: EOF", grpc_errc::unavailable},
    {503, 14, "closing transport due to: connection error: desc = \"error reading from server: EOF\", received prior "
              "goaway: code: NO_ERROR, debug data: \"graceful_stop\"", grpc_errc::unavailable},
    {500, 13, "server closed the stream without sending trailers", grpc_errc::internal},
    {408, 1, "grpc: the client connection is closing", grpc_errc::canceled},
    {499, 1, "grpc: the client connection is closing", grpc_errc::canceled},
    {500, 2, "rpc error: code = Unavailable desc = connection closed", grpc_errc::unavailable},
    {500, 2, "election: no leader", grpc_errc::unknown},
    {500, 2, "etcdserver: requested lease not found", server_errc::lease_not_found},
    {501, 12, "Method Not Allowed", grpc_errc::unimplemented},
    {404, 5, "Not Found", errc::not_supported},
    {499, 1, "etcdserver: request cancelled", server_errc::canceled},
};

std::string as_json_text(const std::string& words) {
    std::string out = "\"";
    for (const char c : words) (c == '"' || c == '\\' ? out += '\\' : out) += c;
    return out + '"';
}

}  // namespace

TEST_CASE("every error of etcd, in every shape that a gateway gives it") {
    for (const row& r : rows) {
        CAPTURE(r.http, r.code, r.message);
        const std::string words = as_json_text(r.message), code = std::to_string(r.code);
        const std::string bodies[] = {
            "{\"error\":" + words + ",\"message\":" + words + ",\"code\":" + code + "}",
            "{\"error\":" + words + ",\"code\":" + code + ",\"message\":" + words + "}",
            "{\"code\":" + code + ",\"message\":" + words + "}",
            "{\"code\":" + code + ", \"message\":" + words + ", \"details\":[]}\n",
            "{\"error\":{\"grpc_code\":" + code + ",\"http_code\":" + std::to_string(r.http) + ",\"message\":" + words +
                ",\"http_status\":\"X\"}}",
            "{\"error\":{\"code\":" + code + ",\"message\":" + words + "}}\n",
        };
        for (const std::string& body : bodies) {
            CAPTURE(body);
            const error e = classify(r.http, body);
            CHECK(e.code == r.expected);
            CHECK(e.detail == quote(r.message));
        }
        const error e = classify(server_fault{r.code, r.message});
        CHECK(e.code == r.expected);
        CHECK(e.detail == quote(r.message));
    }
}

TEST_CASE("what the recorded servers refused") {
    const std::pair<const char*, error_code> expected[] = {
        {"auth-denied-put", server_errc::permission_denied},
        {"auth-denied-range", server_errc::permission_denied},
        {"auth-denied-txn", server_errc::permission_denied},
        {"auth-enable-noroot", server_errc::root_user_missing},
        {"auth-expired-token", server_errc::invalid_auth_token},
        {"auth-garbage-token", server_errc::invalid_auth_token},
        {"auth-missing-token", server_errc::user_empty},
        {"auth-nopass-authenticate", server_errc::auth_failed},
        {"auth-not-enabled-authenticate", server_errc::auth_not_enabled},
        {"auth-root-delete", server_errc::invalid_auth_management},
        {"auth-unknown-user", server_errc::auth_failed},
        {"auth-user-add-dup", server_errc::user_exists},
        {"auth-user-get-notfound", server_errc::user_not_found},
        {"auth-user-revoke-notgranted", server_errc::role_not_granted},
        {"auth-wrong-password", server_errc::auth_failed},
        {"compact-again", server_errc::compacted},
        {"compact-future", server_errc::future_revision},
        {"election-noleader", grpc_errc::unknown},
        {"err-bad-base64", grpc_errc::invalid_argument},
        {"err-bad-json", grpc_errc::invalid_argument},
        {"err-get", grpc_errc::unimplemented},
        {"err-head", grpc_errc::unimplemented},
        {"err-json-emptyop", server_errc::key_not_found},
        {"err-timeout-bad", grpc_errc::invalid_argument},
        {"err-timeout-hdr2", grpc_errc::deadline_exceeded},
        {"err-too-large-1572864", server_errc::request_too_large},
        {"err-too-large-2098176", server_errc::request_too_large},
        {"err-txn-dup-del", server_errc::duplicate_key},
        {"err-txn-dup-key", server_errc::duplicate_key},
        {"err-txn-lease-nf", server_errc::lease_not_found},
        {"err-txn-put-nokey", server_errc::empty_key},
        {"err-txn-too-many", server_errc::too_many_ops},
        {"err-unknown-path", errc::not_supported},
        {"err-unknown-root", errc::gateway_disabled},
        {"grpc-timeout-504", grpc_errc::deadline_exceeded},
        {"health-noleader", grpc_errc::unavailable},
        {"learner-range", server_errc::not_supported_for_learner},
        {"lease-grant-dup", server_errc::lease_exists},
        {"lease-grant-toolarge", server_errc::lease_ttl_too_large},
        {"lease-revoke-notfound", server_errc::lease_not_found},
        {"member-remove-notfound", server_errc::member_not_found},
        {"nospace-lease", server_errc::no_space},
        {"nospace-put", server_errc::no_space},
        {"nospace-txn-put", server_errc::no_space},
        {"put-empty-key", server_errc::empty_key},
        {"put-ignore-value-nokey", server_errc::key_not_found},
        {"put-ignore-value-provided", server_errc::value_provided},
        {"put-lease-notfound", server_errc::lease_not_found},
        {"range-compacted", server_errc::compacted},
        {"range-future", server_errc::future_revision},
        {"range-int-bad", grpc_errc::invalid_argument},
        {"transfer-leadership", server_errc::bad_leader_transferee},
        {"txn-range-compacted", server_errc::compacted},
        {"unary-noleader", server_errc::no_leader},
        {"unary-timed-out", grpc_errc::deadline_exceeded},
        {"v3-double-slash", errc::unexpected_status},
        {"ws-no-version", errc::unexpected_status},
    };
    for (const auto& [name, code] : expected) {
        for (const char* folder : {"3.4.23-gw1.6", "3.5.33-gw1.16", "3.5.30-gw2.27", "3.6.14-gw2.27"}) {
            CAPTURE(folder, name);
            const auto c = test::load_capture(folder, name);
            CHECK(c.status != 200);
            CHECK(classify(c.status, c.body).code == code);
        }
    }
}

TEST_CASE("answers that are no JSON") {
    const auto check = [](unsigned status, const std::string& body, error_code code, const std::string& words) {
        CAPTURE(status, body);
        const error e = classify(status, body);
        CHECK(e.code == code);
        CHECK(e.detail.find(words) != std::string::npos);
    };
    check(404, "404 page not found\n", errc::gateway_disabled, "404 page not found");
    check(404, "Not Found\n", errc::not_supported, "Not Found");
    check(405, "Method Not Allowed\n", grpc_errc::unimplemented, "Method Not Allowed");
    check(400, cn_refusal + "\n", server_errc::client_certificate_name, cn_refusal);
    check(400, cn_refusal + "\n", server_errc::client_certificate_name, "only client certificates without a CommonName");
    check(421, "", errc::unexpected_status, "--host-whitelist");
    check(421, "client host is not allowed", errc::unexpected_status, "client host is not allowed");
    check(431, "431 Request Header Fields Too Large", errc::unexpected_status, "header is too large");
    check(400, "400 Bad Request: missing required Host header", errc::unexpected_status, "missing required Host");
    check(502, "<html>Bad Gateway</html>", grpc_errc::unavailable, "<html>Bad Gateway</html>");
    check(503, "", grpc_errc::unavailable, "HTTP 503, the body was empty");
    check(500, "", errc::unexpected_status, "HTTP 500, the body was empty");
    check(200, "", errc::malformed_response, "the body was empty");
    check(200, "hello", errc::malformed_response, "'hello'");
    check(200, "{\"a\":1}", errc::malformed_response, "{\"a\":1}");
    check(301, "", errc::unexpected_status, "301");
    check(400, "Client sent an HTTP request to an HTTPS server.\n", errc::protocol_mismatch, "give the endpoint as https");
    check(400, "Bad Request", errc::unexpected_status, "Bad Request");
    check(503, "etcdserver: no leader\n", server_errc::no_leader, "etcdserver: no leader");
    for (const auto& [status, code] : std::initializer_list<std::pair<unsigned, grpc_errc>>{
             {401, grpc_errc::unauthenticated}, {403, grpc_errc::permission_denied}, {404, grpc_errc::not_found},
             {405, grpc_errc::unimplemented}, {501, grpc_errc::unimplemented}, {412, grpc_errc::failed_precondition},
             {429, grpc_errc::resource_exhausted}, {502, grpc_errc::unavailable}, {503, grpc_errc::unavailable},
             {504, grpc_errc::deadline_exceeded}})
        check(status, "a proxy", code, "a proxy");
}

TEST_CASE("JSON of somebody else in front of etcd") {
    CHECK(classify(429, R"({"message":"slow down"})").code == grpc_errc::resource_exhausted);
    CHECK(classify(401, R"({"code":"unauthorized","message":"who?"})").code == grpc_errc::unauthenticated);
    CHECK(classify(503, R"({"code":503,"message":"no upstream"})").code == grpc_errc::unavailable);
    CHECK(classify(503, R"({"code":503,"message":"no upstream"})").detail == "HTTP 503: no upstream");
    CHECK(classify(502, R"({"error":["a"],"code":{"x":[1]},"message":7})").code == grpc_errc::unavailable);
    CHECK(classify(500, R"({"error":"etcdserver: no leader"})").code == server_errc::no_leader);
    CHECK(classify(403, R"({"error":{}})").code == grpc_errc::permission_denied);
    CHECK(classify(504, std::string(100000, '[')).code == grpc_errc::deadline_exceeded);
    CHECK(classify(504, "{\"code\":4,\"message\":\"cut in the mid").code == grpc_errc::deadline_exceeded);
    for (const std::string_view whole : {R"({"code":3,"message":"etcdserver: authentication failed, invalid user ID or password"})",
                                         R"({"code":16,"message":"etcdserver: invalid auth token"})"})
        for (std::size_t n = 1; n < whole.find("etcdserver"); ++n) CHECK(classify(400, whole.substr(0, n)).code == errc::unexpected_status);
}

TEST_CASE("a canceled watch") {
    const auto refused = [](const char* code, const char* words) {
        return classify_cancel(std::string("rpc error: code = ") + code + " desc = " + words, 0).code;
    };
    CHECK(refused("InvalidArgument", "etcdserver: user name is empty") == server_errc::user_empty);
    CHECK(refused("Unauthenticated", "etcdserver: invalid auth token") == server_errc::invalid_auth_token);
    CHECK(refused("PermissionDenied", "etcdserver: permission denied") == server_errc::permission_denied);
    CHECK(refused("InvalidArgument", "etcdserver: revision of auth store is old") == server_errc::auth_old_revision);
    CHECK(refused("Unavailable", "something new") == grpc_errc::unavailable);
    CHECK(refused("Code(99)", "something new") == errc::watch_ended);

    CHECK(classify_cancel("", 15).code == server_errc::compacted);
    CHECK(classify_cancel("", 15).detail.find("15") != std::string::npos);
    CHECK(classify_cancel("etcdserver: no leader", 15).code == server_errc::compacted);
    CHECK(classify_cancel("", 0).code == errc::watch_ended);
    const error duplicate = classify_cancel("mvcc: duplicate watch ID provided on the WatchStream", 0);
    CHECK(duplicate.code == errc::watch_ended);
    CHECK(duplicate.detail == "mvcc: duplicate watch ID provided on the WatchStream");
}

TEST_CASE("a server without words") {
    CHECK(classify(server_fault{}).code == grpc_errc::unknown);
    CHECK(classify(server_fault{14, ""}).code == grpc_errc::unavailable);
    CHECK(classify(server_fault{17, ""}).code == grpc_errc::unknown);
    CHECK(classify(server_fault{-1, ""}).code == grpc_errc::unknown);
    CHECK(classify(server_fault{2, "context deadline exceeded"}).code == grpc_errc::deadline_exceeded);
    CHECK(classify(server_fault{2, "context canceled"}).code == grpc_errc::canceled);
    CHECK(classify(server_fault{2, "rpc error: code = Unavailable desc = x"}).code == grpc_errc::unavailable);
    CHECK(classify(server_fault{14, "context canceled"}).code == grpc_errc::unavailable);
}

TEST_CASE("quotes are fit for a log line") {
    CHECK(quote(" \r\nwords\n") == "words");
    CHECK(quote("") == "");
    CHECK(quote("\n \t") == "");
    CHECK(quote("a\nb\r\tc\x1b[31m\x7f") == "a\\nb\\r\\tc\\x1b[31m\\x7f");
    CHECK(quote(std::string("a\0b", 3)) == "a\\x00b");
    // U+0085 is a control character, U+00A0 (which etcd's error texts hold) is not
    CHECK(quote("\xc2\x85 \xc2\xa0|") == "\\xc2\\x85 \xc2\xa0|");
    CHECK(quote("\xff\xc3\xa4\xe2\x82") == "\\xff\xc3\xa4\\xe2\\x82");
    CHECK(quote("\xc0\xaf\xed\xa0\x80") == "\\xc0\\xaf\\xed\\xa0\\x80");
    CHECK(quote("\xf0\x80\x80\x80") == "\\xf0\\x80\\x80\\x80");   // overlong
    CHECK(quote("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");   // past the last one
    CHECK(quote("\xf4\x8f\xbf\xbd") == "\xf4\x8f\xbf\xbd");
    CHECK(quote("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");

    CHECK(quote(std::string(200, 'x')) == std::string(200, 'x'));
    CHECK(quote(std::string(201, 'x')) == std::string(197, 'x') + "...");
    for (std::size_t lead = 0; lead < 4; ++lead) {
        std::string words(lead, 'x');
        while (words.size() < 300) words += "\xf0\x9f\x98\x80";
        const std::string quoted = quote(words);
        CHECK(quoted.size() <= 200);
        CHECK(quoted.size() > 190);
        CHECK((quoted.size() - 3 - lead) % 4 == 0);
        CHECK(quoted.substr(quoted.size() - 3) == "...");
    }
    CHECK(quote(std::string(100, '\x01')).size() <= 200);
}
