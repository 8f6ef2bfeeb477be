#include "wire/requests.hpp"

#include "wire/json_object.hpp"

namespace dynconf::wire {
namespace {

// What base64 makes of a key, and the names and digits around it.
constexpr std::size_t around = 160;
constexpr std::size_t encoded(std::string_view bytes) { return bytes.size() / 3 * 4 + 4; }
std::size_t encoded(const key_range& r) { return encoded(r.first()) + encoded(r.range_end()); }

std::string_view name_of(sort_order o) {
    switch (o) {
    case sort_order::none: return "NONE";
    case sort_order::ascend: return "ASCEND";
    case sort_order::descend: return "DESCEND";
    }
    return "NONE";
}

std::string_view name_of(sort_target t) {
    switch (t) {
    case sort_target::key: return "KEY";
    case sort_target::version: return "VERSION";
    case sort_target::create: return "CREATE";
    case sort_target::mod: return "MOD";
    case sort_target::value: return "VALUE";
    }
    return "KEY";
}

std::string_view name_of(comparison::relation r) {
    switch (r) {
    case comparison::relation::equal: return "EQUAL";
    case comparison::relation::not_equal: return "NOT_EQUAL";
    case comparison::relation::less: return "LESS";
    case comparison::relation::greater: return "GREATER";
    }
    return "EQUAL";
}

struct comparison_target { std::string_view name, member; };

comparison_target names_of(comparison::target t) {
    switch (t) {
    case comparison::target::version: return {"VERSION", "version"};
    case comparison::target::create_revision: return {"CREATE", "create_revision"};
    case comparison::target::mod_revision: return {"MOD", "mod_revision"};
    case comparison::target::value: return {"VALUE", "value"};
    case comparison::target::lease: return {"LEASE", "lease"};
    }
    return {"VERSION", "version"};
}

void append_range(std::string& out, const key_range& r, const range_options& o) {
    json_object body(out);
    body.range(r);
    body.number_unless_zero("limit", o.limit);
    body.number_unless_zero("revision", o.revision);
    if (o.order != sort_order::none) body.word("sort_order", name_of(o.order));
    if (o.target != sort_target::key) body.word("sort_target", name_of(o.target));
    body.flag("serializable", o.read == consistency::serializable);
    body.flag("keys_only", o.keys_only);
    body.flag("count_only", o.count_only);
    body.number_unless_zero("min_mod_revision", o.min_mod_revision);
    body.number_unless_zero("max_mod_revision", o.max_mod_revision);
    body.number_unless_zero("min_create_revision", o.min_create_revision);
    body.number_unless_zero("max_create_revision", o.max_create_revision);
    body.close();
}

void append_put(std::string& out, std::string_view key, std::string_view value, const put_options& o) {
    json_object body(out);
    body.bytes_unless_empty("key", key);
    body.bytes_unless_empty("value", value);
    body.number_unless_zero("lease", o.lease);
    body.flag("prev_kv", o.prev_kv);
    body.flag("ignore_value", o.ignore_value);
    body.flag("ignore_lease", o.ignore_lease);
    body.close();
}

void append_delete(std::string& out, const key_range& r, const delete_options& o) {
    json_object body(out);
    body.range(r);
    body.flag("prev_kv", o.prev_kv);
    body.close();
}

void append_comparison(std::string& out, const comparison& c) {
    const auto [target, member] = names_of(c.what);
    json_object body(out);
    body.word("result", name_of(c.is));
    body.word("target", target);
    body.range(key_range::raw(c.key, c.range_end));
    // The operand is said even when it is zero: it also selects what is compared.
    if (c.what == comparison::target::value) body.bytes(member, c.bytes);
    else body.number(member, c.number);
    body.close();
}

void append_txn(std::string& out, const txn& t);

struct append_op {
    std::string& out;

    void operator()(const op::range_op& o) const { append_range(wrap("request_range"), o.range, o.options); }
    void operator()(const op::put_op& o) const { append_put(wrap("request_put"), o.key, o.value, o.options); }
    void operator()(const op::delete_op& o) const { append_delete(wrap("request_delete_range"), o.range, o.options); }
    void operator()(const op::txn_op& o) const { append_txn(wrap("request_txn"), *o.what); }

