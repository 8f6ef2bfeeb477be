#include "testing/gateway_call.hpp"
#include "wire/base64.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace dynconf::testing {
namespace {

constexpr std::array<std::string_view, 3> alarm_names = {"NONE", "NOSPACE", "CORRUPT"};
constexpr std::array<std::string_view, 3> alarm_actions = {"GET", "ACTIVATE", "DEACTIVATE"};
constexpr std::array<std::string_view, 3> downgrade_actions = {"VALIDATE", "ENABLE", "CANCEL"};

std::string sha256(std::string_view bytes) {
    std::string digest(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(), nullptr);
    digest.resize(size);
    return digest;
}

void print_texts(json_out& out, std::string_view name, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    out.open_list(name);
    for (const std::string& t : texts) out.item(t);
    out.close_list();
}

void print_member(json_out& out, const member_info& m) {
    out.id("ID", m.id);
    out.text("name", m.name);
    print_texts(out, "peerURLs", m.peer_urls);
    print_texts(out, "clientURLs", m.client_urls);
    out.flag("isLearner", m.learner);
}

}  // namespace

// Everything that is not a call of the API.
reply gateway::not_a_call(const request& r, std::string_view path) const {
    const server_profile& p = member_->profile;
    const std::string_view query = path.find('?') == std::string_view::npos ? "" : path.substr(path.find('?'));
    const std::string_view page = path.substr(0, path.size() - query.size());
    const bool probes = p.since(29, 11, 0);
    if (page == "/version") {
        reply out;
        out.body = R"({"etcdserver":")" + p.version() + R"(","etcdcluster":")" + p.cluster_version() + '"'
            + (p.is(6) ? R"(,"storage":")" + p.cluster_version() + '"' : "") + "}";
        return out;
    }
    if (page == "/health" || (probes && (page == "/livez" || page == "/readyz"))) {
        std::string ill;
        const bool excluded = query.find("exclude=NOSPACE") != std::string_view::npos;
        for (const alarm& a : member_->cluster->alarms())
            if (page == "/health" && !(excluded && a.type == alarm_type::nospace))
                ill = "ALARM " + std::string(alarm_names[static_cast<std::size_t>(a.type)]);
        if (!member_->has_leader() && page != "/livez") ill = "RAFT NO LEADER";
        if (page != "/health") return text_reply(ill.empty() ? 200 : 503, ill.empty() ? "ok\n" : "[-]linearizable_read failed: " + ill + "\n");
        const std::string reason = p.is(5) ? R"(,"reason":")" + ill + '"' : "";
        if (ill.empty()) {
            reply well = text_reply(200, R"({"health":"true")" + reason + "}");
            well.headers.clear();
            return well;
        }
        return text_reply(503, R"({"health":"false")" + reason + "}\n");
    }
    if (r.method == "POST" && path.find("//") != std::string_view::npos) {
        reply moved = text_reply(301, {});
        moved.content_type.clear();
        std::string to(path);
        for (auto at = to.find("//"); at != std::string::npos; at = to.find("//")) to.erase(at, 1);
        moved.headers = {"Location: " + to};
        return moved;
    }
    if (!path.starts_with("/v3/")) return text_reply(404, "404 page not found\n");
    if (!p.is_v2()) return text_reply(404, "Not Found\n");
    return error_reply({grpc_errc::not_found, "Not Found"}, reply::writer::gateway);
}

void gateway::print_members(json_out& out) const {
    out.open_list("members");
    for (const member_info& m : member_->cluster->members()) {
        out.open();
        print_member(out, m);
        out.close();
    }
    out.close_list();
}

void gateway::member_list(call& c) {
    const bool linearizable = c.in.flag("linearizable") && member_->profile.is(5);
    admit(c);
    enter(c, linearizable ? needs::leader : needs::nothing);
    require_any_user(c);
    member_->header(c.out, 0);
    print_members(c.out);
}

void gateway::member_add(call& c) {
    const auto urls = c.in.texts("peerURLs");
    const bool learner = c.in.flag("isLearner");
    admit(c);
    enter(c, needs::commit);
    cluster().auth().check_admin(c.who);
    const member_info added = cluster().add_member(urls, learner);
    member_->header(c.out, 0);
    c.out.open("member");
    print_member(c.out, added);
    c.out.close();
    print_members(c.out);
}

void gateway::member_remove(call& c) {
    const std::uint64_t id = c.in.id("ID");
    admit(c);
    enter(c, needs::commit);
    cluster().auth().check_admin(c.who);
    cluster().remove_member(id);
    member_->header(c.out, 0);
    print_members(c.out);
}

void gateway::member_update(call& c) {
    const std::uint64_t id = c.in.id("ID");
    const auto urls = c.in.texts("peerURLs");
    admit(c);
    enter(c, needs::commit);
    cluster().auth().check_admin(c.who);
    cluster().update_member(id, urls);
    member_->header(c.out, 0);
    print_members(c.out);
}

void gateway::member_promote(call& c) {
    const std::uint64_t id = c.in.id("ID");
    admit(c);
    enter(c, needs::commit);
    cluster().auth().check_admin(c.who);
    cluster().promote_member(id);
    member_->header(c.out, 0);
    print_members(c.out);
}

