#include "etcd/mirror_core.hpp"

#include "etcd/watch_hub.hpp"
#include "policy/retry.hpp"

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
    std::sort(ranges.begin(), ranges.end(), [](const key_range& a, const key_range& b) { return a.lowest() < b.lowest(); });
    std::vector<key_range> out;
    for (key_range& r : ranges) {
        if (!out.empty() && out.back().contains(r.lowest()))
            out.back() = key_range::cover(out.back(), r);
        else
            out.push_back(std::move(r));
    }
    return out;
}

/// How often a list starts over because its revision was compacted under it.
constexpr unsigned most_list_tries = 5;

error cancelled() { return {asio::error::operation_aborted, "mirror"}; }

}  // namespace

mirror_core::mirror_core(const view& through, std::vector<key_range> ranges)
    : through_(through), core_(through.shared_core()), ranges_(disjoint(std::move(ranges))), ranges_at_etcd_(through.keys().to_etcd(ranges_)),
      watch_(through, cover_all(ranges_), watch_options{}),
      freshness_(core_->options().max_staleness), catch_up_(core_->options().max_staleness / 4, core_->options().max_staleness + std::chrono::seconds(10)),
      list_backoff_(core_->options().backoff, core_->random()) {}

void mirror_core::resume(const known_content& from) {
    replica_.load(from.kvs, from.revision, from.cluster_id);
    for (const key_value& kv : from.kvs) {   // what it was sealed with may be known by now
        if (!kv.unreadable) continue;
        replica_.doubt(kv.key);
        reread_at_ = clock::now();
    }
    listed_once_ = true;
    list_needed_ = false;
    watch_.restart(from.revision + 1);
}

bool mirror_core::concerns_us(const event& e) const noexcept {
    return std::any_of(ranges_.begin(), ranges_.end(), [&e](const key_range& r) { return r.contains(e.kv.key); });
}

mirror_core::clock::time_point mirror_core::wake_at() const noexcept {
    auto at = watched_ ? std::min(catch_up_.look_at(), reread_at_) : clock::time_point::max();
    if (live_) at = std::min({at, freshness_.deadline(), verify_at_});
    return at;
}

/// When a question of a mirror's own has to be answered: not later than what is said to be current gets too old.
mirror_core::clock::time_point mirror_core::soon() const noexcept {
    const auto due = clock::now() + core_->options().max_staleness / 4;
    return live_ ? std::min(due, freshness_.deadline()) : due;
}

std::optional<watch_subscription::look_request> mirror_core::wanted_look() const noexcept {
    if (!look_along_.wanted() || catch_up_.under_way()) return std::nullopt;   // a catch-up does not wait for a probe
    return watch_subscription::look_request{&ranges_at_etcd_, replica_.known()};
}

asio::awaitable<result<mirror_step>> mirror_core::next() {
    for (;;) {
        if (co_await transport::was_cancelled()) co_return cancelled();
        maybe_step out;
        if (list_needed_) {
            auto loaded = co_await load();
            if (!loaded) co_return loaded.error();
            out = std::move(*loaded);
        } else if (live_ && !freshness_.holds(clock::now())) {
            out = interrupted({errc::not_current, "the watch at " + endpoint_}, std::chrono::milliseconds(0));
        } else if (watched_ && clock::now() >= reread_at_) {
            core_->log(log_level::info, "key_missing", "values could not be opened without the key provider; loading again");
            list_again(mirror_step::reason::key_missing);
        } else if (watched_ && clock::now() >= catch_up_.look_at()) {
            out = co_await look();
        } else if (live_ && clock::now() >= verify_at_) {
            co_await verify();
        } else if (auto news = co_await watch_.next(wake_at())) {
            if (auto* batch = std::get_if<watch_subscription::batch>(&*news)) {
                out = on(*batch);
            } else if (auto* up = std::get_if<watch_subscription::connected>(&*news)) {
                out = co_await on(*up);
            } else if (auto* proof = std::get_if<watch_subscription::probed>(&*news)) {
                out = on(*proof);
            } else if (auto* down = std::get_if<watch_subscription::interrupted>(&*news)) {
                // Where it is only the caller who goes, the stream stays, and nobody says again that it is connected.
                if (down->why.code == asio::error::operation_aborted && co_await transport::was_cancelled()) co_return cancelled();
                watched_ = false;
                catch_up_.equal();   // the next stream has its own time
                out = interrupted(std::move(down->why), down->pause);
            } else if (const auto compacted = std::get<watch_subscription::history_lost>(*news).compact_revision;
                       compacted != 0 && compacted <= replica_.known()) {
                watched_ = false;   // a look has shown meanwhile that what was compacted is none of ours
                catch_up_.equal();
                watch_.restart(replica_.known() + 1);
            } else {
                core_->log(log_level::info, "history_lost", "the revisions after " + std::to_string(replica_.known()) + " were compacted; loading again",
                           {{"revision", std::to_string(replica_.known())}});
                list_again(mirror_step::reason::compacted);
            }
        }
        watch_.look_along(wanted_look());   // also while the caller is away
        if (out) {
            look_for_missing_keys(*out);
            co_return std::move(*out);
        }
    }
}

