#include "etcd/client_core.hpp"

#include "transport/offload.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

// The part of the core that finds endpoints by DNS SRV records.

namespace dynconf::etcd {

namespace {

/// More than any cluster has; what a forged answer can make a client connect to.
constexpr std::size_t most_records = 64;

std::string records_of(const discovery_options& how) { return "SRV records of '" + how.srv + "'"; }

}  // namespace

asio::awaitable<result<void>> client_core::have_endpoint(std::string_view what_for, bool background, time_point due) {
    const std::size_t before = looked_up_;
    while (uses_srv() && health_.all_down() && looked_up_ == before) {
        // Where there are some, look-ups are paced; and background work leaves them to the prober.
        const bool too_soon = clock::now() < look_up_at_;
        if (health_.count() != 0 ? background || too_soon : background && too_soon) break;
        if (clock::now() >= due)
            co_return error{errc::deadline_exceeded, std::string(what_for) + ": " + records_of(options_.discovery) + ": no answer yet"};
        if (looking_up_) co_await health_changed_.wait(due);
        else co_await look_up(due);
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, std::string(what_for)};
    }
    if (health_.count() == 0) co_return error{last_failure_.code, std::string(what_for) + ": " + last_failure_.detail};
    co_return result<void>();
}

asio::awaitable<void> client_core::look_up(time_point due) {
    struct turn {
        explicit turn(client_core& of) : core(of) { core.looking_up_ = true; }
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;
        ~turn() {
            core.looking_up_ = false;
            core.health_changed_.notify_all();
        }
        client_core& core;
    };
    const turn mine(*this);
    const policy::srv_names names(options_.discovery.srv, options_.discovery.srv_name);
    const std::string late = records_of(options_.discovery) + ": no answer in time";
    std::function<time_point()> until = [limit = std::min(clock::now() + options_.connect_timeout, due)] { return limit; };
    std::function<result<policy::srv_found>()> work = [names, servers = name_servers_, terms = policy::terms_of(options_, is_secure())] {
        const auto look_up = [&servers](const std::string& service) { return transport::look_up_srv(service, servers); };
        return policy::find_srv(names, terms, look_up);
    };
    auto found = co_await transport::offload<policy::srv_found>(strand_, health_changed_, std::move(work), std::move(until), late);
    if (co_await transport::was_cancelled()) co_return;
    const bool outage = health_.all_down();
    time_point now = clock::now();
    result<void> taken = found ? take(*found) : result<void>(found.error());
    if (!taken) {
        if (now >= due) co_return;   // that was the caller's time, not the servers'
        error why = taken.error();
        if (why.code != errc::discovery_failed && why.code != errc::deadline_exceeded)   // there was no thread for it
            why.detail = records_of(options_.discovery) + ": " + why.message();
        why.code = errc::discovery_failed;
        if (health_.count() == 0) last_failure_ = why;
        log(log_level::warning, "discovery_failed", why.message(), {{"cause", why.message()}});
    }
    if (taken && outage) {
        if (!co_await admit_in_an_outage(due)) co_return;
        retire_unlisted();
        now = clock::now();
    }
    ++looked_up_;
    if (taken && !health_.all_down()) {
        look_up_pauses_.succeeded(now);
        look_up_at_ = now + refresh_in();
    } else {
        look_up_at_ = now + look_up_pauses_.failed(now);
    }
}

result<void> client_core::take(const policy::srv_found& found) {
    for (const policy::srv_record& r : found.foreign) {
        const std::string why = "'" + r.target + "' " + std::string(policy::outside_of_domain);
        log(log_level::warning, "srv_target_refused", why, {{"cause", why}});
    }
    if (const std::string protects = policy::terms_of(options_, false).protects; !found.secure && !protects.empty()) {
        const std::string why = protects + " is set, and the records are of plain http: whoever answers to DNS queries may be sent the "
                                "password (discovery.allow_plain)";
        log(log_level::warning, "srv_plain", why, {{"cause", why}});
    }
    std::vector<policy::srv_record> sorted = found.records;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != records_ || found.secure != is_secure()) {   // else the places that were drawn are kept
        std::vector<endpoint> usable;
        std::vector<policy::srv_record> all = policy::in_order(sorted, random_);
        if (all.size() > most_records) all.resize(most_records);
        for (const policy::srv_record& r : all) {
            const std::string url = (found.secure ? "https://" : "http://") + r.target + ":" + std::to_string(r.port);
            auto e = endpoint::parse(url);
            if (!e)
                log(log_level::info, "endpoint_not_used", e.error().message(), {{"cause", e.error().message()}, {"endpoint", url}});
            else if (std::find(usable.begin(), usable.end(), *e) == usable.end()) usable.push_back(std::move(*e));
        }
        if (usable.empty()) return error{errc::discovery_failed, records_of(options_.discovery) + ": none names an endpoint"};
        records_ = std::move(sorted);
        from_srv_ = std::move(usable);
    }
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < configured_; ++i) order.push_back(i);
    for (const endpoint& e : from_srv_) {
        const bool is_first = pools_.empty();   // is up at once
        const std::size_t index = number_of(e);
        if (std::find(order.begin(), order.end(), index) == order.end()) order.push_back(index);
        if (is_first) learned(index);
    }
    health_.prefer(order);
    return {};
}

asio::awaitable<bool> client_core::admit_in_an_outage(time_point due) {
    const std::vector<endpoint> listed = from_srv_;   // the prober may replace them meanwhile
    if (cluster_id_ != 0 && !co_await admit(listed, cluster_id_, due)) co_return false;
    const auto waits = [this](const endpoint& e) { return health_.is_retired(number_of(e)); };
    // Where the cluster is not known, or the records have none of its endpoints any more, they say which one it is.
    if (cluster_id_ != 0 && (configured_ != 0 || !std::all_of(listed.begin(), listed.end(), waits))) co_return true;
    for (const endpoint& e : listed)
        if (waits(e)) learned(number_of(e));
    co_return true;
}

asio::awaitable<void> client_core::refresh_records() {
    if (looking_up_) {   // a call does
        co_await health_changed_.wait();
        co_return;
    }
    co_await look_up(time_point::max());
    if (co_await transport::was_cancelled()) co_return;
    const auto waits = [this](const endpoint& e) { return health_.is_retired(number_of(e)); };
    if (!health_.all_down() && std::any_of(from_srv_.begin(), from_srv_.end(), waits)) {
        const std::size_t current = health_.choose();
        const time_point began = clock::now();
        auto mine = co_await status_of(current);
        if (co_await transport::was_cancelled()) co_return;
        if (!mine) {
            report_failure(current, began, mine.error());
            look_up_at_ = clock::now() + look_up_pauses_.failed(clock::now());
            co_return;
        }
        const std::vector<endpoint> listed = from_srv_;   // a call may replace them meanwhile
        if (!co_await admit(listed, mine->header.cluster_id)) co_return;
    }
    retire_unlisted();
}

}  // namespace dynconf::etcd
