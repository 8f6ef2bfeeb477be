#include "conformance/normal.hpp"
#include "support/capture.hpp"
#include "support/catch.hpp"

#include "testing/gateway.hpp"
#include "testing/http_text.hpp"
#include "wire/base64.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

// What real gateways were recorded to answer, asked of the fake in the order of the recording.

using namespace dynconf;
using namespace dynconf::testing;
using dynconf::test::lines_of;
using dynconf::test::normal;
using dynconf::test::normal_head;
using nlohmann::json;

namespace {

struct server { std::string folder, version; };
const server servers[] = {{"3.4.23-gw1.6", "3.4.23"}, {"3.5.33-gw1.16", "3.5.33"}, {"3.5.30-gw2.27", "3.5.30"}, {"3.6.14-gw2.27", "3.6.14"}};

std::string put_body(std::string_view key, std::string_view value) {
    return json{{"key", wire::to_base64(key)}, {"value", wire::to_base64(value)}}.dump();
}

// A member of the recorded version, and the requests of the recording.
class replay {
public:
    explicit replay(const server& s, gateway_options options = {}) : server_(s), gateway_(with_version(s, std::move(options))) {}

    gateway& member() { return gateway_; }
    std::string& token(const std::string& recorded) { return tokens_[recorded]; }
    time_point now() const { return now_; }
    void pass(std::chrono::milliseconds t) { gateway_.advance(now_ += t); }

    std::string ask(const std::string& path, const std::string& body, const std::string& token = {}) {
        request r;
        r.path = path;
        r.body = body;
        r.token = token;
        return std::get<reply>(gateway_.handle(r, now_)).body;
    }
    void put(std::string_view key, std::string_view value) { ask("/v3/kv/put", put_body(key, value)); }

    request recorded(const std::string& name) {
        const std::string raw = ::test::read_file(::test::data_folder() / "captures" / "requests" / (name + ".req"));
        request r;
        const auto space = raw.find(' ');
        r.method = raw.substr(0, space);
        r.path = raw.substr(space + 1, raw.find(' ', space + 1) - space - 1);
        r.body = raw.substr(raw.find("\r\n\r\n") + 4);
        r.token = header(raw, "Authorization: ");
        if (const auto known = tokens_.find(r.token); known != tokens_.end()) r.token = known->second;
        r.require_leader = !header(raw, "Grpc-Metadata-hasleader: ").empty();
        if (const std::string t = header(raw, "Grpc-Timeout: "); !t.empty()) r.timeout = std::chrono::milliseconds(std::stoi(t));
        return r;
    }

    void same(const std::string& name) {
        INFO(server_.version << ' ' << name);
        const auto expected = ::test::load_capture(server_.folder, name);
        const auto a = gateway_.handle(recorded(name), now_);
        if (const auto* s = std::get_if<std::unique_ptr<stream>>(&a)) {
            CHECK(expected.status == 200);
            std::string text;
            for (const std::string& line : (*s)->take(now_)) text += line + '\n';
            CHECK(normal(text) == normal(expected.body));
            CHECK(normal_head(http_stream_head(gateway_.profile(), text.empty())) == normal_head(recorded_answer(name)));
            return;
        }
        const reply& r = std::get<reply>(a);
        CHECK(r.status == expected.status);
        CHECK(normal(r.body) == normal(expected.body));
        CHECK(normal_head(http_text(gateway_.profile(), r)) == normal_head(recorded_answer(name)));
    }
    std::string recorded_answer(const std::string& name) const {
        return ::test::read_file(::test::data_folder() / "captures" / server_.folder / (name + ".resp"));
    }

