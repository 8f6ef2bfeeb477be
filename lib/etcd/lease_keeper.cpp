#include "etcd/lease_keeper.hpp"

#include "etcd/keep_alive_reply.hpp"
#include "wire/requests.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace dynconf::etcd {

namespace {

using loss = policy::lease_clock::loss;

error_code code_of(loss why) {
    switch (why) {
        case loss::not_found: return server_errc::lease_not_found;
        case loss::revoked: return errc::lease_revoked;
        case loss::unreachable: return errc::lease_unreachable;
        case loss::expired:
        case loss::none: break;
    }
    return errc::lease_expired;
}

}  // namespace

/// One request under way.
struct keep_alive_flight {
    std::vector<kept_lease*> leases;   // by their place in the body; null: gone
    asio::cancellation_signal stop;
};

// The lease

kept_lease::kept_lease(std::shared_ptr<client_core> core, lease_id id, policy::lease_clock when)
    : core_(std::move(core)), id_(id), when_(when), safe_until_(when.safe_until().time_since_epoch().count()), told_(core_->executor()) {
    core_->leases().add(*this);
}

kept_lease::~kept_lease() { core_->leases().remove(*this); }

const std::optional<error>& kept_lease::loss() {
    if (!loss_ && !alive()) core_->leases().tell_losses(clock::now());
    return loss_;
}

void kept_lease::lose(error why) {
    safe_until_.store(clock::time_point::min().time_since_epoch().count(), std::memory_order_release);
    loss_ = std::move(why);
    told_.notify_all();
    if (on_lost_) on_lost_();
}

void kept_lease::end() {
    core_->leases().remove(*this);
    if (!loss_) lose({errc::not_held, "given up"});
}

asio::awaitable<error> kept_lease::until_lost() {
    for (;;) {
        if (loss_) co_return *loss_;
        if (co_await transport::was_cancelled()) {
            error aborted{asio::error::operation_aborted, "keep_alive"};
            co_return aborted;
        }
        co_await told_.wait();
    }
}

// The keeper

void lease_keeper::add(kept_lease& l) {
    leases_.push_back(&l);
    moved_.notify_all();
    if (std::exchange(running_, true)) return;
    auto life = [core = core_.shared_from_this(), this]() -> asio::awaitable<void> {
        const std::shared_ptr<client_core> keep = core;
        co_await run();
    };
    asio::co_spawn(core_.executor(), std::move(life), asio::detached);
}

void lease_keeper::remove(kept_lease& l) noexcept {
    leases_.remove(&l);
    if (const auto f = std::exchange(l.flight_, nullptr)) {
        std::replace(f->leases.begin(), f->leases.end(), &l, static_cast<kept_lease*>(nullptr));
        const bool unwanted = std::all_of(f->leases.begin(), f->leases.end(), [](const kept_lease* k) { return k == nullptr; });
        // Posted: this may be a frame that is being destroyed with its io_context.
        if (unwanted) asio::post(core_.executor(), [f] { f->stop.emit(asio::cancellation_type::terminal); });
    }
    moved_.notify_all();
}

asio::awaitable<void> lease_keeper::run() {
    const client_core::in_use use(core_);   // an endpoint that comes back is noticed
    while (!leases_.empty()) {
        const auto now = clock::now();
        tell_losses(now);
        start_flight(now);
        if (!leases_.empty()) co_await moved_.wait(wake_at());
    }
    running_ = false;
}

lease_keeper::clock::time_point lease_keeper::wake_at() const noexcept {
    auto at = clock::time_point::max();
    for (const kept_lease* l : leases_)
        at = std::min(at, l->flight_ ? l->when_.safe_until() : std::min(l->when_.due(), l->when_.safe_until()));
    return at;
}

void lease_keeper::tell_losses(clock::time_point now) {
    for (auto next = leases_.begin(); next != leases_.end();) {
        kept_lease& l = **next++;
        const loss why = l.when_.lost(now);
        if (why == loss::none) continue;
        leases_.remove(&l);
        error cause{code_of(why), why == loss::unreachable ? l.last_failure_.message() : std::string()};
        core_.log(log_level::warning, "lease_lost", cause.message(), {{"cause", cause.message()}, {"lease", std::to_string(l.id_)}});
        l.lose(std::move(cause));
    }
}

void lease_keeper::start_flight(clock::time_point now) {
    const bool due = std::any_of(leases_.begin(), leases_.end(),
                                 [now](const kept_lease* l) { return !l->flight_ && l->when_.due() <= now; });
    if (!due) return;
    auto f = std::make_shared<keep_alive_flight>();
    clock::duration limit = core_.options().request_timeout;
    for (kept_lease* l : leases_) {
        if (l->flight_ || !l->when_.may_come_along(now)) continue;
        limit = std::min(limit, l->when_.try_limit(now));
        l->flight_ = f;
        f->leases.push_back(l);
    }
    const auto limit_ms = std::chrono::ceil<std::chrono::milliseconds>(limit);
    run_until(core_.executor(), f->stop, core_.shared_from_this(), [this, f, limit_ms] { return fly(f, limit_ms); });
}

asio::awaitable<void> lease_keeper::fly(std::shared_ptr<keep_alive_flight> f, std::chrono::milliseconds limit) {
    std::vector<lease_id> ids;
    for (const kept_lease* l : f->leases) ids.push_back(l ? l->id_ : 0);
    const std::string body = wire::lease_keep_alive_request(ids);
    call what;
    what.name = "keep_alive";
    what.path = "/v3/lease/keepalive";
    what.many_messages = ids.size() > 1;
    keep_alive_reply answer;
    const auto sent = clock::now();
    bool another_is_up = false;
    result<void> done = co_await core_.have_endpoint(what.name, true, sent + limit);
    if (done) {
        const std::size_t at = core_.best_endpoint(at_);
        done = co_await core_.perform_at(at, what, body, answer, sent + limit);
        if (!done && policy::ran_out_of_time(done.error().code)) at_ = core_.endpoint_after(at);
        another_is_up = !core_.all_endpoints_down() && core_.best_endpoint(at_) != at;
    }
    const auto now = clock::now();
    if (done && answer.answers.size() < ids.size()) done = error{errc::malformed_response, "keep_alive: answers are missing"};
    for (std::size_t i = 0; i < ids.size(); ++i) {
        kept_lease* l = f->leases[i];
        if (!l) continue;
        l->flight_.reset();
        if (i < answer.answers.size() && answer.answers[i].id == ids[i]) {
            const std::int64_t ttl = answer.answers[i].ttl;
            if (ttl > 0) l->when_.acknowledged(std::chrono::seconds(ttl), sent);
            else l->when_.gone(now);
        } else {
            l->when_.failed(now, another_is_up, core_.endpoint_count());
            if (!done) l->last_failure_ = done.error();
        }
        if (!l->loss_) l->safe_until_.store(l->when_.safe_until().time_since_epoch().count(), std::memory_order_release);
    }
    if (!done && done.error().code != asio::error::operation_aborted)
        core_.log(log_level::warning, "keep_alive_failed", done.error().message(), {{"cause", done.error().message()}});
    moved_.notify_all();
}

}  // namespace dynconf::etcd
