#include "as_json.hpp"

#include "wire/base64.hpp"

namespace test {
namespace {

using namespace dynconf;
using nlohmann::json;

struct writer {
    json j = json::object();

    template <class T>
    writer& number(const char* name, T value) {
        if (value != 0) j[name] = std::to_string(value);
        return *this;
    }
    writer& flag(const char* name, bool value) {
        if (value) j[name] = true;
        return *this;
    }
    writer& text(const char* name, const std::string& value) {
        if (!value.empty()) j[name] = value;
        return *this;
    }
    writer& bytes(const char* name, const std::string& value) { return text(name, wire::to_base64(value)); }
    writer& part(const char* name, json value) {
        if (!value.empty()) j[name] = std::move(value);
        return *this;
    }
    template <class T, class F>
    writer& list(const char* name, const std::vector<T>& items, F each) {
        json all = json::array();
        for (const T& item : items) all.push_back(each(item));
        return part(name, std::move(all));
    }
};

json header(const response_header& h) {
    return writer().number("cluster_id", h.cluster_id).number("member_id", h.member_id)
        .number("revision", h.revision).number("raft_term", h.raft_term).j;
}

json kv(const key_value& k) {
    return writer().bytes("key", k.key).bytes("value", k.value).number("create_revision", k.create_revision)
        .number("mod_revision", k.mod_revision).number("version", k.version).number("lease", k.lease).j;
}

json member(const dynconf::member& m) {
    return writer().number("ID", m.id).text("name", m.name).part("peerURLs", m.peer_urls).part("clientURLs", m.client_urls)
        .flag("isLearner", m.is_learner).j;
}

json optional_kv(const std::optional<key_value>& k) { return k ? kv(*k) : json(); }

template <class Message>
writer with_header(const Message& m) {
    return writer().part("header", header(m.header));
}

}  // namespace

json as_json(const range_response& m) {
    return with_header(m).list("kvs", m.kvs, kv).flag("more", m.more).number("count", m.count).j;
}

json as_json(const put_response& m) { return with_header(m).part("prev_kv", optional_kv(m.prev_kv)).j; }

json as_json(const delete_response& m) {
    return with_header(m).number("deleted", m.deleted).list("prev_kvs", m.prev_kvs, kv).j;
}

json as_json(const txn_response& m) {
    struct named {
        json operator()(const range_response& r) const { return {{"response_range", as_json(r)}}; }
        json operator()(const put_response& r) const { return {{"response_put", as_json(r)}}; }
        json operator()(const delete_response& r) const { return {{"response_delete_range", as_json(r)}}; }
        json operator()(const txn_response& r) const { return {{"response_txn", as_json(r)}}; }
    };
    return with_header(m).flag("succeeded", m.succeeded)
        .list("responses", m.responses, [](const auto& r) { return std::visit(named{}, r); }).j;
}

json as_json(const status_response& m) {
    return with_header(m).text("version", m.version).number("dbSize", m.db_size).number("leader", m.leader)
        .number("raftIndex", m.raft_index).number("raftTerm", m.raft_term)
        .number("raftAppliedIndex", m.raft_applied_index).part("errors", m.errors)
        .number("dbSizeInUse", m.db_size_in_use).flag("isLearner", m.is_learner).j;
}

json as_json(const wire::watch_response& m) {
    const auto one = [](const event& e) {
        return writer().text("type", e.type == event::kind::erase ? "DELETE" : "").part("kv", kv(e.kv))
            .part("prev_kv", optional_kv(e.prev_kv)).j;
    };
    return with_header(m).number("watch_id", m.watch_id).flag("created", m.created).flag("canceled", m.canceled)
        .number("compact_revision", m.compact_revision).text("cancel_reason", m.cancel_reason)
        .flag("fragment", m.fragment).list("events", m.events, one).j;
}

json as_json(const wire::authenticate_response& m) { return with_header(m).text("token", m.token).j; }

json as_json(const wire::auth_status_response& m) {
    return with_header(m).flag("enabled", m.enabled).number("authRevision", m.auth_revision).j;
}

json as_json(const wire::role_names_response& m) { return with_header(m).part("roles", m.roles).j; }

json as_json(const wire::user_list_response& m) { return with_header(m).part("users", m.users).j; }

json as_json(const wire::role_get_response& m) {
    return with_header(m).list("perm", m.permissions, [](const wire::granted_permission& p) {
        return writer().text("permType", p.type).bytes("key", p.key).bytes("range_end", p.range_end).j;
    }).j;
}

json as_json(const member_list_response& m) { return with_header(m).list("members", m.members, member).j; }

json as_json(const member_add_response& m) {
    return with_header(m).part("member", member(m.added)).list("members", m.members, member).j;
}

json as_json(const hash_kv_response& m) {
    return with_header(m).number("hash", m.hash).number("compact_revision", m.compact_revision).j;
}

json as_json(const wire::alarm_response& m) {
    return with_header(m).list("alarms", m.alarms, [](const wire::alarm_entry& a) {
        return writer().number("memberID", a.member_id).text("alarm", a.alarm).j;
    }).j;
}

json as_json(const wire::lease_grant_response& m) {
    return with_header(m).number("ID", m.id).number("TTL", m.ttl).text("error", m.error).j;
}

json as_json(const wire::lease_keep_alive_response& m) {
    return with_header(m).number("ID", m.id).number("TTL", m.ttl).j;
}

json as_json(const wire::lease_time_to_live_response& m) {
    return with_header(m).number("ID", m.id).number("TTL", m.ttl).number("grantedTTL", m.granted_ttl)
        .list("keys", m.keys, [](const std::string& k) { return wire::to_base64(k); }).j;
}

json as_json(const wire::lease_leases_response& m) {
    return with_header(m).list("leases", m.leases, [](const wire::lease_entry& l) { return json{{"ID", std::to_string(l.id)}}; }).j;
}

json as_json(const wire::header_only_response& m) { return with_header(m).j; }

json known_fields(json answer) {
    for (const char* name : {"storageVersion", "dbSizeQuota", "downgradeInfo"}) answer.erase(name);
    if (answer.contains("responses"))
        for (json& one : answer["responses"])
            if (one.contains("response_txn")) one["response_txn"] = known_fields(one["response_txn"]);
    for (auto& [name, value] : answer.items()) {
        if (name == "events" || name == "responses") continue;
        if (value == json::object()) {
            answer.erase(name);
            break;
        }
    }
    return answer;
}

}  // namespace test
