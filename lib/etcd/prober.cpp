#include "etcd/client_core.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <utility>

// The part of the core that knows which endpoints are down, and looks after them while the client is in use.

namespace dynconf::etcd {

namespace {

constexpr std::chrono::milliseconds most_for_a_probe{2'000};

/// A member that is up and will not serve this caller. It is as good as its status.
bool refused_the_caller(const error_code& code) {
    return (code.category() == server_category() || code.category() == grpc_category()) && !policy::member_is_unfit(code);
}

/// No code: fit to serve.
error why_unfit(const status_response& s) {
    const auto leaderless = [](const std::string& e) { return e.find("no leader") != std::string::npos; };
    if (s.is_learner) return {server_errc::not_supported_for_learner, {}};
    if (s.leader == 0 || std::any_of(s.errors.begin(), s.errors.end(), leaderless)) return {server_errc::no_leader, {}};
    return {};
}

}  // namespace

client_core::in_use::in_use(client_core& core) : core_(core.weak_from_this()) {
    ++core.uses_;
    core.start_prober();
}

client_core::in_use::~in_use() {
    const std::shared_ptr<client_core> core = core_.lock();
    if (!core || --core->uses_ != 0 || !core->prober_) return;
    // Posted: whoever gives up the last use may be a frame that is being destroyed with its io_context.
    asio::post(core->strand_, [core, signal = core->prober_] {
        if (core->uses_ == 0) signal->emit(asio::cancellation_type::terminal);
    });
}

void client_core::report_success(std::size_t index, time_point began) {
    if (health_.succeeded(index, began, clock::now())) readmitted(index);
}

void client_core::readmitted(std::size_t index) {
    log(log_level::info, "endpoint_up", pools_[index]->to().to_string(), {{"endpoint", pools_[index]->to().to_string()}});
    health_changed_.notify_all();
}

void client_core::report_failure(std::size_t index, time_point began, const error& why) {
    if (why.code) last_failure_ = why;
    if (!health_.failed(index, began, clock::now())) return;
    pools_[index]->close_idle();   // what is left of before would fail one call after the other
    log(log_level::warning, "endpoint_down", why.message(), {{"cause", why.message()}, {"endpoint", pools_[index]->to().to_string()}});
    // Perhaps the cluster has moved.
    if (uses_srv() && health_.all_down())
        look_up_at_ = std::min(look_up_at_, clock::now() + look_up_pauses_.failed(clock::now()));
    start_prober();
    health_changed_.notify_all();
}

asio::awaitable<bool> client_core::until_reachable() {
    if (!all_endpoints_down()) co_return true;
    const in_use use(*this);
    while (all_endpoints_down()) {
        if (co_await transport::was_cancelled()) co_return false;
        co_await health_changed_.wait();
    }
    co_return !co_await transport::was_cancelled();
}

std::chrono::milliseconds client_core::next_try_in() const {
    if (!all_endpoints_down()) return std::chrono::milliseconds(0);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next_care() - clock::now());
    return std::max(left, std::chrono::milliseconds(0));
}

void client_core::start_prober() {
    if (prober_ || uses_ == 0 || !next_care()) return;
    prober_ = std::make_shared<asio::cancellation_signal>();
    auto run = [self = shared_from_this(), signal = prober_]() -> asio::awaitable<void> {
        const std::shared_ptr<client_core> core = self;
        const std::shared_ptr<asio::cancellation_signal> lasts_as_long = signal;
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await core->look_after_endpoints();
        core->prober_.reset();
        core->start_prober();   // a use may have begun after the one that ended it was the last
    };
    asio::co_spawn(strand_, std::move(run), asio::bind_cancellation_slot(prober_->slot(), asio::detached));
}

std::optional<client_core::time_point> client_core::next_care() const {
    std::optional<time_point> when;
    if (const auto next = health_.next_probe()) when = next->when;
    if (options_.discovery.members && !health_.all_down() && (!when || learn_at_ < *when)) when = learn_at_;
    if (uses_srv() && (!when || look_up_at_ < *when)) when = look_up_at_;
    return when;
}

asio::awaitable<void> client_core::look_after_endpoints() {
    while (uses_ != 0) {
        if (co_await transport::was_cancelled()) co_return;
        const auto when = next_care();
        if (!when) co_return;
        const time_point now = clock::now();
        if (*when > now) {
            co_await health_changed_.wait(*when);
            continue;
        }
        if (const auto next = health_.next_probe(); next && next->when <= now) {
            health_.probe_started(next->index, now);
            co_await probe(next->index);
        } else if (uses_srv() && look_up_at_ <= now) {
            co_await refresh_records();
        } else {
            co_await learn_members();
        }
    }
}

asio::awaitable<result<status_response>> client_core::status_of(std::size_t index, time_point due) {
    call what;
    what.name = "probe";
    what.path = "/v3/maintenance/status";
    const std::string body = "{}";
    const std::string where = pools_[index]->to().to_string();
    due = std::min(due, clock::now() + std::min(options_.request_timeout, most_for_a_probe));
    // With the token at hand: to fetch one would take a member that is up, and any answer will do.
    policy::token_state::send use = tokens_.at_hand();
    message_reply<status_response> reply;
    auto outcome = co_await attempt(what, body, reply, index, use.token, due);
    if (!outcome) {
        error why = outcome.error().why;
        hide_secrets(why.detail, use.token);
        if (may_be_held_up(outcome.error())) question_token(index, std::move(use));
        co_return in_context(std::move(why), what, where);
    }
    const error unfit = why_unfit(reply.message);
    if (unfit.code) co_return in_context(unfit, what, where);
    co_return std::move(reply.message);
}

asio::awaitable<void> client_core::probe(std::size_t index) {
    const time_point began = clock::now();
    auto answer = co_await status_of(index);
    if (co_await transport::was_cancelled()) co_return;
    if (answer || refused_the_caller(answer.error().code)) {
        if (health_.probe_worked(index, began, clock::now())) readmitted(index);
    } else {
        report_failure(index, began, answer.error());
    }
}

}  // namespace dynconf::etcd