/// The provider may answer again later; the values that it is needed for do not come by themselves.
void mirror_core::look_for_missing_keys(const mirror_step& step) {
    const auto note = [this](const key_value& kv) {
        if (kv.unreadable != errc::key_unavailable) return;
        replica_.doubt(kv.key);
        reread_at_ = std::min(reread_at_, clock::now() + core_->options().slow_retry);
    };
    for (const key_value& kv : step.content) note(kv);
    for (const event& e : step.events) note(e.kv);
}

// Steps

mirror_step mirror_core::step(mirror_step::kind what) const {
    mirror_step s;
    s.what = what;
    s.revision = replica_.revision();
    s.known = replica_.known();
    s.cluster_id = replica_.cluster_id();
    s.endpoint = endpoint_;
    s.as_of = freshness_.as_of();
    s.good_until = freshness_.good_until();
    return s;
}

mirror_step mirror_core::interrupted(error cause, std::chrono::milliseconds pause) {
    live_ = false;
    mirror_step s = step(mirror_step::kind::interrupted);
    s.endpoint.clear();
    s.cause = std::move(cause);
    s.pause = pause;
    return s;
}

mirror_core::maybe_step mirror_core::prove(clock::time_point as_of) {
    catch_up_.equal();
    freshness_.proven(as_of);
    if (!watched_ || !freshness_.holds(clock::now())) return std::nullopt;
    if (!std::exchange(live_, true)) return step(mirror_step::kind::connected);
    return step(mirror_step::kind::verified);
}

/// None of our keys has changed up to `revision`.
mirror_core::maybe_step mirror_core::prove_unchanged(revision_t revision, clock::time_point as_of) {
    look_along_.moved();
    replica_.unchanged_until(revision);
    known_since_ = clock::now();
    watch_.checkpoint(revision);
    sought_ = 0;
    return prove(as_of);
}

void mirror_core::list_again(mirror_step::reason why) {
    list_needed_ = true;
    reason_ = why;
    watched_ = false;
    catch_up_.equal();
    sought_ = 0;
}

// The watch

mirror_core::maybe_step mirror_core::on(watch_subscription::batch& news) {
    std::erase_if(news.events, [this](const event& e) { return !concerns_us(e); });
    const bool reached = sought_ != 0 && news.revision >= sought_;
    if (!news.events.empty()) replica_.apply(news.events, news.events.back().kv.mod_revision);
    replica_.unchanged_until(news.revision);   // the rest concerned keys between our ranges
    known_since_ = clock::now();
    if (reached) {
        catch_up_.equal();
        freshness_.proven(sought_since_);
        sought_ = 0;
    }
    if (news.events.empty()) return std::nullopt;
    mirror_step s = step(mirror_step::kind::update);
    s.events = std::move(news.events);
    return s;
}

asio::awaitable<mirror_core::maybe_step> mirror_core::on(watch_subscription::connected& up) {
    watched_ = true;
    if (co_await store_went_back(up.header)) {
        core_->log(log_level::warning, "store_replaced",
                   "the store at " + up.endpoint + " is another one or seems to have gone back; loading again",
                   {{"endpoint", up.endpoint}});
        list_again(mirror_step::reason::store_replaced);
        co_return std::nullopt;
    }
    const bool moved = endpoint_ != up.endpoint;
    endpoint_ = std::move(up.endpoint);
    const auto now = clock::now();
    // The stream was open only now; what is known of the content may be old.
    if (!freshness_.holds(now) || now - freshness_.as_of() > core_->options().max_staleness / 4) core_->watches().probe_soon();
    if (!freshness_.holds(now)) co_return std::nullopt;   // the probe will tell
    const bool news = std::exchange(reloaded_, false) || moved;
    if (std::exchange(live_, true) && !news) co_return std::nullopt;
    if (verify_at_ == clock::time_point::max()) next_verification(now);
    co_return step(mirror_step::kind::connected);
}

