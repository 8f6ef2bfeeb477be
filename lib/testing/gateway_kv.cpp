#include "testing/gateway_call.hpp"
#include "testing/request_checks.hpp"

#include <algorithm>
#include <array>

namespace dynconf::testing {
namespace {

constexpr std::array<std::string_view, 3> order_names = {"NONE", "ASCEND", "DESCEND"};
constexpr std::array<std::string_view, 5> sort_names = {"KEY", "VERSION", "CREATE", "MOD", "VALUE"};
constexpr std::array<std::string_view, 4> result_names = {"EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
constexpr std::array<std::string_view, 5> target_names = {"VERSION", "CREATE", "MOD", "VALUE", "LEASE"};
constexpr std::array<std::string_view, 5> operand_names = {"version", "create_revision", "mod_revision", "value", "lease"};
constexpr std::array<std::string_view, 4> op_names = {"request_range", "request_put", "request_delete_range", "request_txn"};

range_request read_range(const json_in& in) {
    return {.key = in.bytes("key"), .range_end = in.bytes("range_end"), .limit = in.number("limit"),
        .revision = in.number("revision"), .sort_order = in.choice("sort_order", order_names),
        .sort_target = in.choice("sort_target", sort_names), .serializable = in.flag("serializable"),
        .keys_only = in.flag("keys_only"), .count_only = in.flag("count_only"),
        .min_mod_revision = in.number("min_mod_revision"), .max_mod_revision = in.number("max_mod_revision"),
        .min_create_revision = in.number("min_create_revision"), .max_create_revision = in.number("max_create_revision")};
}

put_request read_put(const json_in& in) {
    return {.key = in.bytes("key"), .value = in.bytes("value"), .lease = in.number("lease"), .prev_kv = in.flag("prev_kv"),
        .ignore_value = in.flag("ignore_value"), .ignore_lease = in.flag("ignore_lease")};
}

delete_request read_delete(const json_in& in) {
    return {.key = in.bytes("key"), .range_end = in.bytes("range_end"), .prev_kv = in.flag("prev_kv")};
}

compare read_compare(const json_in& in) {
    compare c;
    c.result = static_cast<compare::relation>(in.choice("result", result_names));
    c.what = static_cast<compare::target>(in.choice("target", target_names));
    c.key = in.bytes("key");
    c.range_end = in.bytes("range_end");
    // etcd takes the operand for zero when it is of another kind than the target.
    const std::size_t operand = in.one_of(operand_names);
    if (operand != static_cast<std::size_t>(c.what)) return c;
    if (c.what == compare::target::value) c.value = in.bytes("value");
    else c.number = in.number(operand_names[operand]);
    return c;
}

txn_request read_txn(const json_in& in) {
    txn_request t;
    in.each("compare", [&](const json_in& c) { t.compares.push_back(read_compare(c)); });
    const auto branch = [&](std::string_view name, std::vector<op_request>& ops) {
        in.each(name, [&](const json_in& o) {
            op_request& op = ops.emplace_back();
            const std::size_t kind = o.one_of(op_names);
            if (kind == op_names.size()) return;
            o.inner(op_names[kind], [&](const json_in& inner) {
                if (kind == 0) op = read_range(inner);
                else if (kind == 1) op = read_put(inner);
                else if (kind == 2) op = read_delete(inner);
                else op = std::make_shared<const txn_request>(read_txn(inner));
            });
        });
    };
    branch("success", t.success);
    branch("failure", t.failure);
    return t;
}

template <class F>
void each_op(const txn_request& t, F&& f) {
    for (const auto* ops : {&t.success, &t.failure})
        for (const op_request& o : *ops) {
            if (const auto* inner = std::get_if<std::shared_ptr<const txn_request>>(&o)) each_op(**inner, f);
            else f(o);
        }
}

bool writes(const txn_request& t) {
    bool any = false;
    each_op(t, [&](const op_request& o) { any = any || !std::holds_alternative<range_request>(o); });
    return any;
}

bool puts(const txn_request& t) {
    bool any = false;
    each_op(t, [&](const op_request& o) { any = any || std::holds_alternative<put_request>(o); });
    return any;
}

bool is_serializable(const txn_request& t) {
    bool all = true;
    each_op(t, [&](const op_request& o) {
        const auto* r = std::get_if<range_request>(&o);
        all = all && r && r->serializable;
    });
    return all;
}

void print_kvs(json_out& out, std::string_view name, const std::vector<record>& kvs, bool keys_only = false) {
    if (kvs.empty()) return;
    out.open_list(name);
    for (const record& kv : kvs) {
        out.open();
        print(out, *kv, keys_only);
        out.close();
    }
    out.close_list();
}

void print_rest(json_out& out, const range_reply& r) {
    print_kvs(out, "kvs", r.kvs, r.keys_only);
    out.flag("more", r.more);
    out.number("count", r.count);
}

void print_rest(json_out& out, const put_reply& r) {
    if (!r.prev_kv) return;
    out.open("prev_kv");
    print(out, *r.prev_kv);
    out.close();
}

void print_rest(json_out& out, const delete_reply& r) {
    out.number("deleted", r.deleted);
    print_kvs(out, "prev_kvs", r.prev_kvs);
}

void print_rest(json_out& out, const txn_reply& t) {
    static constexpr std::array<std::string_view, 4> names = {"response_range", "response_put", "response_delete_range", "response_txn"};
    out.flag("succeeded", t.succeeded);
    if (t.responses.empty()) return;
    out.open_list("responses");
    const auto inside = [&](const auto& reply) {
        out.open("header");
        out.number("revision", reply.revision);
        out.close();
        print_rest(out, reply);
    };
    for (const op_reply& o : t.responses) {
        out.open();
        out.open(names[o.index()]);
        if (const auto* inner = std::get_if<std::shared_ptr<const txn_reply>>(&o)) inside(**inner);
        else if (const auto* r = std::get_if<range_reply>(&o)) inside(*r);
        else if (const auto* p = std::get_if<put_reply>(&o)) inside(*p);
        else if (const auto* d = std::get_if<delete_reply>(&o)) inside(*d);
        out.close();
        out.close();
    }
    out.close_list();
}

}  // namespace

void print(json_out& out, const key_value& kv, bool keys_only) {
    out.bytes("key", kv.key);
    out.number("create_revision", kv.create_revision);
    out.number("mod_revision", kv.mod_revision);
    out.number("version", kv.version);
    if (!keys_only) out.bytes("value", kv.value);
    out.number("lease", kv.lease);
}

void gateway::check_size(std::size_t bytes) const {
    if (bytes > member_->options.max_request_bytes) throw refusal(server_errc::request_too_large);
}

// What has grown too full says so to all members, and stays full until the alarm is disarmed.
void gateway::make_room(std::size_t bytes) {
    testing::cluster& c = cluster();
    if (!c.is_full() && !c.store().has_room_for(bytes)) c.raise({member_->id, alarm_type::nospace});
    if (c.is_full()) throw refusal(server_errc::no_space);
}

void gateway::check_lease_keys(const call& c, lease_id id) const {
    const etcd_store::lease* l = member_->store().find_lease(id);
    if (!l) return;
    for (const std::string& key : l->keys) member_->cluster->auth().check_write(c.who, key, {});
}

void gateway::range(call& c) {
    const range_request r = read_range(c.in);
    admit(c, r.serializable);
    check(r, member_->profile.is(6));
    enter(c, r.serializable ? needs::nothing : needs::leader);
    cluster().auth().check_range(c.who, r.key, r.range_end);
    const range_reply reply = cluster().store().range(r, member_->applied());
    member_->header(c.out, reply.revision);
    print_rest(c.out, reply);
}

void gateway::put(call& c) {
    const put_request r = read_put(c.in);
    check_message(proto_size(r));
    admit(c);
    make_room(r.key.size() + r.value.size() + 256);
    check(r);
    check_size(proto_size(r));
    enter(c, needs::commit);
    const auth_store& auth = cluster().auth();
    auth.check_write(c.who, r.key, {});
    check_lease_keys(c, r.lease);
    if (r.prev_kv) auth.check_range(c.who, r.key, {});
    const put_reply reply = cluster().store().put(r);
    member_->header(c.out, reply.revision);
    print_rest(c.out, reply);
}

void gateway::delete_range(call& c) {
    const delete_request r = read_delete(c.in);
    admit(c);
    check(r);
    enter(c, needs::commit);
    const auth_store& auth = cluster().auth();
    auth.check_write(c.who, r.key, r.range_end);
    if (r.prev_kv) auth.check_range(c.who, r.key, r.range_end);
    const delete_reply reply = cluster().store().erase(r);
    member_->header(c.out, reply.revision);
    print_rest(c.out, reply);
}

void gateway::check_txn(const call& c, const txn_request& t) const {
    const auth_store& auth = member_->cluster->auth();
    for (const compare& x : t.compares) auth.check_range(c.who, x.key, x.range_end);
    for (const auto* ops : {&t.success, &t.failure})
        for (const op_request& o : *ops) {
            if (const auto* r = std::get_if<range_request>(&o)) {
                auth.check_range(c.who, r->key, r->range_end);
            } else if (const auto* p = std::get_if<put_request>(&o)) {
                auth.check_write(c.who, p->key, {});
            } else if (const auto* d = std::get_if<delete_request>(&o)) {
                if (d->prev_kv) auth.check_range(c.who, d->key, d->range_end);
                auth.check_write(c.who, d->key, d->range_end);
            } else if (const auto* inner = std::get_if<std::shared_ptr<const txn_request>>(&o)) {
                check_txn(c, **inner);
            }
        }
}

void gateway::txn(call& c) {
    const txn_request t = read_txn(c.in);
    check_message(proto_size(t));
    admit(c);
    if (puts(t)) make_room(proto_size(t) + 256);
    check(t, member_->options.max_txn_ops, member_->profile.is(6));
    const bool commits = writes(t);
    if (commits) check_size(proto_size(t));
    enter(c, commits ? needs::commit : is_serializable(t) ? needs::nothing : needs::leader);
    check_txn(c, t);
    const txn_reply reply = commits ? cluster().store().txn(t) : cluster().store().txn(t, member_->applied());
    member_->header(c.out, reply.revision);
    print_rest(c.out, reply);
}

void gateway::compaction(call& c) {
    const revision_t revision = c.in.number("revision");
    c.in.flag("physical");
    admit(c);
    enter(c, needs::commit);
    require_any_user(c);
    cluster().store().compact(revision);
    member_->header(c.out, cluster().store().revision());
}

}  // namespace dynconf::testing