void gateway::status(call& c) {
    const server_profile& p = member_->profile;
    admit(c, true);
    enter(c, needs::nothing);
    require_any_user(c);
    const testing::cluster& all = cluster();
    const etcd_store& store = member_->store();
    const auto index = static_cast<std::int64_t>(all.index());
    member_->header(c.out, member_->applied());
    c.out.text("version", p.version());
    c.out.number("dbSize", store.size());
    c.out.id("leader", member_->has_leader() ? all.leader() : 0);
    c.out.number("raftIndex", index);
    c.out.id("raftTerm", all.term());
    c.out.number("raftAppliedIndex", index);
    std::vector<std::string> errors;
    if (!member_->has_leader()) errors.emplace_back("etcdserver: no leader");
    for (const alarm& a : all.alarms())
        errors.push_back("memberID:" + std::to_string(a.member) + " alarm:" + std::string(alarm_names[static_cast<std::size_t>(a.type)]) + " ");
    print_texts(c.out, "errors", errors);
    c.out.number("dbSizeInUse", store.size_in_use());
    const member_info* self = all.find_member(member_->id);
    c.out.flag("isLearner", self && self->learner);
    if (!p.is(6)) return;
    c.out.text("storageVersion", p.cluster_version());
    c.out.number("dbSizeQuota", store.quota());
    c.out.open("downgradeInfo");
    c.out.close();
}

void gateway::alarms(call& c) {
    const std::int32_t action = c.in.choice("action", alarm_actions);
    alarm a{c.in.id("memberID"), static_cast<alarm_type>(c.in.choice("alarm", alarm_names))};
    admit(c);
    enter(c, needs::commit);
    require_any_user(c);
    testing::cluster& all = cluster();
    std::vector<alarm> shown;
    if (action == 0) {
        for (const alarm& known : all.alarms())
            if ((a.member == 0 || known.member == a.member) && (a.type == alarm_type::none || known.type == a.type)) shown.push_back(known);
    } else if (action == 1) {
        if (a.type != alarm_type::none) {
            all.raise(a);
            shown.push_back(a);
        }
    } else if (all.disarm(a)) {
        shown.push_back(a);
    }
    if (member_->profile.is(5)) member_->header(c.out, member_->applied());
    if (shown.empty()) return;
    c.out.open_list("alarms");
    for (const alarm& known : shown) {
        c.out.open();
        c.out.id("memberID", known.member);
        c.out.text("alarm", alarm_names[static_cast<std::size_t>(known.type)]);
        c.out.close();
    }
    c.out.close_list();
}

void gateway::defragment(call& c) {
    admit(c);
    enter(c, needs::nothing);
    require_maintainer(c);
    cluster().store().defragment();
}

void gateway::hash(call& c) {
    admit(c);
    enter(c, needs::nothing);
    require_maintainer(c);
    member_->header(c.out, member_->applied());
    c.out.small("hash", cluster().store().hash());
}

void gateway::hash_kv(call& c) {
    const revision_t revision = c.in.number("revision");
    admit(c);
    enter(c, needs::nothing);
    require_maintainer(c);
    const etcd_store& store = cluster().store();
    const std::uint32_t hash = store.hash_kv(revision);
    member_->header(c.out, member_->applied());
    c.out.small("hash", hash);
    c.out.number("compact_revision", store.compact_revision());
    if (member_->profile.is(6)) c.out.number("hash_revision", revision > 0 ? revision : store.revision());
}

void gateway::move_leader(call& c) {
    const std::uint64_t target = c.in.id("targetID");
    admit(c);
    enter(c, needs::leader);
    require_maintainer(c);
    testing::cluster& all = cluster();
    if (all.leader() != member_->id) throw refusal(server_errc::not_leader);
    const auto& members = all.members();
    const auto it = std::find_if(members.begin(), members.end(), [&](const member_info& m) { return m.id == target; });
    if (it == members.end() || it->learner) throw refusal(server_errc::bad_leader_transferee);
    if (target != all.leader()) all.elect(target, c.now);
    member_->header(c.out, member_->applied());
}

void gateway::downgrade(call& c) {
    const std::int32_t action = c.in.choice("action", downgrade_actions);
    const std::string target = c.in.text("version");
    admit(c);
    enter(c, needs::leader);
    require_maintainer(c);
    if (action == 2) throw refusal(server_errc::no_inflight_downgrade);
    if (std::count(target.begin(), target.end(), '.') != 2 && std::count(target.begin(), target.end(), '.') != 1)
        throw refusal(server_errc::wrong_downgrade_version_format);
    const std::string own = member_->profile.cluster_version();
    const std::string below = "3." + std::to_string(std::stoi(own.substr(2)) - 1) + ".";
    if (!(target + ".").starts_with(below)) throw refusal(server_errc::invalid_downgrade_target_version);
    member_->header(c.out, member_->applied());
    c.out.text("version", own);
}

// A file of our own making, with the checksum behind it that a reader checks.
void gateway::snapshot(call& c) {
    admit(c);
    enter(c, needs::nothing);
    require_maintainer(c);
    const std::string file = cluster().store().serialized();
    const std::string digest = sha256(file);
    const auto say = [&](std::string_view blob, std::size_t remaining) {
        json_out out(member_->profile, true);
        out.open();
        out.open("result");
        out.id("remaining_bytes", remaining);
        out.bytes("blob", blob);
        if (member_->profile.is(6)) out.text("version", member_->profile.cluster_version());
        out.close();
        out.close();
        c.lines.push_back(out.take());
    };
    constexpr std::size_t piece = 32 * 1024;
    for (std::size_t at = 0; at < file.size(); at += piece) {
        const std::string_view blob = std::string_view(file).substr(at, piece);
        say(blob, file.size() - at - blob.size());
    }
    say(digest, 0);
}

}  // namespace dynconf::testing