    /// A recorded watch, while `events` happens.
    template <class F>
    void same_watch(const std::string& name, F&& events) {
        INFO(server_.version << ' ' << name);
        auto a = gateway_.handle(recorded(name), now_);
        REQUIRE(std::holds_alternative<std::unique_ptr<stream>>(a));
        stream& s = *std::get<std::unique_ptr<stream>>(a);
        events();
        std::string text;
        for (const std::string& line : s.take(now_)) text += line + '\n';
        auto got = lines_of(text), expected = lines_of(::test::load_capture(server_.folder, name).body);
        // Answers of one moment come in any order.
        std::sort(got.begin(), got.end());
        std::sort(expected.begin(), expected.end());
        CHECK(got == expected);
    }
    void same_watch(const std::string& name) {
        same_watch(name, [] {});
    }

private:
    static gateway_options with_version(const server& s, gateway_options o) {
        o.server_version = s.version;
        return o;
    }
    static std::string header(const std::string& raw, const std::string& name) {
        const auto at = raw.find("\r\n" + name);
        if (at == std::string::npos) return {};
        const auto from = at + 2 + name.size();
        return raw.substr(from, raw.find("\r\n", from) - from);
    }

    server server_;
    gateway gateway_;
    time_point now_{};
    std::map<std::string, std::string> tokens_;
};

}  // namespace

TEST_CASE("fake etcd: keys, transactions and leases as recorded") {
    for (const server& s : servers) {
        replay r(s);
        for (const char* name : {"range-empty", "put", "put-prevkv", "put-camel", "put-empty-value", "put-empty-key", "range-all",
                 "range-emptyvalue", "range-count", "range-count-none", "range-limit1", "range-keysonly", "range-serializable",
                 "range-sort-enum-name", "range-sort-enum-num", "range-sort-enum-badnum", "range-b64nopad", "range-b64url", "range-null", "put-ignore-value-nokey", "put-ignore-value-provided", "txn-ok",
                 "txn-fail", "txn-camel", "txn-empty", "txn-nested", "delete-none", "delete-prevkv", "lease-grant",
                 "lease-grant-dup", "lease-grant-auto", "lease-grant-ttl0", "lease-grant-ttl1", "lease-grant-neg",
                 "lease-grant-toolarge", "put-lease", "put-lease-notfound", "range-lease", "put-ignore-value"})
            r.same(name);
        r.ask("/v3/kv/put", R"({"key":"TA==","value":"dg==","lease":"7587848390123456"})");
        r.same("lease-leases");
        for (const char* name : {"lease-keepalive", "lease-keepalive-two", "lease-keepalive-notfound", "lease-keepalive-empty",
                 "lease-timetolive-notfound"})
            r.same(name);
        r.pass(std::chrono::milliseconds(10));
        for (const char* name : {"lease-timetolive", "lease-revoke", "lease-revoke-notfound", "status", "alarm-get", "hash",
                 "hashkv", "health", "livez", "readyz", "version", "defragment", "member-list", "member-list-lin",
                 "member-remove-notfound", "transfer-leadership", "downgrade-validate"})
            r.same(name);
        for (int i = 0; i < 8; ++i) r.put("YQ", "more");
        for (const char* name : {"compact", "compact-again", "compact-future", "range-compacted", "range-future",
                 "txn-range-compacted"})
            r.same(name);
    }
}

TEST_CASE("fake etcd: what is wrong with a request is told as recorded") {
    for (const server& s : servers) {
        gateway_options options;
        options.max_txn_ops = 5;   // as the recorded servers were told
        replay r(s, options);
        r.put("a", "b");
        for (const char* name : {"err-bad-json", "err-bad-json2", "err-empty-body", "err-get", "err-json-emptyop", "err-json-trailing",
                 "err-txn-dup-del", "err-txn-dup-key", "err-txn-lease-nf", "err-txn-put-nokey", "err-txn-too-many",
                 "err-unknown-field", "err-unknown-field-nested", "err-unknown-path", "err-unknown-root", "err-v3alpha",
                 "v3-trailing-slash", "v3beta"}) {
            // Here the real one took the second member, at random, and put the key.
            if (s.version == "3.5.33" && std::string_view(name) == "err-unknown-field") r.ask("/v3/kv/put", R"({"key":"YQ=="})");
            r.same(name);
        }
        // The words are the parser's own.
        for (const char* name : {"err-bad-base64", "err-json-array", "err-json-bom", "range-bool-str", "range-int-bad", "range-int-float",
                 "range-int-exp", "range-sort-enum-bad", "v3-double-slash"}) {
            INFO(s.version << ' ' << name);
            CHECK(std::get<reply>(r.member().handle(r.recorded(name), {})).status == ::test::load_capture(s.folder, name).status);
        }
    }
}

