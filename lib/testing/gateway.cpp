#include "testing/gateway.hpp"

#include "testing/gateway_call.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_map>

namespace dynconf::testing {
namespace {

// A stream that is all said.
class said final : public stream {
public:
    explicit said(std::vector<std::string> lines) : lines_(std::move(lines)) {}
    std::vector<std::string> take(time_point) override { return std::exchange(lines_, {}); }
    bool ended() const override { return lines_.empty(); }

private:
    std::vector<std::string> lines_;
};

// What the newer gateways make of a first message that they cannot read: nothing.
class silence final : public stream {
public:
    std::vector<std::string> take(time_point) override { return {}; }
    bool ended() const override { return false; }
};

std::string_view http_words(unsigned status) {
    switch (status) {
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 408: return "Request Timeout";
        case 412: return "Precondition Failed";
        case 429: return "Too Many Requests";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        default: return "Internal Server Error";
    }
}

refusal deadline_exceeded() { return {grpc_errc::deadline_exceeded, "context deadline exceeded"}; }

}  // namespace

class gateway::handed_out final : public stream {
public:
    handed_out(std::shared_ptr<watches> all, std::unique_ptr<served_watch> watch) : all_(std::move(all)), watch_(std::move(watch)) {
        all_->push_back(watch_.get());
    }
    ~handed_out() override { std::erase(*all_, watch_.get()); }

