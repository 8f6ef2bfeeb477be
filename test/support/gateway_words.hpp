#pragma once

#include "support/fake_gateway.hpp"
#include "support/log_file.hpp"
#include "wire/base64.hpp"

#include <dynconf/options.hpp>
#include <dynconf/types.hpp>

#include <string>
#include <vector>

// What etcd's gateway says, in the words of 3.5.

namespace dynconf::test {

constexpr std::uint64_t some_cluster = 14841639068965178418u;   // past the range of int64

inline std::string header(revision_t revision, std::uint64_t cluster = some_cluster) {
    return "\"header\":{\"cluster_id\":\"" + std::to_string(cluster) + "\",\"member_id\":\"10276657743932975437\",\"revision\":\""
        + std::to_string(revision) + "\",\"raft_term\":\"2\"}";
}

inline std::string pair(const std::string& key, const std::string& value, revision_t mod) {
    return "{\"key\":\"" + wire::to_base64(key) + "\",\"create_revision\":\"1\",\"mod_revision\":\"" + std::to_string(mod)
        + "\",\"version\":\"1\",\"value\":\"" + wire::to_base64(value) + "\"}";
}

inline std::string joined(const std::vector<std::string>& items) {
    std::string all;
    for (const std::string& item : items) all += (all.empty() ? "" : ",") + item;
    return all;
}

inline std::string range_body(revision_t revision, const std::vector<std::string>& pairs = {}, bool more = false,
                              std::uint64_t cluster = some_cluster) {
    return "{" + header(revision, cluster) + (pairs.empty() ? "" : ",\"kvs\":[" + joined(pairs) + "]") + (more ? ",\"more\":true" : "")
        + (pairs.empty() ? "" : ",\"count\":\"" + std::to_string(pairs.size()) + "\"") + "}";
}

inline std::string fault(int code, const std::string& message) {
    return "{\"error\":\"" + message + "\",\"code\":" + std::to_string(code) + ",\"message\":\"" + message + "\"}";
}

/// The place of a watch among the creates of its body is its id; etcd leaves out a zero.
inline std::string watch_id(std::size_t id) { return id == 0 ? std::string() : ",\"watch_id\":\"" + std::to_string(id) + "\""; }

inline std::string created(revision_t revision, std::uint64_t cluster = some_cluster, std::size_t id = 0) {
    return "{\"result\":{" + header(revision, cluster) + watch_id(id) + ",\"created\":true}}";
}

inline std::string put_event(const std::string& key, const std::string& value, revision_t mod) {
    return "{\"kv\":" + pair(key, value, mod) + "}";
}

inline std::string erase_event(const std::string& key, revision_t mod) {
    return "{\"type\":\"DELETE\",\"kv\":{\"key\":\"" + wire::to_base64(key) + "\",\"mod_revision\":\"" + std::to_string(mod) + "\"}}";
}

inline std::string news(revision_t revision, const std::vector<std::string>& events, std::size_t id = 0) {
    return "{\"result\":{" + header(revision) + watch_id(id) + ",\"events\":[" + joined(events) + "]}}";
}

/// What each watch of the request's body is told, in turn.
inline std::vector<std::string> each_watch(const gateway_request& r, const std::function<std::vector<std::string>(std::size_t id)>& told) {
    std::vector<std::string> lines;
    std::size_t id = 0;
    for (auto at = r.body.find("create_request"); at != std::string::npos; at = r.body.find("create_request", at + 1))
        for (std::string& line : told(id++)) lines.push_back(std::move(line));
    return lines;
}

inline std::string compacted_cancel(revision_t revision) {
    return "{\"result\":{\"header\":{\"cluster_id\":\"7\",\"member_id\":\"9\",\"raft_term\":\"2\"},\"canceled\":true,\"compact_revision\":\""
        + std::to_string(revision) + "\"}}";
}

inline std::string refused_create(const std::string& reason) {
    return "{\"result\":{" + header(1) + ",\"watch_id\":\"-1\",\"created\":true,\"canceled\":true,\"cancel_reason\":\"" + reason + "\"}}";
}

inline std::string stream_fault(int code, const std::string& message) {
    return "{\"error\":{\"grpc_code\":" + std::to_string(code) + ",\"http_code\":503,\"message\":\"" + message + "\",\"http_status\":\"x\"}}";
}

inline gateway_answer token_answer(const std::string& token) { return json("{" + header(1) + ",\"token\":\"" + token + "\"}"); }

inline revision_t start_revision(const gateway_request& r) {
    const std::string text = r.member("start_revision");
    return text.empty() ? 0 : std::stoll(text);
}

inline std::string key_of(const gateway_request& r) { return wire::from_base64(r.member("key")).value_or("not base64"); }

/// Generous where a test should pass however slow the machine is, short where it has to wait.
inline client_options options_for(std::vector<std::string> endpoints) {
    client_options o;
    o.endpoints = std::move(endpoints);
    o.connect_timeout = o.tls_timeout = o.request_timeout = o.created_timeout = std::chrono::seconds(5);
    o.total_timeout = std::chrono::seconds(9);
    o.backoff.first = std::chrono::milliseconds(1);
    o.backoff.most = std::chrono::milliseconds(4);
    o.slow_retry = std::chrono::milliseconds(5);
    o.log = log_file();
    return o;
}

}  // namespace dynconf::test
