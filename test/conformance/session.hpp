#pragma once

#include "conformance/cases.hpp"
#include "conformance/normal.hpp"
#include "support/catch.hpp"
#include "wire/base64.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How the cases speak.

namespace dynconf::test {

using nlohmann::json;
using names = std::vector<std::string>;

inline std::string b64(std::string_view bytes) { return wire::to_base64(bytes); }
inline const std::string everything(1, '\0');

inline json key_range_of(std::string_view key, std::string_view end) { return {{"key", b64(key)}, {"range_end", b64(end)}}; }

/// Requests in few words, answers as JSON.
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

inline std::vector<std::string> keys_of(const json& reply) {
    std::vector<std::string> keys;
    for (const json& kv : reply.value("kvs", json::array())) keys.push_back(wire::from_base64(kv["key"].get<std::string>()).value());
    return keys;
}

inline json compare_of(std::string_view key, std::string_view target, std::string_view result, std::string_view field, const json& operand) {
    return {{"key", b64(key)}, {"target", target}, {"result", result}, {std::string(field), operand}};
}
inline json op_put(std::string_view key, std::string_view value) { return {{"request_put", {{"key", b64(key)}, {"value", b64(value)}}}}; }
inline json op_range(std::string_view key, std::string_view end = {}, json more = json::object()) {
    more.update(key_range_of(key, end));
    return {{"request_range", more}};
}
inline json op_delete(std::string_view key, std::string_view end = {}) { return {{"request_delete_range", key_range_of(key, end)}}; }

inline json create(std::string_view key, std::string_view end = {}, json more = json::object()) {
    more.update(key_range_of(key, end));
    return {{"create_request", more}};
}

}  // namespace dynconf::test
