#include "testing/history_file.hpp"

#include "testing/history_words.hpp"

#include "wire/base64.hpp"
#include "wire/overloaded.hpp"
#include "wire/quote.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <variant>

namespace dynconf::testing {
namespace {

using json = nlohmann::ordered_json;
using namespace file_words;

template <class T, std::size_t N>
std::string word(const words<T, N>& all, T value) {
    for (const auto& [v, name] : all)
        if (v == value) return std::string(name);
    return "?";
}

std::int64_t moment(time_point t) { return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count(); }

void bytes(json& to, const char* name, const std::string& value) {
    if (wire::is_utf8(value)) to[name] = value;
    else to[std::string(name) + "_base64"] = wire::to_base64(value);
}

void number(json& to, const char* name, std::int64_t value) {
    if (value != 0) to[name] = value;
}

void flag(json& to, const char* name, bool set) {
    if (set) to[name] = true;
}

void range(json& to, const key_range& r) {
    bytes(to, "key", r.first());
    if (!r.is_single_key()) bytes(to, "range_end", r.range_end());
}

json of(const key_value& kv) {
    json o;
    bytes(o, "key", kv.key);
    bytes(o, "value", kv.value);
    number(o, "create_revision", kv.create_revision);
    number(o, "mod_revision", kv.mod_revision);
    number(o, "version", kv.version);
    number(o, "lease", kv.lease);
    return o;
}

json of(const event& e) {
    json o{{"type", word(event_kinds, e.type)}};
    bytes(o, "key", e.kv.key);
    if (e.type == event::kind::put) bytes(o, "value", e.kv.value);
    number(o, "create_revision", e.kv.create_revision);
    number(o, "mod_revision", e.kv.mod_revision);
    number(o, "version", e.kv.version);
    number(o, "lease", e.kv.lease);
    if (e.prev_kv) o["prev_kv"] = of(*e.prev_kv);
    return o;
}

json of(const key_range& r) {
    json o;
    range(o, r);
    return o;
}

json of(const comparison& c);
json of(const op& call);
json of(const op_response& answer);

template <class T>
json list(const std::vector<T>& all) {
    json a = json::array();
    for (const T& one : all) a.push_back(of(one));
    return a;
}

json of(const comparison& c) {
    json o;
    bytes(o, "key", c.key);
    if (!c.range_end.empty()) bytes(o, "range_end", c.range_end);
    o["what"] = word(targets, c.what);
    o["is"] = word(relations, c.is);
    if (c.what == comparison::target::value) bytes(o, "value", c.bytes);
    else o["number"] = c.number;
    return o;
}

json of(const op& call) {
    json o;
    std::visit(wire::overloaded{
        [&](const op::range_op& r) {
            json& a = o["range"];
            range(a, r.range);
            number(a, "limit", r.options.limit);
            number(a, "revision", r.options.revision);
            if (r.options.order != sort_order::none) a["order"] = word(orders, r.options.order);
            if (r.options.target != sort_target::key) a["target"] = word(sort_targets, r.options.target);
            flag(a, "serializable", r.options.read == consistency::serializable);
            flag(a, "keys_only", r.options.keys_only);
            flag(a, "count_only", r.options.count_only);
            number(a, "min_mod_revision", r.options.min_mod_revision);
            number(a, "max_mod_revision", r.options.max_mod_revision);
            number(a, "min_create_revision", r.options.min_create_revision);
            number(a, "max_create_revision", r.options.max_create_revision);
        },
        [&](const op::put_op& p) {
            json& a = o["put"];
            bytes(a, "key", p.key);
            bytes(a, "value", p.value);
            number(a, "lease", p.options.lease);
            flag(a, "prev_kv", p.options.prev_kv);
            flag(a, "ignore_value", p.options.ignore_value);
            flag(a, "ignore_lease", p.options.ignore_lease);
        },
        [&](const op::delete_op& d) {
            json& a = o["delete_range"];
            range(a, d.range);
            flag(a, "prev_kv", d.options.prev_kv);
        },
        [&](const op::txn_op& t) {
            o["txn"] = {{"if", list(t.what->compares())}, {"then", list(t.what->success())}, {"else", list(t.what->failure())}};
        },
    }, call.what());
    return o;
}

json of(const op_response& answer) {
    json o;
    std::visit(wire::overloaded{
        [&](const range_response& r) {
            o["range"] = {{"revision", r.header.revision}, {"count", r.count}, {"kvs", list(r.kvs)}};
            flag(o["range"], "more", r.more);
        },
        [&](const put_response& p) {
            o["put"] = {{"revision", p.header.revision}};
            if (p.prev_kv) o["put"]["prev_kv"] = of(*p.prev_kv);
        },
        [&](const delete_response& d) {
            o["delete_range"] = {{"revision", d.header.revision}, {"deleted", d.deleted}};
            if (!d.prev_kvs.empty()) o["delete_range"]["prev_kvs"] = list(d.prev_kvs);
        },
        [&](const txn_response& t) {
            o["txn"] = {{"revision", t.header.revision}, {"succeeded", t.succeeded}, {"responses", list(t.responses)}};
        },
    }, static_cast<const op_response::variant&>(answer));
    return o;
}

json of(const operation& c) {
    json o{{"type", "call"}, {"client", c.client}, {"called", moment(c.called)}};
    if (c.state != write_state::unknown) o["returned"] = moment(c.returned);
    o["state"] = word(states, c.state);
    o["what"] = of(c.what);
    if (c.answer) o["answer"] = of(*c.answer);
    number(o, "guard", c.guard);
    return o;
}

json of(const lease_operation& l) {
    json o{{"type", "lease"}, {"client", l.client}, {"what", word(lease_kinds, l.what)}, {"id", l.id}, {"called", moment(l.called)}};
    if (l.state != write_state::unknown) o["returned"] = moment(l.returned);
    o["state"] = word(states, l.state);
    number(o, "ttl", l.ttl);
    return o;
}

json of(const holding& h) {
    json o{{"type", "holding"}, {"client", h.client}};
    bytes(o, "name", h.name);
    bytes(o, "key", h.key);
    o["token"] = h.token;
    o["from"] = moment(h.from);
    if (h.until) o["until"] = moment(*h.until);
    return o;
}

json of(const observer& w) {
    json o{{"type", "observer"}, {"name", w.name}, {"what", word(observer_kinds, w.what)}, {"ranges", list(w.ranges)}};
    flag(o, "prev_kv", w.prev_kv);
    flag(o, "no_put", w.no_put);
    flag(o, "no_delete", w.no_delete);
    return o;
}

json of(const sight& s, const std::string& who) {
    json o{{"type", "sight"}, {"observer", who}, {"what", word(sight_kinds, s.what)}, {"at", moment(s.at)}};
    number(o, "revision", s.revision);
    if (!s.events.empty()) o["events"] = list(s.events);
    if (!s.content.empty()) o["content"] = list(s.content);
    if (s.why != mirror_step::reason::none) o["why"] = word(reasons, s.why);
    if (s.end != ending::left) o["why"] = word(endings, s.end);
    return o;
}

json state(const char* type, const known_state& s) { return {{"type", type}, {"revision", s.revision}, {"kvs", list(s.kvs)}}; }

}  // namespace

void write_history(std::ostream& out, const history& h) {
    // Names are somebody's words; keys and values are UTF-8 or encoded.
    const auto line = [&out](const json& o) { out << o.dump(-1, ' ', false, json::error_handler_t::replace) << '\n'; };
    json start = state("start", h.start);
    flag(start, "foreign_writers", h.foreign_writers);
    line(start);
    for (const auto& o : h.operations) line(of(o));
    for (const auto& l : h.leases) line(of(l));
    for (const auto& c : h.compactions) line({{"type", "compaction"}, {"called", moment(c.called)}, {"revision", c.revision}});
    for (const auto& c : h.holdings) line(of(c));
    for (const auto& l : h.lulls) line({{"type", "lull"}, {"at", moment(l.at)}, {"revision", l.revision}});
    for (const auto& w : h.observers) {
        line(of(w));
        for (const sight& s : w.seen) line(of(s, w.name));
    }
    if (h.end) {
        json o = state("end", *h.end);
        o["at"] = moment(h.ended);
        line(o);
    }
}

}  // namespace dynconf::testing
