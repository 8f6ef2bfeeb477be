#pragma once

#include "testing/gateway.hpp"
#include "wire/base64.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

// Members of a fake cluster, and what is said to them in few words.

namespace dynconf::test {

using namespace dynconf::testing;
using namespace std::chrono_literals;
using nlohmann::json;

inline request ask(std::string path, const json& body = json::object()) {
    request r;
    r.path = std::move(path);
    r.body = body.dump();
    return r;
}
inline request put_of(std::string_view key, std::string_view value) {
    return ask("/v3/kv/put", {{"key", wire::to_base64(key)}, {"value", wire::to_base64(value)}});
}
inline request range_of(std::string_view key, bool serializable = false) {
    return ask("/v3/kv/range", {{"key", wire::to_base64(key)}, {"serializable", serializable}});
}

inline reply answer_of(gateway& g, const request& r, time_point now = {}) { return std::get<reply>(g.handle(r, now)); }
inline json json_of(gateway& g, const request& r, time_point now = {}) { return json::parse(answer_of(g, r, now).body); }
inline std::string value_of(const json& range) {
    return range.contains("kvs") ? wire::from_base64(range["kvs"][0].value("value", "")).value() : "none";
}

inline std::unique_ptr<stream> watch_of(gateway& g, std::string_view key, json more = json::object(), bool require_leader = false) {
    more["key"] = wire::to_base64(key);
    request r = ask("/v3/watch", {{"create_request", more}});
    r.require_leader = require_leader;
    return std::move(std::get<std::unique_ptr<stream>>(g.handle(r, {})));
}

/// The revisions of the events that there are, and of messages without events those of their headers, negative.
inline std::vector<std::int64_t> told(stream& s, time_point now = {}) {
    std::vector<std::int64_t> all;
    for (const std::string& line : s.take(now)) {
        const json message = json::parse(line);
        if (!message.contains("result")) continue;
        const json& result = message["result"];
        if (result.contains("created") || result.contains("canceled")) continue;
        if (!result.contains("events")) all.push_back(-std::stoll(result["header"]["revision"].get<std::string>()));
        for (const json& e : result.value("events", json::array())) all.push_back(std::stoll(e["kv"]["mod_revision"].get<std::string>()));
    }
    return all;
}

using revisions = std::vector<std::int64_t>;

}  // namespace dynconf::test
