#include "config/cache_format.hpp"

#include "support/catch.hpp"
#include "unit/config/cache_copy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using namespace dynconf::detail;
using json = nlohmann::json;

namespace {

constexpr std::size_t digest_size = 32;

cache_bytes assembled(const cache_bytes& header, const cache_bytes& body, std::string_view magic = "DYNCONF\n") {
    cache_bytes all(magic.begin(), magic.end());
    for (int shift = 24; shift >= 0; shift -= 8) all.push_back(static_cast<std::uint8_t>(header.size() >> shift));
    all.insert(all.end(), header.begin(), header.end());
    all.insert(all.end(), body.begin(), body.end());
    add_checksum(all);
    return all;
}

json bytes(std::string_view text) { return json::binary({text.begin(), text.end()}); }

json good_header() {
    return {{"format", 1}, {"encoding", "cbor"}, {"as_of_ms", 1}, {"revision", 5}, {"cluster_id", 7u},
        {"ranges", json::array({json::array({bytes("a"), bytes("b")})})}};
}
json good_key() { return json::array({bytes("a1"), 3, bytes("text")}); }
json good_body() { return json::array({good_key()}); }

cache_bytes file_of(const json& header, const json& body) { return assembled(json::to_cbor(header), json::to_cbor(body)); }
cache_bytes file_of(const json& header, const cache_bytes& body) { return assembled(json::to_cbor(header), body); }

}  // namespace

TEST_CASE("a copy comes back as it was", "[cache]") {
    const cache_copy copy = small_copy();
    const decoded_cache back = decode_cache(encode_cache(copy));
    CHECK(back.why == "");
    REQUIRE(back.verdict == cache_verdict::usable);
    CHECK(same(back.copy, copy));

    cache_copy empty;
    empty.content.revision = 1;
    const decoded_cache nothing = decode_cache(encode_cache(empty));
    CHECK(nothing.verdict == cache_verdict::usable);
    CHECK(nothing.copy.content.keys.empty());
}

TEST_CASE("a copy that is cut off anywhere, or longer, is refused", "[cache]") {
    const cache_bytes whole = encode_cache(small_copy());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        INFO(size);
        CHECK(decode_cache(std::span(whole).first(size)).verdict == cache_verdict::damaged);
    }
    cache_bytes longer = whole;
    longer.push_back(0);
    CHECK(decode_cache(longer).verdict == cache_verdict::damaged);
}

TEST_CASE("a copy with any bit of any byte changed is refused", "[cache]") {
    const cache_bytes whole = encode_cache(small_copy());
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (const unsigned change : {0x01u, 0x80u, 0xffu}) {
            cache_bytes other = whole;
            other[at] = static_cast<std::uint8_t>(other[at] ^ change);
            INFO(at);
            CHECK(decode_cache(other).verdict == cache_verdict::damaged);
        }
}

TEST_CASE("with a right checksum, too, nothing is taken on trust", "[cache]") {
    REQUIRE(decode_cache(file_of(good_header(), good_body())).verdict == cache_verdict::usable);

    struct row { const char* what; std::function<void(json& header, json& body)> change; cache_verdict expected; };
    const auto damaged = cache_verdict::damaged;
    const auto unknown = cache_verdict::unknown_format;
    const row table[] = {
        {"a newer format", [](json& h, json&) { h["format"] = 2; }, unknown},
        {"an encrypted body", [](json& h, json&) { h["encoding"] = "aes-256-gcm"; }, unknown},
        {"a format of the far future", [](json& h, json&) { h["format"] = 18'446'744'073'709'551'615u; }, unknown},
        {"a negative format", [](json& h, json&) { h["format"] = -1; }, unknown},
        {"further fields", [](json& h, json&) { h["more"] = 1; }, cache_verdict::usable},
        {"no format", [](json& h, json&) { h.erase("format"); }, damaged},
        {"a format in words", [](json& h, json&) { h["format"] = "1"; }, damaged},
        {"no encoding", [](json& h, json&) { h.erase("encoding"); }, damaged},
        {"no revision", [](json& h, json&) { h.erase("revision"); }, damaged},
        {"revision 0", [](json& h, json&) { h["revision"] = 0; }, damaged},
        {"a negative revision", [](json& h, json&) { h["revision"] = -3; }, damaged},
        {"a revision past what etcd has", [](json& h, json&) { h["revision"] = 9'223'372'036'854'775'808u; }, damaged},
        {"a revision with none behind it", [](json& h, json&) { h["revision"] = 9'223'372'036'854'775'807; }, damaged},
        {"no time", [](json& h, json&) { h["as_of_ms"] = nullptr; }, damaged},
        {"a time before time", [](json& h, json&) { h["as_of_ms"] = -1; }, damaged},
        {"a time past the clock's range", [](json& h, json&) { h["as_of_ms"] = 9'223'372'036'854'775'807; }, damaged},
        {"a cluster in words", [](json& h, json&) { h["cluster_id"] = "7"; }, damaged},
        {"a negative cluster", [](json& h, json&) { h["cluster_id"] = -7; }, damaged},
        {"ranges that are none", [](json& h, json&) { h["ranges"] = 1; }, damaged},
        {"a range without an end", [](json& h, json&) { h["ranges"][0].erase(1); }, damaged},
        {"a range in words", [](json& h, json&) { h["ranges"][0][0] = "a"; }, damaged},
        {"a list for a header", [](json& h, json&) { h = json::array({1, 2}); }, damaged},
        {"a map for a body", [](json&, json& b) { b = json::object({{"a", 1}}); }, damaged},
        {"a number for a body", [](json&, json& b) { b = 1; }, damaged},
        {"a number for a key", [](json&, json& b) { b[0][0] = 1; }, damaged},
        {"an empty key", [](json&, json& b) { b[0][0] = bytes(""); }, damaged},
        {"a text for a key", [](json&, json& b) { b[0][0] = "a1"; }, damaged},
        {"no revision of a key", [](json&, json& b) { b[0][1] = nullptr; }, damaged},
        {"revision 0 of a key", [](json&, json& b) { b[0][1] = 0; }, damaged},
        {"a number for a value", [](json&, json& b) { b[0][2] = 1; }, damaged},
        {"no value at all", [](json&, json& b) { b[0][2] = nullptr; }, damaged},
        {"half a last good value", [](json&, json& b) { b[0].push_back(3); }, damaged},
        {"a last good value without a revision", [](json&, json& b) { b[0].push_back(0); b[0].push_back(bytes("x")); }, damaged},
        {"a last good number", [](json&, json& b) { b[0].push_back(1); b[0].push_back(1); }, damaged},
        {"more of a key than there can be", [](json&, json& b) { for (int i = 0; i < 3; ++i) b[0].push_back(1); }, damaged},
        {"a key that is no list", [](json&, json& b) { b[0] = 1; }, damaged},
        {"a key twice", [](json&, json& b) { b.push_back(b[0]); }, damaged},
    };
    for (const row& r : table) {
        INFO(r.what);
        json header = good_header(), body = good_body();
        r.change(header, body);
        const decoded_cache d = decode_cache(file_of(header, body));
        CHECK(to_string(d.verdict) == to_string(r.expected));
        CHECK(d.why.empty() == (r.expected == cache_verdict::usable));
    }
    CHECK(decode_cache(assembled(json::to_cbor(good_header()), json::to_cbor(good_body()), "NOTOURS\n")).verdict == unknown);
}

