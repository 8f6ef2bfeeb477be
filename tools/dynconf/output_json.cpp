#include "output_json.hpp"

#include "text.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace dynconf::tool::json_lines {

using json = nlohmann::ordered_json;

namespace {

/// Keys and values were encoded already; of the words of an error a broken character is shown as such.
std::string line(const json& object) { return object.dump(-1, ' ', false, json::error_handler_t::replace) + '\n'; }

void add(json& object, const char* name, const std::string& bytes) {
    if (is_utf8(bytes)) object[name] = bytes;
    else object[std::string(name) + "_base64"] = to_base64(bytes);
}

json of_event(const event& e) {
    json object;
    object["type"] = e.type == event::kind::put ? "put" : "delete";
    add(object, "key", e.kv.key);
    if (e.type == event::kind::put) add(object, "value", e.kv.value);
    object["mod_revision"] = e.kv.mod_revision;
    return object;
}

json of_events(std::span<const event> events) {
    json all = json::array();
    for (const event& e : events) all.push_back(of_event(e));
    return all;
}

json of_key_value(const key_value& kv, bool keys_only) {
    json object;
    add(object, "key", kv.key);
    if (!keys_only) add(object, "value", kv.value);
    object["create_revision"] = kv.create_revision;
    object["mod_revision"] = kv.mod_revision;
    object["version"] = kv.version;
    if (kv.lease != 0) object["lease"] = kv.lease;
    return object;
}

}  // namespace

std::string snapshot(revision_t revision, const std::vector<key_value>& content) {
    json object{{"type", "snapshot"}, {"revision", revision}};
    json keys = json::object();
    json encoded = json::object();
    for (const key_value& kv : content) {
        // push_back: ordered_json looks a name up by walking all of them.
        if (is_utf8(kv.key) && is_utf8(kv.value)) keys.get_ref<json::object_t&>().push_back({kv.key, kv.value});
        else encoded.get_ref<json::object_t&>().push_back({to_base64(kv.key), to_base64(kv.value)});
    }
    object["keys"] = std::move(keys);
    if (!encoded.empty()) object["keys_base64"] = std::move(encoded);
    return line(object);
}

std::string update(revision_t revision, std::span<const event> events) {
    return line({{"type", "update"}, {"revision", revision}, {"events", of_events(events)}});
}

std::string resync(revision_t revision, mirror_step::reason why, std::span<const event> events) {
    json object{{"type", "resync"}, {"revision", revision}};
    if (why != mirror_step::reason::none) object["reason"] = name_of(why);
    object["events"] = of_events(events);
    return line(object);
}

std::string state(std::string_view name, revision_t revision, const std::string& endpoint, const error* cause) {
    json object{{"type", "state"}, {"state", name}};
    if (revision != 0) object["revision"] = revision;
    if (!endpoint.empty()) object["endpoint"] = endpoint;
    if (cause) object["cause"] = cause->message();
    return line(object);
}

std::string range(const range_response& r, bool keys_only) {
    json object{{"revision", r.header.revision}, {"count", r.count}, {"kvs", json::array()}};
    for (const key_value& kv : r.kvs) object["kvs"].push_back(of_key_value(kv, keys_only));
    return line(object);
}

std::string put(const put_response& r) { return line({{"revision", r.header.revision}}); }

std::string deleted(const delete_response& r) {
    return line({{"revision", r.header.revision}, {"deleted", r.deleted}});
}

std::string status(const std::string& endpoint, const result<status_response>& r) {
    json object{{"endpoint", endpoint}};
    if (!r) {
        object["error"] = r.error().message();
        return line(object);
    }
    object["version"] = r->version;
    object["cluster_id"] = r->header.cluster_id;
    object["member_id"] = r->header.member_id;
    object["revision"] = r->header.revision;
    object["leader"] = r->leader;
    object["is_learner"] = r->is_learner;
    object["db_size"] = r->db_size;
    object["db_size_in_use"] = r->db_size_in_use;
    object["raft_term"] = r->raft_term;
    object["raft_index"] = r->raft_index;
    object["raft_applied_index"] = r->raft_applied_index;
    object["errors"] = r->errors;
    return line(object);
}

std::string rotated(const rotation_report& r) {
    json object{{"complete", r.complete()}, {"as_of", r.as_of}, {"keys", r.keys}, {"sealed", json::object()}, {"plaintext", r.plaintext},
                {"to_rewrite", r.to_rewrite}, {"rewritten", r.rewritten}, {"overtaken", r.overtaken}, {"vanished", r.vanished},
                {"unresolved", r.unresolved}, {"problems", json::array()}};
    for (const auto& [id, n] : r.sealed) object["sealed"][is_utf8(id) ? id : "?"] = n;
    for (const rotation_problem& p : r.problems) {
        json problem;
        add(problem, "key", p.key);
        problem["cause"] = p.why.message();
        object["problems"].push_back(std::move(problem));
    }
    return line(object);
}

}  // namespace dynconf::tool::json_lines