TEST_CASE("fake etcd: watches as recorded") {
    for (const server& s : servers) {
        replay r(s);
        r.put("w", "0");
        r.put("w", "1");
        r.same_watch("watch-basic", [&] {
            r.put("w", "2");
            r.ask("/v3/kv/deleterange", R"({"key":"dw=="})");
        });
        r.same_watch("watch-history");
        r.same_watch("watch-filter-prevkv");
        r.same_watch("watch-future");
        r.put("w", "1");
        r.same_watch("watch-multi", [&] { r.put("w", "2"); });
        r.same_watch("watch-cancel");
        for (int i = 0; i < 4; ++i) r.put("x", "y");
        r.ask("/v3/kv/compaction", R"({"revision":8})");
        r.same_watch("stream-watch-compacted");
    }
}

TEST_CASE("fake etcd: a watch of a transaction, without a leader, and one that is never cut, as recorded") {
    for (const server& s : servers) {
        replay r(s);
        r.put("w", "0");
        for (int i = 0; i < 10; ++i) r.put("v", "y");
        r.same_watch("stream-watch-txn-batch", [&] {
            r.ask("/v3/kv/txn", R"({"success":[{"request_put":{"key":"dzA=","value":"MQ=="}},{"request_put":{"key":"dzE=","value":"MQ=="}},)"
                                R"({"request_put":{"key":"dzI=","value":"MQ=="}},{"request_delete_range":{"key":"dw=="}}]})");
        });

        replay lonely(s);
        lonely.same_watch("stream-watch-noleader", [&] { lonely.member().isolate(); });
        for (const char* name : {"unary-noleader", "status-noleader", "health-noleader", "grpc-timeout-504"}) lonely.same(name);
        lonely.same("unary-timed-out");
    }
}

TEST_CASE("fake etcd: users, roles and tokens as recorded") {
    for (const server& s : servers) {
        replay r(s);
        r.put("a", "b");
        if (s.version != "3.5.33") r.put("a", "b");
        r.same("auth-not-enabled-authenticate");
        r.same("auth-enable-noroot");

        gateway_options short_lived;
        short_lived.auth_token_ttl = std::chrono::seconds(5);
        replay a(s, short_lived);
        a.same("auth-user-add-0");
        for (const char* body : {R"({"name":"u","password":"up"})"}) a.ask("/v3/auth/user/add", body);
        a.ask("/v3/auth/role/add", R"({"name":"root"})");
        a.same("auth-user-grant-2");
        a.same("auth-role-add-3");
        a.same("auth-role-grant-4");
        a.ask("/v3/auth/user/grant", R"({"user":"u","role":"r"})");
        a.same("auth-enable");
        for (const char* name : {"auth-authenticate", "auth-wrong-password", "auth-unknown-user", "auth-empty-user",
                 "auth-empty-password", "auth-missing-token", "auth-garbage-token", "auth-invalid-token"})
            a.same(name);
        const auto log_in = [&](const char* body) {
            return json::parse(a.ask("/v3/auth/authenticate", body)).at("token").get<std::string>();
        };
        const std::string of_u = a.token("ZnTINcmbGUUfWLyO.15") = log_in(R"({"name":"u","password":"up"})");
        a.token("easAsVHjlppUVjqA.16") = a.token("zUsczHLdpjqqYRCo.42") = log_in(R"({"name":"root","password":"rp"})");
        for (const char* name : {"auth-ok-range", "auth-denied-range", "auth-denied-put", "auth-denied-delete", "auth-denied-txn",
                 "auth-denied-member", "auth-denied-defrag", "auth-denied-useradd", "auth-user-get", "auth-user-get-self",
                 "auth-role-get", "auth-role-list", "auth-user-list", "auth-user-add-dup", "auth-user-add-empty",
                 "auth-user-get-notfound", "auth-user-nopass", "auth-nopass-authenticate", "auth-user-revoke-notgranted",
                 "auth-root-delete", "auth-changepw"})
            a.same(name);
        if (s.version != "3.4.23") CHECK(json::parse(a.ask("/v3/auth/status", "{}", a.token("easAsVHjlppUVjqA.16"))).at("enabled") == true);
        else a.same("auth-status");
        CHECK(a.recorded("auth-token-after-changepw").token == of_u);
        a.same("auth-token-after-changepw");
        for (const char* name : {"stream-watch-no-token", "stream-watch-bad-token"}) {
            auto watch = a.member().handle(a.recorded(name), a.now());
            const std::string line = std::get<1>(watch)->take(a.now()).at(0);
            const std::string reason = json::parse(line)["result"]["cancel_reason"];
            CHECK(::test::load_capture(s.folder, name).body.find(reason) != std::string::npos);
        }
        a.token("BgMzfsrKbudWSztL.38") = log_in(R"({"name":"u","password":"up2"})");
        a.pass(std::chrono::seconds(4));
        a.ask("/v3/kv/range", R"({"key":"dw=="})", a.token("zUsczHLdpjqqYRCo.42"));
        a.pass(std::chrono::seconds(2));
        a.same("auth-expired-token");
        a.same("auth-disable");
        a.same("auth-disabled-stale-token");
    }
}

