#include "testing/gateway_call.hpp"

#include <algorithm>

namespace dynconf::testing {

void gateway::lease_grant(call& c) {
    const std::int64_t ttl = c.in.number("TTL");
    const lease_id id = c.in.number("ID");
    admit(c);
    make_room(64);
    enter(c, needs::commit);
    require_any_user(c);
    const etcd_store::lease& l = cluster().store().grant(id, ttl, c.now);
    member_->header(c.out, member_->applied());
    c.out.number("ID", l.id);
    c.out.number("TTL", l.granted);
}

void gateway::lease_revoke(call& c) {
    const lease_id id = c.in.number("ID");
    admit(c);
    enter(c, needs::commit);
    check_lease_keys(c, id);
    cluster().store().revoke(id);
    member_->header(c.out, member_->store().revision());
}

void gateway::lease_time_to_live(call& c) {
    const lease_id id = c.in.number("ID");
    const bool keys = c.in.flag("keys");
    admit(c);
    enter(c, needs::leader);
    const etcd_store::lease* l = cluster().store().find_lease(id);
    if (l && keys && member_->profile.since(26, 9, 0))
        for (const std::string& key : l->keys) cluster().auth().check_range(c.who, key, {});
    member_->header(c.out, member_->applied());
    c.out.number("ID", id);
    if (!l) return c.out.number("TTL", -1);
    c.out.number("TTL", std::chrono::duration_cast<std::chrono::seconds>(l->expiry - c.now).count());
    c.out.number("grantedTTL", l->granted);
    if (!keys || l->keys.empty()) return;
    c.out.open_list("keys");
    for (const std::string& key : l->keys) c.out.item_bytes(key);
    c.out.close_list();
}

void gateway::lease_leases(call& c) {
    admit(c);
    enter(c, needs::nothing);
    require_any_user(c);
    std::vector<const etcd_store::lease*> all;
    for (const auto& [id, l] : cluster().store().leases()) all.push_back(&l);
    std::stable_sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->expiry < b->expiry; });
    member_->header(c.out, member_->applied());
    if (all.empty()) return;
    c.out.open_list("leases");
    for (const auto* l : all) {
        c.out.open();
        c.out.number("ID", l->id);
        c.out.close();
    }
    c.out.close_list();
}

// One answer for each message of the body; one that cannot be read ends them.
void gateway::lease_keep_alive(call& c) {
    admit(c);
    if (c.r.body.find_first_not_of(" \t\r\n") == std::string::npos) return;
    c.who = identify(c.r, c.now);
    require_any_user(c);
    if (!member_->has_leader()) throw late_refusal(refusal(server_errc::timeout), member_->options.request_timeout);
    const auto renew = [&](const json_in& in) {
        const lease_id id = in.number("ID");
        json_out out(member_->profile, true);
        out.open();
        out.open("result");
        member_->header(out, member_->applied());
        out.number("ID", id);
        out.number("TTL", cluster().store().keep_alive(id, c.now));
        out.close();
        out.close();
        c.lines.push_back(out.take());
    };
    renew(c.in);
    std::string_view rest = c.rest;
    try {
        while (rest.find_first_not_of(" \t\r\n") != std::string_view::npos) {
            const boost::json::object message = first_message(rest, member_->profile);
            renew(json_in(message, member_->profile));
        }
    } catch (const refusal& why) {
        c.lines.push_back(stream_error(member_->profile, {grpc_errc::unknown, why.words()}));
    }
}

}  // namespace dynconf::testing