    std::string& wrap(std::string_view name) const { return ((out += "{\"") += name) += "\":"; }
};

std::size_t size_of(const txn& t);

struct size_of_op {
    std::size_t operator()(const op::range_op& o) const { return around + encoded(o.range); }
    std::size_t operator()(const op::put_op& o) const { return around + encoded(o.key) + encoded(o.value); }
    std::size_t operator()(const op::delete_op& o) const { return around + encoded(o.range); }
    std::size_t operator()(const op::txn_op& o) const { return size_of(*o.what); }
};

template <class Items, class Append>
void append_list(json_object& body, std::string_view name, const Items& items, Append append) {
    if (items.empty()) return;
    std::string& out = body.member(name);
    char before = '[';
    for (const auto& item : items) {
        out += before;
        append(item);
        before = ',';
    }
    out += ']';
}

std::size_t size_of(const txn& t) {
    std::size_t size = around;
    for (const comparison& c : t.compares()) size += around + encoded(c.key) + encoded(c.range_end) + encoded(c.bytes);
    for (const auto* branch : {&t.success(), &t.failure()})
        for (const op& o : *branch) size += std::visit(size_of_op{}, o.what());
    return size;
}

void append_txn(std::string& out, const txn& t) {
    const auto append_branch_op = [&](const op& o) {
        std::visit(append_op{out}, o.what());
        out += '}';
    };
    json_object body(out);
    append_list(body, "compare", t.compares(), [&](const comparison& c) { append_comparison(out, c); });
    append_list(body, "success", t.success(), append_branch_op);
    append_list(body, "failure", t.failure(), append_branch_op);
    body.close();
}

}  // namespace

std::string range_request(const key_range& r, const range_options& o) {
    std::string out;
    out.reserve(around + encoded(r));
    append_range(out, r, o);
    return out;
}

std::string put_request(std::string_view key, std::string_view value, const put_options& o) {
    std::string out;
    out.reserve(around + encoded(key) + encoded(value));
    append_put(out, key, value, o);
    return out;
}

std::string delete_range_request(const key_range& r, const delete_options& o) {
    std::string out;
    out.reserve(around + encoded(r));
    append_delete(out, r, o);
    return out;
}

std::string txn_request(const txn& t) {
    std::string out;
    out.reserve(size_of(t));
    append_txn(out, t);
    return out;
}

std::string watch_request(std::span<const watch_create> watches) {
    std::string out;
    for (const watch_create& w : watches) {
        if (!out.empty()) out += '\n';
        json_object message(out);
        json_object create(message.member("create_request"));
        create.range(w.range);
        create.number_unless_zero("start_revision", w.start_revision);
        create.flag("progress_notify", w.progress_notify);
        if (w.no_put || w.no_delete) {
            constexpr std::string_view put = "\"NOPUT\"", erase = "\"NODELETE\"";
            create.member("filters") += '[';
            if (w.no_put) out += put;
            if (w.no_put && w.no_delete) out += ',';
            if (w.no_delete) out += erase;
            out += ']';
        }
        create.flag("prev_kv", w.prev_kv);
        create.number_unless_zero("watch_id", w.watch_id);
        create.flag("fragment", w.fragment);
        create.close();
        message.close();
    }
    return out;
}

std::string lease_grant_request(std::int64_t ttl_seconds, lease_id id) {
    return object_with([&](json_object& body) {
        body.number_unless_zero("TTL", ttl_seconds);
        body.number_unless_zero("ID", id);
    });
}

std::string lease_revoke_request(lease_id id) {
    return object_with([&](json_object& body) { body.number_unless_zero("ID", id); });
}

std::string lease_keep_alive_request(std::span<const lease_id> ids) {
    std::string out;
    for (const lease_id id : ids) {
        if (!out.empty()) out += '\n';
        json_object body(out);
        body.number_unless_zero("ID", id);
        body.close();
    }
    return out;
}

std::string lease_time_to_live_request(lease_id id, bool keys) {
    return object_with([&](json_object& body) {
        body.number_unless_zero("ID", id);
        body.flag("keys", keys);
    });
}

}  // namespace dynconf::wire