TEST_CASE("fake etcd: a full database as recorded") {
    for (const server& s : servers) {
        replay r(s);
        r.ask("/v3/lease/grant", R"({"TTL":60,"ID":5})");
        r.put("f0", "x");
        r.member().cluster().raise({r.member().id(), alarm_type::nospace});
        for (const char* name : {"nospace-put", "nospace-txn-put", "nospace-lease"}) r.same(name);
        const json status = json::parse(r.ask("/v3/maintenance/status", "{}"));
        CHECK(status["errors"].size() == 1);
        CHECK(json::parse(r.ask("/v3/kv/deleterange", R"({"key":"ZjA="})"))["deleted"] == "1");
        CHECK(json::parse(r.ask("/v3/maintenance/alarm", "{}"))["alarms"][0]["alarm"] == "NOSPACE");
        const std::string disarm = R"({"action":"DEACTIVATE","memberID":")" + std::to_string(r.member().id()) + R"(","alarm":"NOSPACE"})";
        CHECK(json::parse(r.ask("/v3/maintenance/alarm", disarm))["alarms"].size() == 1);
        CHECK(std::get<reply>(r.member().handle(r.recorded("nospace-put"), r.now())).status == 200);
    }
}

TEST_CASE("fake etcd: answers and lines are cut into chunks as recorded") {
    for (const server& s : servers) {
        INFO(s.version);
        const server_profile profile(s.version);
        const auto raw = [&](const char* name) { return ::test::read_file(::test::data_folder() / "captures" / s.folder / (std::string(name) + ".resp")); };
        reply large;
        large.by = reply::writer::server;
        large.body = ::test::load_capture(s.folder, "range-2100-bytes").body;
        const std::string recorded = raw("range-2100-bytes");
        CHECK(normal_head(http_text(profile, large)) == normal_head(recorded));
        CHECK(recorded.ends_with(http_text(profile, large).substr(http_text(profile, large).find("\r\n\r\n"))));
        CHECK(server_profile("3.5.16").tells_length());

        // A stream of small lines, of a large one, and of one that fails.
        for (const char* name : {"watch-basic", "stream-watch-large-event", "stream-watch-noleader"}) {
            INFO(name);
            const std::string answer = raw(name);
            std::string again = answer.substr(0, answer.find("\r\n\r\n") + 4);
            const std::string body = ::test::load_capture(s.folder, name).body;
            for (std::size_t at = 0; at < body.size();) {
                const auto end = std::min(body.find('\n', at), body.size());
                again += http_line(profile, std::string_view(body).substr(at, end - at));
                at = end + 1;
            }
            if (answer.ends_with("\r\n0\r\n\r\n")) again += "0\r\n\r\n";
            CHECK(again == answer);
        }
    }
}