mirror_core::maybe_step mirror_core::on(const watch_subscription::probed& proof) {
    // What the watch has brought since the question was asked may be newer than the answer.
    const bool went_back = proof.header.revision < replica_.known() && known_since_ < proof.sent;
    if (proof.header.cluster_id != replica_.cluster_id() || went_back) {
        core_->log(log_level::warning, "store_replaced",
                   "the store is another one or has gone back to revision " + std::to_string(proof.header.revision) + "; loading again",
                   {{"endpoint", endpoint_}});
        list_again(mirror_step::reason::store_replaced);
        return std::nullopt;
    }
    if (proof.header.revision <= replica_.known()) {
        look_along_.rested();
        return prove(proof.sent);
    }
    if (proof.look && replica_.unchanged(*proof.look)) return prove_unchanged(proof.header.revision, proof.sent);
    sought_ = proof.header.revision;
    sought_since_ = proof.sent;
    if (!catch_up_.under_way()) catch_up_.differs(clock::now());
    return std::nullopt;
}

/// The store has moved on. Where none of our keys has changed since, no watch will tell us so: a progress answer can
/// overtake events before etcd 3.4.25 and 3.5.8, and does not come from later ones as long as there is history to send.
asio::awaitable<mirror_core::maybe_step> mirror_core::look() {
    const auto endpoint = core_->watches().endpoint_index();
    const auto now = clock::now();
    if (!endpoint) {   // `interrupted` is on its way
        catch_up_.equal();
        co_return std::nullopt;
    }
    const range_options changed = changed_after(replica_.known());
    auto found = co_await list(changed, brief{*endpoint, soon()});
    if (found && replica_.unchanged({replica_.known(), !found->kvs.empty(), found->count})) co_return prove_unchanged(found->header.revision, now);
    if (found) {
        sought_ = found->header.revision;
        sought_since_ = now;
    }
    if (std::exchange(looked_at_, replica_.known()) < replica_.known()) catch_up_.equal();   // slow, but it comes
    const std::string missing = "nothing came of what happened after revision " + std::to_string(replica_.known());
    switch (found ? catch_up_.differs(clock::now()) : catch_up_.unanswered(clock::now())) {
        case policy::catch_up::action::wait: break;
        case policy::catch_up::action::replace_stream:
            catch_up_.asked(core_->watches().distrust(error{errc::watch_ended, found ? missing : found.error().message()}), clock::now());
            break;
        case policy::catch_up::action::reload:
            core_->log(log_level::warning, "watch_incomplete", missing + "; loading again",
                       {{"revision", std::to_string(replica_.known())}});
            list_again(mirror_step::reason::repaired);
            break;
    }
    co_return std::nullopt;
}

asio::awaitable<bool> mirror_core::store_went_back(const response_header& confirmed) {
    if (confirmed.cluster_id != replica_.cluster_id()) co_return true;
    if (confirmed.revision >= replica_.known()) co_return false;
    // A follower may lag behind what another member told us: only a linearizable answer is proof.
    range_options count;
    count.count_only = true;
    const key_range any = key_range::key(ranges_at_etcd_.front().first());
    std::optional<brief> limits;
    if (const auto endpoint = core_->watches().endpoint_index())
        limits = brief{*endpoint, soon()};
    auto newest = co_await range_once(view(core_), any, count, limits, asked_by::library);
    // Where nobody can tell, the next probe will: until then nothing is called current, and no revision is skipped.
    co_return newest && newest->header.revision < replica_.known();
}

// Lists

asio::awaitable<result<range_response>> mirror_core::list(range_options options, std::optional<brief> limits) {
    range_response whole;
    for (const key_range& range : ranges_) {
        result<range_response> part = range_response();
        if (options.limit > 0) part = co_await range_once(through_, range, options, limits, asked_by::library);
        else part = co_await range_pages(through_, range, options, limits, asked_by::library);
        if (!part) co_return part.error();
        if (whole.header.revision == 0) {   // all further ranges at the revision of the first
            whole.header = part->header;
            if (options.revision == 0) options.revision = part->header.revision;
        } else if (part->header.cluster_id != whole.header.cluster_id) {
            co_return error{server_errc::cluster_id_mismatch, "the endpoints belong to different clusters"};
        }
        whole.count += part->count;
        whole.kvs.insert(whole.kvs.end(), std::make_move_iterator(part->kvs.begin()), std::make_move_iterator(part->kvs.end()));
    }
    co_return whole;
}

