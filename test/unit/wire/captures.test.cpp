#include "support/capture.hpp"
#include "support/catch.hpp"

#include "as_json.hpp"

#include "wire/classify.hpp"
#include "wire/decoder.hpp"
#include "wire/frame_splitter.hpp"

#include <functional>
#include <map>
#include <random>

using namespace dynconf;
using namespace dynconf::wire;
using nlohmann::json;

// Every recorded answer against a second reading by a general JSON parser, and against itself however it is cut.

namespace {

// Calls `take` for every way to cut: whole, byte by byte, and in two at every offset (not all, if it is large).
void for_each_cut(std::string_view text, const std::function<void(const std::vector<std::string_view>&)>& take) {
    take({text});
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
    take(bytes);
    const std::size_t step = text.size() < 8192 ? 1 : 4001;
    for (std::size_t i = 0; i <= text.size(); i += step) take({text.substr(0, i), text.substr(i)});
}

template <class Message>
std::string dump(const Message& m) {
    return test::as_json(m).dump(-1, ' ', false, json::error_handler_t::replace);
}

template <class Message>
std::string outcome(const result<Message>& r) {
    return r ? dump(*r) : r.error().code.category().name() + (": " + r.error().message());
}

template <class Message>
json decode_unary(const test::capture& c) {
    std::string first;
    for_each_cut(c.body, [&](const auto& pieces) {
        decoder<Message> d;
        for (const auto piece : pieces) d.write(piece);
        const auto r = d.finish();
        if (first.empty()) first = outcome(r);
        else REQUIRE(outcome(r) == first);
    });
    decoder<Message> d;
    d.write(c.body);
    const auto r = d.finish();
    return r ? test::as_json(*r) : json{{"refused", r.error().code.message()}};
}

// Which of two faults in one broken string is met first may depend on the cut; that it is broken may not.
template <class Message>
std::string verdict(const result<Message>& r) {
    return r ? dump(*r) : r.error().code.to_string();
}

// One entry for each line: the message, or why there is none.
template <class Message>
std::vector<std::string> decode_stream(const std::vector<std::string_view>& pieces,
                                       std::string (*say)(const result<Message>&) = outcome<Message>) {
    decoder<Message> d(decoder<Message>::envelope::result);
    frame_splitter splitter(1 << 24);
    std::vector<std::string> found;
    for (std::string_view piece : pieces) {
        while (!piece.empty()) {
            const auto part = splitter.next(piece);
            d.write(part.bytes);
            if (part.ends_frame) found.push_back(say(d.finish()));
        }
    }
    if (!splitter.at_boundary()) found.push_back(say(d.finish()));
    return found;
}

template <class Message>
void check_stream(const test::capture& c) {
    const auto whole = decode_stream<Message>({c.body});
    for_each_cut(c.body, [&](const auto& pieces) { REQUIRE(decode_stream<Message>(pieces) == whole); });

    std::size_t line = 0;
    std::string_view rest = c.body;
    while (!rest.empty()) {
        const std::string_view text = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), text.size() + 1));
        if (text.empty()) continue;
        REQUIRE(line < whole.size());
        const json expected = json::parse(text);
        if (expected.contains("result")) CHECK(json::parse(whole[line]) == test::known_fields(expected["result"]));
        else CHECK(whole[line].find(expected["error"]["message"].get<std::string>()) != std::string::npos);
        ++line;
    }
    CHECK(line == whole.size());
}

using unary = json (*)(const test::capture&);

const std::map<std::string, unary> unaries = {
    {"/v3/kv/range", decode_unary<range_response>},
    {"/v3beta/kv/range", decode_unary<range_response>},
    {"/v3/kv/put", decode_unary<put_response>},
    {"/v3/kv/deleterange", decode_unary<delete_response>},
    {"/v3/kv/txn", decode_unary<txn_response>},
    {"/v3/kv/compaction", decode_unary<header_only_response>},
    {"/v3/lease/grant", decode_unary<lease_grant_response>},
    {"/v3/lease/revoke", decode_unary<header_only_response>},
    {"/v3/lease/timetolive", decode_unary<lease_time_to_live_response>},
    {"/v3/lease/leases", decode_unary<lease_leases_response>},
    {"/v3/auth/enable", decode_unary<header_only_response>},
    {"/v3/auth/disable", decode_unary<header_only_response>},
    {"/v3/auth/status", decode_unary<auth_status_response>},
    {"/v3/auth/user/add", decode_unary<header_only_response>},
    {"/v3/auth/user/changepw", decode_unary<header_only_response>},
    {"/v3/auth/user/get", decode_unary<role_names_response>},
    {"/v3/auth/user/grant", decode_unary<header_only_response>},
    {"/v3/auth/user/list", decode_unary<user_list_response>},
    {"/v3/auth/role/add", decode_unary<header_only_response>},
    {"/v3/auth/role/get", decode_unary<role_get_response>},
    {"/v3/auth/role/grant", decode_unary<header_only_response>},
    {"/v3/auth/role/list", decode_unary<role_names_response>},
    {"/v3/auth/authenticate", decode_unary<authenticate_response>},
    {"/v3/cluster/member/list", decode_unary<member_list_response>},
    {"/v3/cluster/member/add", decode_unary<member_add_response>},
    {"/v3/cluster/member/remove", decode_unary<member_list_response>},
    {"/v3/maintenance/alarm", decode_unary<alarm_response>},
    {"/v3/maintenance/defragment", decode_unary<header_only_response>},
    {"/v3/maintenance/hash", decode_unary<hash_kv_response>},
    {"/v3/maintenance/hashkv", decode_unary<hash_kv_response>},
    {"/v3/maintenance/status", decode_unary<status_response>},
};

}  // namespace

