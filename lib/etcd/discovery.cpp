#include "etcd/client_core.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <string>
#include <utility>

// The part of the core that learns endpoints from the cluster.

namespace dynconf::etcd {

/// More than any cluster has; what a list holds beyond is not looked at.
constexpr std::size_t most_listed = 64;
/// Endpoints are never forgotten: one that names others each time must not fill the memory.
constexpr std::size_t most_ever = 1024;

/// Of learners and of members that are not started nobody is served, and 0.0.0.0 is nobody's address.
std::vector<endpoint> client_core::usable(const std::vector<member>& members) const {
    const bool secure = is_secure();
    std::size_t unknown = 0;
    std::vector<endpoint> all;
    for (const member& m : members) {
        if (m.is_learner || m.name.empty()) continue;
        for (const std::string& url : m.client_urls) {
            auto e = endpoint::parse(url);
            if (!e || e->kind() == endpoint::scheme::unix_socket || (secure && !e->uses_tls())) continue;
            boost::system::error_code is_name;
            const asio::ip::address address = asio::ip::make_address(e->host(), is_name);
            if (!is_name && address.is_unspecified()) continue;
            if (std::find(all.begin(), all.end(), *e) != all.end()) continue;
            const bool known = std::any_of(pools_.begin(), pools_.end(), [&](const auto& pool) { return pool->to() == *e; });
            if (!known && pools_.size() + ++unknown > most_ever) continue;
            all.push_back(std::move(*e));
            if (all.size() == most_listed) return all;
        }
    }
    return all;
}

bool client_core::is_secure() const {
    const auto tls = [](const endpoint& e) { return e.uses_tls(); };
    return std::any_of(from_srv_.begin(), from_srv_.end(), tls)
        || std::any_of(pools_.begin(), pools_.begin() + static_cast<std::ptrdiff_t>(configured_),
                       [&](const auto& pool) { return tls(pool->to()); });
}

/// A new one is retired until it has been probed, unless it is the first of all.
std::size_t client_core::number_of(const endpoint& e) {
    for (std::size_t i = 0; i < pools_.size(); ++i)
        if (pools_[i]->to() == e) return i;
    pools_.push_back(std::make_shared<transport::session_pool>(strand_, connector_, e, options_));
    const std::size_t index = health_.add();
    health_.retire(index);
    return index;
}

std::chrono::milliseconds client_core::refresh_in() const {
    const auto refresh = std::chrono::duration<double, std::milli>(options_.discovery.refresh) * (1.0 - 0.2 * random_());
    return std::chrono::duration_cast<std::chrono::milliseconds>(refresh);
}

asio::awaitable<void> client_core::learn_members() {
    const time_point begun_at = std::exchange(learn_at_, clock::now() + refresh_in());
    call what;
    what.name = "member list";
    what.path = "/v3/cluster/member/list";
    what.needs_leader = false;
    what.background = true;
    const std::string body = "{}";
    auto answer = co_await unary<member_list_response>(what, body);
    if (!answer) {
        if (co_await transport::was_cancelled()) learn_at_ = begun_at;
        else log(log_level::warning, "discovery_failed", answer.error().message(), {{"cause", answer.error().message()}});
        co_return;
    }
    members_ = usable(answer->members);
    retire_unlisted();
    if (!co_await admit(members_, answer->header.cluster_id)) learn_at_ = begun_at;
}

void client_core::retire_unlisted() {
    const auto in = [](const std::vector<endpoint>& list, const endpoint& e) {
        return std::find(list.begin(), list.end(), e) != list.end();
    };
    for (std::size_t i = configured_; i < pools_.size(); ++i) {
        const endpoint& e = pools_[i]->to();
        if (health_.is_retired(i) || in(members_, e) || in(from_srv_, e)) continue;
        health_.retire(i);
        pools_[i]->close_idle();
        log(log_level::info, "endpoint_retired", e.to_string(), {{"endpoint", e.to_string()}});
    }
}

void client_core::learned(std::size_t index) {
    health_.restore(index);
    log(log_level::info, "endpoint_learned", pools_[index]->to().to_string(), {{"endpoint", pools_[index]->to().to_string()}});
    health_changed_.notify_all();
}

asio::awaitable<bool> client_core::admit(const std::vector<endpoint>& listed, std::uint64_t cluster_id, time_point due) {
    for (const endpoint& e : listed) {
        const std::size_t index = number_of(e);
        if (!health_.is_retired(index)) continue;
        const time_point began = clock::now();
        auto status = co_await status_of(index, due);
        if (co_await transport::was_cancelled()) co_return false;
        if (!status && clock::now() >= due) co_return false;
        if (status && status->header.cluster_id != cluster_id) status = error{server_errc::cluster_id_mismatch, e.to_string()};
        if (!status) {
            log(log_level::info, "endpoint_not_used", status.error().message(), {{"cause", status.error().message()}, {"endpoint", e.to_string()}});
            continue;
        }
        health_.probe_worked(index, began, clock::now());
        learned(index);
    }
    co_return true;
}

}  // namespace dynconf::etcd