asio::awaitable<result<mirror_core::maybe_step>> mirror_core::load() {
    if (pause_.count() > 0 && !co_await core_->sleep(pause_)) co_return cancelled();
    pause_ = std::chrono::milliseconds(0);
    const range_options everything;
    std::optional<brief> limits;   // what was said to be current must not become too old meanwhile
    if (const auto endpoint = core_->watches().endpoint_index(); live_ && endpoint) limits = brief{*endpoint, freshness_.deadline()};
    if (!limits) {
        // Others may have found out before: then nobody has told the caller yet.
        if (core_->all_endpoints_down() && !std::exchange(told_, true)) {
            maybe_step known = interrupted(core_->last_failure(), core_->next_try_in());
            co_return known;
        }
        const bool reachable = co_await core_->until_reachable();
        if (!reachable) co_return cancelled();
    }
    told_ = true;
    auto began = clock::now();
    auto listed = co_await list(everything, limits);
    for (unsigned tries = 1; !listed && listed.error().code == server_errc::compacted && tries < most_list_tries; ++tries) {
        began = clock::now();
        listed = co_await list(everything, limits);
    }
    if (!listed) {
        if (co_await transport::was_cancelled()) co_return cancelled();
        const error_code why = listed.error().code;
        // While all endpoints are down until_reachable() is the pause.
        if (policy::needs_patience(why)) pause_ = core_->options().slow_retry;
        else if (!core_->all_endpoints_down()) pause_ = list_backoff_.failed(clock::now());
        const auto pause = std::max(pause_, core_->next_try_in());
        const std::string words = listed.error().message();
        core_->log(log_level::warning, "load_failed", words, {{"cause", words}, {"pause_ms", std::to_string(pause.count())}});
        maybe_step failed = interrupted(listed.error(), pause);
        co_return failed;
    }
    list_backoff_.succeeded(clock::now());
    told_ = false;

    const revision_t revision = listed->header.revision;
    maybe_step out = step(listed_once_ ? mirror_step::kind::resync : mirror_step::kind::snapshot);
    out->why = std::exchange(reason_, mirror_step::reason::none);
    if (std::exchange(listed_once_, true)) {
        out->events = replica_.reload(std::move(listed->kvs), revision, listed->header.cluster_id);
    } else {
        replica_.load(listed->kvs, revision, listed->header.cluster_id);
        out->content = std::move(listed->kvs);
    }
    known_since_ = clock::now();
    out->revision = out->known = revision;
    out->cluster_id = listed->header.cluster_id;
    list_needed_ = false;
    reloaded_ = true;
    reread_at_ = clock::time_point::max();
    freshness_.forget();
    freshness_.proven(began);
    out->as_of = freshness_.as_of();
    out->good_until = freshness_.good_until();
    watch_.restart(revision + 1);
    next_verification(clock::now());
    core_->log(log_level::info, "loaded", std::to_string(replica_.size()) + " keys at revision " + std::to_string(revision),
               {{"keys", std::to_string(replica_.size())}, {"revision", std::to_string(revision)}});
    const bool as_before = out->why == mirror_step::reason::repaired || out->why == mirror_step::reason::key_missing;
    if (as_before && out->events.empty()) out.reset();   // a false alarm
    co_return out;
}

void mirror_core::next_verification(clock::time_point now) {
    const auto every = core_->options().verify_every;
    if (every.count() <= 0) return;
    verify_at_ = now + std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(every.count()) * (0.8 + 0.4 * core_->random()())));
}

/// Every watch is trusted by its reader, and etcd has had faults in which one lost events. A list at the revision that we
/// claim to hold must be what we hold.
asio::awaitable<void> mirror_core::verify() {
    const auto now = clock::now();
    next_verification(now);
    const auto endpoint = core_->watches().endpoint_index();
    if (!endpoint) co_return;
    range_options keys;
    keys.keys_only = true;
    keys.revision = replica_.known();
    auto listed = co_await list(keys, brief{*endpoint, std::min(freshness_.deadline(), now + core_->options().request_timeout)});
    if (!listed) {
        const std::string why = listed.error().message();
        core_->log(log_level::debug, "not_verified", why, {{"cause", why}});   // again next time
        co_return;
    }
    const auto differences = replica_.differences(listed->kvs);
    if (differences.empty()) {
        core_->log(log_level::debug, "content_verified", std::to_string(replica_.size()) + " keys at revision " + std::to_string(keys.revision),
                   {{"keys", std::to_string(replica_.size())}, {"revision", std::to_string(keys.revision)}});
        co_return;
    }
    core_->log(log_level::error, "content_differed", std::to_string(differences.size()) + " keys at revision " + std::to_string(keys.revision)
                   + " are not those of etcd, the first is \"" + differences.front() + "\"; loading again",
               {{"key", differences.front()}, {"keys", std::to_string(differences.size())}, {"revision", std::to_string(keys.revision)}});
    list_again(mirror_step::reason::repaired);
}

}  // namespace dynconf::etcd