TEST_CASE("recorded answers are read as a general JSON parser reads them") {
    std::size_t count = 0;
    for (const test::capture& c : test::all_captures()) {
        const auto decode = unaries.find(c.path);
        if (c.status != 200 || decode == unaries.end() || c.name == "options") continue;
        CAPTURE(c.folder, c.name, c.body.substr(0, 1000));
        ++count;
        json expected = test::known_fields(json::parse(c.body.substr(0, c.body.rfind('}') + 1)));
        if (expected.contains("hash")) expected["hash"] = std::to_string(expected["hash"].get<std::uint32_t>());   // 32 bits: no text
        expected.erase("hash_revision");
        CHECK(decode->second(c) == expected);
    }
    CHECK(count > 150);
}

TEST_CASE("recorded streams, cut anywhere") {
    std::size_t count = 0;
    for (const test::capture& c : test::all_captures()) {
        if (c.status != 200) continue;
        CAPTURE(c.folder, c.name);
        if (c.path == "/v3/watch") check_stream<watch_response>(c);
        else if (c.path == "/v3/lease/keepalive") check_stream<lease_keep_alive_response>(c);
        else continue;
        ++count;
    }
    CHECK(count > 70);
}

TEST_CASE("recorded refusals are errors by their status and by their body") {
    std::size_t count = 0;
    for (const test::capture& c : test::all_captures()) {
        if (c.status < 300) continue;
        CAPTURE(c.folder, c.name, c.body);
        ++count;
        const error by_status = classify(c.status, c.body);
        CHECK(by_status.code.failed());
        CHECK_FALSE(by_status.detail.empty());
        CHECK(by_status.detail.size() <= 200);

        const json body = json::parse(c.body, nullptr, false);
        if (!body.is_object() || c.path == "/health") continue;
        const json& holder = body.contains("error") && body["error"].is_object() ? body["error"] : body;
        const auto words = holder.at("message").get<std::string>();
        CHECK(by_status.detail.substr(0, 60) == words.substr(0, 60));
        // a decoder that was given the body comes to the same result
        std::string first;
        for_each_cut(c.body, [&](const auto& pieces) {
            decoder<range_response> d;
            for (const auto piece : pieces) d.write(piece);
            const auto r = d.finish();
            REQUIRE_FALSE(r);
            REQUIRE(r.error().code == by_status.code);
            REQUIRE(r.error().detail == by_status.detail);
        });
    }
    CHECK(count > 250);
}

TEST_CASE("mangled answers are read the same way however they are cut") {
    std::mt19937 random(7);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
    for (const test::capture& c : test::all_captures()) {
        if (c.body.empty() || c.body.size() > 2000) continue;
        for (int round = 0; round < 10; ++round) {
            std::string body = c.body;
            for (std::size_t n = below(4); n != 0; --n) {
                constexpr std::string_view often = "{}[]\",:\\u0-.e\0\xff\n";
                body[below(body.size())] = below(2) == 0 ? often[below(often.size())] : static_cast<char>(random());
            }
            if (below(3) == 0) body.erase(below(body.size()), below(20));
            CAPTURE(c.folder, c.name, body);
            const std::size_t i = below(body.size() + 1), j = i + below(body.size() + 1 - i);
            const std::string_view all = body;
            const std::vector<std::string_view> pieces = {all.substr(0, i), all.substr(i, j - i), all.substr(j)};
            const auto say = verdict<watch_response>;
            REQUIRE(decode_stream<watch_response>(pieces, say) == decode_stream<watch_response>({all}, say));
            decoder<range_response> whole, cut;
            whole.write(all);
            for (const auto piece : pieces) cut.write(piece);
            REQUIRE(verdict(cut.finish()) == verdict(whole.finish()));
        }
    }
}

TEST_CASE("what recorded watches were told") {
    const auto lines = [](const char* folder, const char* name) {
        return decode_stream<watch_response>({test::load_capture(folder, name).body});
    };
    for (const char* folder : {"3.4.23-gw1.6", "3.5.33-gw1.16", "3.5.30-gw2.27", "3.6.14-gw2.27"}) {
        CAPTURE(folder);
        const auto basic = lines(folder, "watch-basic");
        REQUIRE(basic.size() == 3);
        CHECK(json::parse(basic[0])["created"] == true);
        CHECK_FALSE(json::parse(basic[1])["events"][0].contains("type"));
        CHECK(json::parse(basic[2])["events"][0]["type"] == "DELETE");

        const auto compacted = lines(folder, "stream-watch-compacted");
        REQUIRE(compacted.size() == 2);
        CHECK(json::parse(compacted[1])["canceled"] == true);
        CHECK(json::parse(compacted[1])["compact_revision"] == "8");

        const auto denied = lines(folder, "stream-watch-denied");
        REQUIRE(denied.size() == 1);
        const json j = json::parse(denied[0]);
        CHECK(j["watch_id"] == "-1");
        CHECK(classify_cancel(j["cancel_reason"].get<std::string>(), 0).code == server_errc::permission_denied);

        const auto leaderless = lines(folder, "stream-watch-noleader");
        REQUIRE(leaderless.size() == 2);
        CHECK(leaderless[1] == "etcdserver: etcdserver: no leader");

        const auto stopped = lines(folder, "stream-watch-sigterm");
        REQUIRE(stopped.size() == 2);
        CHECK(stopped[1].find("gRPC status Unavailable") != std::string::npos);

        const auto lost = decode_stream<lease_keep_alive_response>(
            {test::load_capture(folder, "lease-keepalive-notfound").body});
        REQUIRE(lost.size() == 1);
        CHECK_FALSE(json::parse(lost[0]).contains("TTL"));
    }
}
