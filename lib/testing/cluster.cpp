#include "testing/cluster.hpp"

#include "testing/refusal.hpp"
#include "wire/base64.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace dynconf::testing {
namespace {

void check_urls(const std::vector<std::string>& urls) {
    const auto good = [](const std::string& url) {
        const auto host = url.find("://");
        return (url.starts_with("http://") || url.starts_with("https://")) && url.find(':', host + 3) != std::string::npos;
    };
    if (urls.empty() || !std::all_of(urls.begin(), urls.end(), good)) throw refusal(server_errc::member_bad_urls);
}

/// As in a JWT: without padding.
std::string in_base64url(std::string_view bytes) {
    std::string text = wire::to_base64(bytes);
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    text.erase(std::min(text.size(), text.find('=')));
    return text;
}

}  // namespace

cluster::cluster(cluster_options options) : store_(options.store), id_(options.id), state_(options.seed) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options.members, 1); ++i) {
        const std::string n = std::to_string(i);
        members_.push_back({.id = new_member_id(i), .name = "n" + n,
            .peer_urls = {"http://127.0.0.1:2380" + n}, .client_urls = {"http://127.0.0.1:2379" + n}});
    }
    leader_ = members_.front().id;
}

// splitmix64
std::uint64_t cluster::random() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

// Half of them are past 2^63, as real ones are.
std::uint64_t cluster::new_member_id(std::size_t place) { return random() | std::uint64_t{1} << 63 >> (place % 2); }

void cluster::changed() {
    for (listener* l : std::vector(listeners_)) l->on_commit();
}

const member_info* cluster::find_member(std::uint64_t id) const noexcept {
    const auto it = std::find_if(members_.begin(), members_.end(), [&](const member_info& m) { return m.id == id; });
    return it == members_.end() ? nullptr : &*it;
}

member_info& cluster::member(std::uint64_t id) {
    const member_info* m = find_member(id);
    if (!m) throw refusal(server_errc::member_not_found);
    return const_cast<member_info&>(*m);
}

const member_info& cluster::add_member(std::vector<std::string> peer_urls, bool learner) {
    check_urls(peer_urls);
    for (const member_info& m : members_)
        for (const std::string& url : peer_urls)
            if (std::find(m.peer_urls.begin(), m.peer_urls.end(), url) != m.peer_urls.end())
                throw refusal(server_errc::peer_url_exists);
    if (learner && std::any_of(members_.begin(), members_.end(), [](const member_info& m) { return m.learner; }))
        throw refusal(server_errc::too_many_learners);
    members_.push_back({.id = random(), .name = {}, .peer_urls = std::move(peer_urls), .client_urls = {}, .learner = learner});
    return members_.back();
}

void cluster::remove_member(std::uint64_t id) {
    member(id);
    std::erase_if(members_, [&](const member_info& m) { return m.id == id; });
    if (leader_ == id) leader_ = members_.empty() ? 0 : members_.front().id;
}

void cluster::update_member(std::uint64_t id, std::vector<std::string> peer_urls) {
    check_urls(peer_urls);
    member(id).peer_urls = std::move(peer_urls);
}

void cluster::promote_member(std::uint64_t id) {
    member_info& m = member(id);
    if (!m.learner) throw refusal(server_errc::member_not_learner);
    if (m.name.empty()) throw refusal(server_errc::learner_not_ready);
    m.learner = false;
}

void cluster::lose_leader() {
    leader_ = 0;
    for (listener* l : std::vector(listeners_)) l->on_leader_lost();
}

void cluster::elect(std::uint64_t member_id, time_point now) {
    leader_ = member(member_id).id;
    ++term_;
    propose();
    store_.extend_leases(now, std::chrono::seconds(1));
}

void cluster::raise(alarm a) {
    if (std::find(alarms_.begin(), alarms_.end(), a) == alarms_.end()) alarms_.push_back(a);
}

bool cluster::disarm(alarm a) { return std::erase(alarms_, a) != 0; }

bool cluster::is_full() const noexcept {
    return std::any_of(alarms_.begin(), alarms_.end(), [](const alarm& a) { return a.type == alarm_type::nospace; });
}

void cluster::restore(cluster_backup older) {
    store_ = std::move(older.store);
    auth_ = std::move(older.auth);
    alarms_ = std::move(older.alarms);
    index_ = older.index;
    ++term_;
    for (listener* l : std::vector(listeners_)) l->on_replaced();
}

void cluster::restore(cluster_backup older, std::uint64_t id) {
    id_ = id;
    term_ = first_term - 1;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const std::uint64_t was = std::exchange(members_[i].id, new_member_id(i));
        if (leader_ == was) leader_ = members_[i].id;
        for (alarm& a : older.alarms)
            if (a.member == was) a.member = members_[i].id;
        for (listener* l : std::vector(listeners_)) l->on_renamed(was, members_[i].id);
    }
    restore(std::move(older));
}

std::string cluster::log_in(const std::string& user, token_kind kind, time_point now) {
    static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    propose();
    std::string token;
    for (int i = 0; i < 16; ++i) token += letters[random() % letters.size()];
    if (kind == token_kind::simple) {
        token += '.' + std::to_string(index_);
    } else {   // clients read none of it, and the other members ask this cluster
        const nlohmann::json claims{{"revision", auth_.revision()}, {"username", user}};
        const std::string payload = claims.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);   // a name may be any bytes
        token = in_base64url(R"({"alg":"RS256","typ":"JWT"})") + '.' + in_base64url(payload) + '.' + token;
    }
    for (listener* l : listeners_) l->on_token(token, {user, auth_.revision()}, now);
    return token;
}

}  // namespace dynconf::testing