TEST_CASE("hostile lengths and depths neither allocate nor recurse", "[cache]") {
    const auto refused = [](const cache_bytes& body) {
        return decode_cache(file_of(good_header(), body)).verdict == cache_verdict::damaged;
    };
    for (const std::uint8_t head : cache_bytes{0x9b, 0xbb, 0x5b, 0x7b}) {   // array, map, bytes and text of 2^64 - 1
        cache_bytes body{head};
        body.insert(body.end(), 8, 0xff);
        CHECK(refused(body));
        body[1] = 0x0f;
        CHECK(refused(body));
    }
    for (const std::uint8_t head : cache_bytes{0x81, 0x9f, 0xbf, 0x5f, 0x7f, 0xc1, 0xa1}) {   // each within itself, a million times
        CHECK(refused(cache_bytes(1'000'000, head)));
        CHECK(decode_cache(assembled(cache_bytes(1'000'000, head), {})).verdict == cache_verdict::damaged);
    }
    CHECK(refused({}));
    CHECK(refused({0xfb, 0, 0, 0, 0, 0, 0, 0, 0}));   // a float
    CHECK(refused({0x80, 0x80}));                     // more behind it
    cache_bytes long_header = file_of(good_header(), good_body());
    long_header.resize(long_header.size() - digest_size);
    for (int i = 0; i < 4; ++i) long_header[8 + static_cast<std::size_t>(i)] = 0xff;
    add_checksum(long_header);
    CHECK(decode_cache(long_header).verdict == cache_verdict::damaged);
}

TEST_CASE("ten thousand random mutations are refused or make sense", "[cache]") {
    const cache_bytes whole = encode_cache(small_copy());
    std::mt19937 random(20'240'229);   // the same each time
    const auto below = [&random](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    int usable = 0, refused = 0;
    for (int round = 0; round < 10'000; ++round) {
        const bool sealed = round % 10 != 0;   // past the checksum
        cache_bytes file(whole.begin(), sealed ? whole.end() - digest_size : whole.end());
        for (std::size_t changes = 1 + below(4); changes > 0 && !file.empty(); --changes) {
            const std::size_t at = below(file.size());
            switch (below(4)) {
                case 0: file[at] = static_cast<std::uint8_t>(below(256)); break;
                case 1: file.erase(file.begin() + static_cast<std::ptrdiff_t>(at)); break;
                case 2: file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(below(256))); break;
                default: file.resize(at); break;
            }
        }
        if (sealed) add_checksum(file);
        const decoded_cache d = decode_cache(file);
        if (d.verdict == cache_verdict::usable) {
            ++usable;
            CHECK(decode_cache(encode_cache(d.copy)).verdict == cache_verdict::usable);
        } else {
            ++refused;
            CHECK_FALSE(d.why.empty());
        }
    }
    INFO(usable << " usable, " << refused << " refused");
    CHECK(refused > 5'000);   // the rest are other texts and numbers
}
