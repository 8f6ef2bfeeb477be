#include "etcd/mirror_core.hpp"

#include "etcd/range_pages.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dynconf::etcd {

namespace {

key_range cover_all(const std::vector<key_range>& ranges) {
    key_range cover = ranges.front();
    for (const key_range& r : ranges) cover = key_range::cover(cover, r);
    return cover;
}

/// The same keys in ranges that share none: each key is listed once.
std::vector<key_range> disjoint(std::vector<key_range> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const key_range& a, const key_range& b) { return a.first() < b.first(); });
    std::vector<key_range> out;
    for (key_range& r : ranges) {
        if (!out.empty() && out.back().contains(r.first()))
            out.back() = key_range::cover(out.back(), r);
        else
            out.push_back(std::move(r));
    }
    return out;
}

/// How often a list starts over because its revision was compacted under it.
constexpr unsigned most_list_tries = 5;

mirror_step interrupted(error cause, std::chrono::milliseconds pause) {
    mirror_step s;
    s.what = mirror_step::kind::interrupted;
    s.cause = std::move(cause);
    s.pause = pause;
    return s;
}

error cancelled() { return {asio::error::operation_aborted, "mirror"}; }

}  // namespace

mirror_core::mirror_core(std::shared_ptr<client_core> core, std::vector<key_range> ranges)
    : core_(std::move(core)), ranges_(disjoint(std::move(ranges))), watch_(core_, cover_all(ranges_), watch_options{}),
      list_backoff_(core_->options().backoff, core_->random()) {}

void mirror_core::resume(const known_content& from) {
    replica_.load(from.kvs, from.revision, from.cluster_id);
    listed_once_ = true;
    list_needed_ = false;
    watch_.restart(from.revision + 1);
}

bool mirror_core::concerns_us(const event& e) const noexcept {
    return std::any_of(ranges_.begin(), ranges_.end(), [&e](const key_range& r) { return r.contains(e.kv.key); });
}

asio::awaitable<result<mirror_step>> mirror_core::next() {
    for (;;) {
        if (list_needed_) {
            if (co_await transport::was_cancelled()) co_return cancelled();
            co_return co_await load();
        }
        watch_loop::step step = co_await watch_.next();
        if (auto* batch = std::get_if<watch_loop::batch>(&step)) {
            std::erase_if(batch->events, [this](const event& e) { return !concerns_us(e); });
            replica_.apply(batch->events, batch->revision);
            if (batch->events.empty()) continue;
            mirror_step s;
            s.what = mirror_step::kind::update;
            s.revision = batch->revision;
            s.cluster_id = replica_.cluster_id();
            s.events = std::move(batch->events);
            co_return s;
        }
        if (auto* up = std::get_if<watch_loop::connected>(&step)) {
            if (co_await store_went_back(up->header)) {
                core_->log(log_level::warning, "store_replaced", "the store at " + up->endpoint + " is another one or seems to have gone back; loading again");
                list_needed_ = true;
                continue;
            }
            mirror_step s;
            s.what = mirror_step::kind::connected;
            s.revision = replica_.revision();
            s.cluster_id = up->header.cluster_id;
            s.endpoint = std::move(up->endpoint);
            co_return s;
        }
        if (auto* down = std::get_if<watch_loop::interrupted>(&step)) {
            if (co_await transport::was_cancelled()) co_return cancelled();
            core_->log(log_level::warning, "watch_interrupted", down->why.message());
            co_return interrupted(std::move(down->why), down->pause);
        }
        core_->log(log_level::info, "history_lost", "the revisions after " + std::to_string(replica_.revision()) + " were compacted; loading again");
        list_needed_ = true;
    }
}

asio::awaitable<bool> mirror_core::store_went_back(const response_header& confirmed) {
    if (confirmed.cluster_id != replica_.cluster_id()) co_return true;
    if (confirmed.revision >= replica_.revision()) co_return false;
    // A follower may lag behind what another member told us: only a linearizable answer is proof.
    range_options count;
    count.count_only = true;
    const key_range any = key_range::key(ranges_.front().first());
    auto newest = co_await range_once(*core_, any, count, asked_by::library);
    // Where nobody can tell, a load does: it costs a list and is never wrong.
    co_return !newest || newest->header.revision < replica_.revision();
}

asio::awaitable<result<range_response>> mirror_core::list() {
    range_response whole;
    range_options options;
    for (const key_range& range : ranges_) {
        auto part = co_await range_pages(*core_, range, options, asked_by::library);
        if (!part) co_return part.error();
        if (options.revision == 0) {   // all further ranges at the revision of the first
            whole.header = part->header;
            options.revision = part->header.revision;
        } else if (part->header.cluster_id != whole.header.cluster_id) {
            co_return error{server_errc::cluster_id_mismatch, "the endpoints belong to different clusters"};
        }
        whole.kvs.insert(whole.kvs.end(), std::make_move_iterator(part->kvs.begin()), std::make_move_iterator(part->kvs.end()));
    }
    co_return whole;
}

asio::awaitable<result<mirror_step>> mirror_core::load() {
    if (pause_.count() > 0 && !co_await core_->sleep(pause_)) co_return cancelled();
    pause_ = std::chrono::milliseconds(0);
    // Others may have found out before: then nobody has told the caller yet.
    if (core_->all_endpoints_down() && !std::exchange(told_, true))
        co_return interrupted(core_->last_failure(), core_->next_try_in());
    const bool reachable = co_await core_->until_reachable();
    if (!reachable) co_return cancelled();
    told_ = true;
    auto listed = co_await list();
    for (unsigned tries = 1; !listed && listed.error().code == server_errc::compacted && tries < most_list_tries; ++tries)
        listed = co_await list();
    if (!listed) {
        if (co_await transport::was_cancelled()) co_return cancelled();
        // While all endpoints are down until_reachable() is the pause.
        if (!core_->all_endpoints_down()) pause_ = list_backoff_.failed(client_core::clock::now());
        core_->log(log_level::warning, "load_failed", listed.error().message());
        co_return interrupted(listed.error(), std::max(pause_, core_->next_try_in()));
    }
    list_backoff_.succeeded(client_core::clock::now());
    told_ = false;

    mirror_step s;
    s.revision = listed->header.revision;
    s.cluster_id = listed->header.cluster_id;
    if (listed_once_) {
        s.what = mirror_step::kind::resync;
        s.events = replica_.reload(std::move(listed->kvs), s.revision, s.cluster_id);
    } else {
        s.what = mirror_step::kind::snapshot;
        replica_.load(listed->kvs, s.revision, s.cluster_id);
        s.content = std::move(listed->kvs);
    }
    listed_once_ = true;
    list_needed_ = false;
    watch_.restart(s.revision + 1);
    core_->log(log_level::info, "loaded", std::to_string(replica_.size()) + " keys at revision " + std::to_string(s.revision));
    co_return s;
}

}  // namespace dynconf::etcd