    std::vector<std::string> take(time_point now) override { return watch_->take(now); }
    bool ended() const override { return watch_->ended(); }

private:
    std::shared_ptr<watches> all_;
    std::unique_ptr<served_watch> watch_;
};

// The whole answer is late, and what follows no earlier than it.
class gateway::delayed final : public stream {
public:
    delayed(std::unique_ptr<stream> inner, time_point ready) : inner_(std::move(inner)), ready_(ready) {}
    std::vector<std::string> take(time_point now) override {
        begun_ = begun_ || now >= ready_;
        return begun_ ? inner_->take(now) : std::vector<std::string>();
    }
    bool ended() const override { return begun_ && inner_->ended(); }

private:
    std::unique_ptr<stream> inner_;
    time_point ready_;
    bool begun_ = false;
};

std::string stream_error(const server_profile& profile, const refusal& why) {
    json_out out(profile, true);
    out.open();
    out.open("error");
    if (profile.is_v2()) {
        out.small("code", static_cast<std::uint32_t>(why.status()));
        out.text("message", why.words());
    } else {
        const unsigned status = http_status(why.status(), profile.precondition_412());
        out.small("grpc_code", static_cast<std::uint32_t>(why.status()));
        out.small("http_code", status);
        out.text("message", why.words());
        out.text("http_status", http_words(status));
    }
    out.close();
    out.close();
    return out.take();
}

gateway::gateway(const std::shared_ptr<testing::cluster>& c, std::uint64_t id, gateway_options options)
    : member_(std::make_shared<member>(c, id != 0 ? id : c->members().front().id, std::move(options))) {
    cluster().store().keep_last_tombstones(member_->profile.since(37, 16, 0));
    cluster().attach(*this);
}

gateway::gateway(const gateway_options& options) : gateway(std::make_shared<testing::cluster>(), 0, options) {}

gateway::~gateway() {
    on_change = nullptr;
    end_streams();
    cluster().detach(*this);
}

const gateway::route* gateway::find_route(std::string_view path) {
    using g = gateway;
    static const auto all = [] {
        std::unordered_map<std::string_view, route> routes;
        for (const route& r : {
                 route{"/v3/kv/range", &g::range, false}, {"/v3/kv/put", &g::put, false},
                 {"/v3/kv/deleterange", &g::delete_range, false}, {"/v3/kv/txn", &g::txn, false},
                 {"/v3/kv/compaction", &g::compaction, false}, {"/v3/watch", nullptr, true},
                 {"/v3/lease/grant", &g::lease_grant, false}, {"/v3/lease/revoke", &g::lease_revoke, false},
                 {"/v3/kv/lease/revoke", &g::lease_revoke, false},
                 {"/v3/lease/timetolive", &g::lease_time_to_live, false},
                 {"/v3/kv/lease/timetolive", &g::lease_time_to_live, false},
                 {"/v3/lease/leases", &g::lease_leases, false}, {"/v3/kv/lease/leases", &g::lease_leases, false},
                 {"/v3/lease/keepalive", &g::lease_keep_alive, true},
                 {"/v3/auth/enable", &g::auth_enable, false}, {"/v3/auth/disable", &g::auth_disable, false},
                 {"/v3/auth/status", &g::auth_status, false}, {"/v3/auth/authenticate", &g::authenticate, false},
                 {"/v3/auth/user/add", &g::user_add, false}, {"/v3/auth/user/get", &g::user_get, false},
                 {"/v3/auth/user/list", &g::user_list, false}, {"/v3/auth/user/delete", &g::user_delete, false},
                 {"/v3/auth/user/changepw", &g::user_change_password, false},
                 {"/v3/auth/user/grant", &g::user_grant, false}, {"/v3/auth/user/revoke", &g::user_revoke, false},
                 {"/v3/auth/role/add", &g::role_add, false}, {"/v3/auth/role/get", &g::role_get, false},
                 {"/v3/auth/role/list", &g::role_list, false}, {"/v3/auth/role/delete", &g::role_delete, false},
                 {"/v3/auth/role/grant", &g::role_grant, false}, {"/v3/auth/role/revoke", &g::role_revoke, false},
                 {"/v3/cluster/member/list", &g::member_list, false}, {"/v3/cluster/member/add", &g::member_add, false},
                 {"/v3/cluster/member/remove", &g::member_remove, false},
                 {"/v3/cluster/member/update", &g::member_update, false},
                 {"/v3/cluster/member/promote", &g::member_promote, false},
                 {"/v3/maintenance/status", &g::status, false}, {"/v3/maintenance/alarm", &g::alarms, false},
                 {"/v3/maintenance/defragment", &g::defragment, false}, {"/v3/maintenance/hash", &g::hash, false},
                 {"/v3/maintenance/hashkv", &g::hash_kv, false},
                 {"/v3/maintenance/transfer-leadership", &g::move_leader, false},
                 {"/v3/maintenance/downgrade", &g::downgrade, false},
                 {"/v3/maintenance/snapshot", &g::snapshot, true}})
            routes.emplace(r.path, r);
        return routes;
    }();
    const auto it = all.find(path);
    return it == all.end() ? nullptr : &it->second;
}

reply gateway::error_reply(const refusal& why, reply::writer by) const {
    const server_profile& p = member_->profile;
    reply out;
    out.by = by;
    out.status = http_status(why.status(), p.precondition_412());
    if (by == reply::writer::stream) {
        out.body = stream_error(p, why);
        return out;
    }
    json_out json(p);
    const auto code = static_cast<std::uint32_t>(why.status());
    json.open();
    if (!p.is_v2()) json.always_text("error", why.words());
    if (p.library() != server_profile::gateway::v1_6) json.small("code", code);
    json.always_text("message", why.words());
    if (p.library() == server_profile::gateway::v1_6) json.small("code", code);
    json.close();
    out.body = json.take();
    if (why.status() == grpc_errc::unauthenticated && p.is_v2()) out.headers.push_back("Www-Authenticate: " + why.words());
    return out;
}

reply gateway::text_reply(unsigned status, std::string body) const {
    reply out;
    out.status = status;
    out.content_type = "text/plain; charset=utf-8";
    out.headers.emplace_back("X-Content-Type-Options: nosniff");
    out.body = std::move(body);
    return out;
}

reply::writer gateway::refuses(const route* to) { return to && to->is_stream ? reply::writer::stream : reply::writer::server; }

gateway::answer gateway::handle(const request& r, time_point now) {
    advance(now);
    std::chrono::milliseconds delay{0};
    std::optional<refusal> after_commit;
    bool lost = false;
    if (const auto f = member_->faults.on_request(r.path)) {
        if (const auto* no = std::get_if<fault::refuse>(&*f)) return error_reply(no->why, refuses(find_route(r.path)));
        if (const auto* any = std::get_if<fault::answer>(&*f)) return any->what;
        if (std::holds_alternative<fault::lose_request>(*f)) {
            reply never;
            never.lost = true;
            return never;
        }
        if (const auto* late = std::get_if<fault::refuse_after_commit>(&*f)) after_commit = late->why;
        if (const auto* slow = std::get_if<fault::slow>(&*f)) delay = slow->by;
        lost = std::holds_alternative<fault::lose_answer>(*f);
    }
    answer a = dispatch(r, now);
    if (auto* const s = std::get_if<std::unique_ptr<stream>>(&a)) {
        if (after_commit) return error_reply(*after_commit, reply::writer::stream);
        if (!lost && delay.count() == 0) return a;
        if (!lost) {
            wakeups_.insert(now + delay);
            return std::make_unique<delayed>(std::move(*s), now + delay);
        }
        a = reply();
    }
    reply* const whole = std::get_if<reply>(&a);
    if (after_commit && whole->status == 200) *whole = error_reply(*after_commit);
    whole->lost = whole->lost || lost;
    whole->delay += delay;
    // etcd's own deadline for the call. What was to be done may be done all the same.
    if (r.timeout && whole->delay > *r.timeout) {
        *whole = error_reply(deadline_exceeded(), reply::writer::gateway);
        whole->delay = *r.timeout;
    }
    return a;
}

gateway::answer gateway::dispatch(const request& r, time_point now) {
    const server_profile& p = member_->profile;
    std::string_view path = r.path;
    std::string rewritten;
    if (path.starts_with("/v3beta/")) path = rewritten = "/v3/" + std::string(path.substr(8));
    const route* to = find_route(path);
    const bool is_newer = path == "/v3/auth/status" || path == "/v3/maintenance/hashkv" || path == "/v3/maintenance/downgrade";
    if (is_newer && !p.is(5)) to = nullptr;
    if (!to) return not_a_call(r, path);
    if (r.method != "POST") {
        if (!p.is_v2()) return text_reply(405, "Method Not Allowed\n");
        return error_reply({grpc_errc::unimplemented, "Method Not Allowed"}, reply::writer::gateway);
    }
    try {
        return to->handle ? serve(*to, r, now) : watch(r, now);
    } catch (const late_refusal& why) {
        reply late = error_reply(why, refuses(to));
        late.delay = why.delay();
        return late;
    } catch (const unreadable& why) {
        return error_reply(why, to->is_stream ? reply::writer::stream : reply::writer::gateway);
    } catch (const refusal& why) {
        return error_reply(why, refuses(to));
    } catch (const no_answer&) {
        reply never;
        if (r.timeout) never.delay = *r.timeout + std::chrono::milliseconds(1);   // it gives up by itself
        else never.lost = true;
        return never;
    }
}

gateway::answer gateway::serve(const route& to, const request& r, time_point now) {
    std::string_view rest = r.body;
    const boost::json::object message = first_message(rest, member_->profile);
    const json_in in(message, member_->profile);
    call c{.r = r, .in = in, .rest = rest, .now = now, .out = json_out(member_->profile)};
    did_ = needs::nothing;
    c.out.open();
    (this->*to.handle)(c);
    c.out.close();
    if (did_ == needs::commit) {
        cluster().propose();
        cluster().changed();
        if (member_->lags()) throw late_refusal(refusal(server_errc::timeout_applied_index), member_->options.request_timeout);
    }
    if (to.is_stream) return std::make_unique<said>(std::move(c.lines));
    reply out;
    out.by = reply::writer::server;
    out.body = c.out.take();
    return out;
}

gateway::answer gateway::watch(const request& r, time_point now) {
    admit(r);
    std::optional<identity> who;
    std::optional<refusal> bad_token;
    try {
        who = identify(r, now);
    } catch (const refusal& why) {
        bad_token = why;
    }
    std::optional<time_point> deadline;
    if (r.timeout) deadline = now + *r.timeout;
    auto session = std::make_unique<served_watch>(member_, r.require_leader, deadline, now);
    std::string_view body = r.body;
    bool first = true;
    try {
        while (!body.empty()) {
            session->take_request(first_message(body, member_->profile), who, bad_token);
            first = false;
        }
    } catch (const refusal& why) {
        // What is bad behind a good message is left unread, and nobody is told.
        if (first && member_->profile.is_v2()) return std::make_unique<silence>();
        if (first) return error_reply({grpc_errc::unknown, why.words()}, reply::writer::gateway);
    }
    session->look();
    return std::make_unique<handed_out>(watches_, std::move(session));
}

void gateway::admit(const call& c, bool for_learners) const { admit(c.r, for_learners); }

void gateway::admit(const request& r, bool for_learners) const {
    const member_info* self = member_->cluster->find_member(member_->id);
    if (!self) throw refusal(server_errc::stopped);   // removed
    if (!for_learners && self->learner) {
        refusal why(server_errc::not_supported_for_learner);
        throw member_->profile.is(6) ? refusal(grpc_errc::failed_precondition, why.words()) : why;
    }
    if (r.require_leader && !member_->has_leader()) throw refusal(server_errc::no_leader);
}

void gateway::enter(call& c, needs what) {
    c.who = identify(c.r, c.now);
    did_ = what;
    if (what == needs::nothing) return;
    const auto after = member_->options.request_timeout;
    if (!member_->has_leader()) {
        if (what == needs::leader) throw late_refusal(refusal(server_errc::timeout), after);
        const auto status = member_->profile.is(5) ? grpc_errc::deadline_exceeded : grpc_errc::unknown;
        throw late_refusal({status, deadline_exceeded().words()}, after);
    }
    if (what == needs::leader && member_->lags()) throw late_refusal(refusal(server_errc::timeout_applied_index), after);
}

std::optional<identity> gateway::identify(const request& r, time_point now) {
    std::string_view text = r.token;
    if (text.empty()) return std::nullopt;
    const auth_store& auth = cluster().auth();
    if (!auth.enabled() && member_->profile.is(5)) return std::nullopt;
    if (member_->profile.since(server_profile::never, 32, 13) && text.starts_with("Bearer ")) text.remove_prefix(7);

    const auto dot = text.rfind('.');
    if (member_->options.tokens == token_kind::simple && auth.enabled() && dot != std::string_view::npos) {
        // It waits until it has applied the token's place in the log.
        std::uint64_t index = 0;
        const auto [end, ec] = std::from_chars(text.data() + dot + 1, text.data() + text.size(), index);
        if (ec == std::errc() && end == text.data() + text.size() && index > cluster().index()) throw no_answer();
    }
    const auto it = tokens_.find(text);
    if (it == tokens_.end()) throw refusal(server_errc::invalid_auth_token);
    token& t = it->second;
    if (t.ends <= now || t.epoch != auth.login_epoch(t.who.user)) {
        tokens_.erase(it);
        throw refusal(server_errc::invalid_auth_token);
    }
    if (member_->options.tokens == token_kind::jwt) return t.who;
    t.ends = now + member_->options.auth_token_ttl;   // a use renews it, here and nowhere else
    return identity{t.who.user, auth.revision()};
}

void gateway::require_any_user(const call& c) const {
    if (member_->cluster->auth().enabled() && !c.who && member_->profile.guards_all()) throw refusal(server_errc::user_empty);
}

void gateway::require_maintainer(const call& c) const {
    try {
        member_->cluster->auth().check_admin(c.who);
    } catch (const refusal& why) {
        if (member_->profile.is(6)) throw;
        // The older ones forgot to translate it.
        constexpr std::string_view prefix = "etcdserver: ";
        throw refusal(grpc_errc::unknown, "auth: " + why.words().substr(prefix.size()));
    }
}

void gateway::check_message(std::size_t bytes) const {
    const std::size_t most = member_->options.max_request_bytes + 512 * 1024;
    if (bytes > most)
        throw refusal(grpc_errc::resource_exhausted,
            "grpc: received message larger than max (" + std::to_string(bytes) + " vs. " + std::to_string(most) + ")");
}

void gateway::on_commit() {
    for (served_watch* w : *watches_) w->look();
    tell_streams();
}

void gateway::on_token(const std::string& text, const identity& who, time_point now) {
    std::erase_if(tokens_, [now](const auto& t) { return t.second.ends <= now; });
    tokens_[text] = {who, cluster().auth().login_epoch(who.user), now + member_->options.auth_token_ttl};
}

void gateway::on_replaced() {
    tokens_.clear();
    member_->held.reset();
    end_streams();
}

void gateway::on_renamed(std::uint64_t was, std::uint64_t is) {
    if (member_->id == was) member_->id = is;
}

void gateway::tell_streams() {
    if (on_change && std::any_of(watches_->begin(), watches_->end(), [](const served_watch* w) { return w->has_lines(); })) on_change();
}

std::optional<time_point> gateway::next_due() const {
    std::optional<time_point> due;
    if (member_->cluster->leader() != 0) due = member_->store().next_expiry();
    if (!wakeups_.empty() && (!due || *wakeups_.begin() < *due)) due = *wakeups_.begin();
    for (const served_watch* w : *watches_)
        if (const auto next = w->next_due(); next && (!due || *next < *due)) due = next;
    return due;
}

void gateway::advance(time_point now) {
    // Leases end by the leader's word.
    if (cluster().leader() != 0 && cluster().store().expire(now)) {
        cluster().propose();
        cluster().changed();
    }
    for (served_watch* w : *watches_) w->advance(now);
    tell_streams();
    if (wakeups_.empty() || *wakeups_.begin() > now) return;
    wakeups_.erase(wakeups_.begin(), wakeups_.upper_bound(now));
    if (on_change) on_change();
}

void gateway::on_leader_lost() {
    for (served_watch* w : *watches_) w->leader_lost();
    tell_streams();
}

void gateway::isolate() {
    hold_back();
    member_->isolated = true;
    on_leader_lost();
}

void gateway::reconnect() {
    member_->isolated = false;
    catch_up();
}

void gateway::catch_up() {
    member_->held.reset();
    on_commit();
}

void gateway::end_streams(std::optional<refusal> why) {
    for (served_watch* w : *watches_) w->end(why);
    tell_streams();
}

}  // namespace dynconf::testing
