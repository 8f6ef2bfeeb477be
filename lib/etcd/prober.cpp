#include "etcd/client_core.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <utility>

// The part of the core that knows which endpoints are down, and looks after them while the client is in use.

namespace dynconf::etcd {

namespace {

constexpr std::chrono::milliseconds most_for_a_probe{2'000};

/// It answered, as a member that can serve does: with its status, or with a refusal of this caller.
bool can_serve(const result<status_response>& answer) {
    if (!answer) {
        const auto& category = answer.error().code.category();
        return (category == server_category() || category == grpc_category()) && !policy::member_is_unfit(answer.error().code);
    }
    const auto leaderless = [](const std::string& e) { return e.find("no leader") != std::string::npos; };
    return answer->leader != 0 && !answer->is_learner && std::none_of(answer->errors.begin(), answer->errors.end(), leaderless);
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
    log(log_level::info, "endpoint_up", pools_[index]->to().to_string());
    health_changed_.notify_all();
}

void client_core::report_failure(std::size_t index, time_point began, const error& why) {
    if (why.code) last_failure_ = why;
    if (!health_.failed(index, began, clock::now())) return;
    pools_[index]->close_idle();   // what is left of before would fail one call after the other
    log(log_level::warning, "endpoint_down", why.message());
    start_prober();
    health_changed_.notify_all();
}

asio::awaitable<bool> client_core::until_reachable() {
    if (!health_.all_down()) co_return true;
    const in_use use(*this);
    while (health_.all_down()) {
        if (co_await transport::was_cancelled()) co_return false;
        co_await health_changed_.wait();
    }
    co_return !co_await transport::was_cancelled();
}

std::chrono::milliseconds client_core::next_try_in() const {
    if (!health_.all_down()) return std::chrono::milliseconds(0);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(health_.next_probe()->when - clock::now());
    return std::max(left, std::chrono::milliseconds(0));
}

void client_core::start_prober() {
    if (prober_ || uses_ == 0 || !health_.next_probe()) return;
    prober_ = std::make_shared<asio::cancellation_signal>();
    auto run = [self = shared_from_this(), signal = prober_]() -> asio::awaitable<void> {
        const std::shared_ptr<client_core> core = self;
        const std::shared_ptr<asio::cancellation_signal> lasts_as_long = signal;
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await core->probe_ejected();
        core->prober_.reset();
        core->start_prober();   // a use may have begun after the one that ended it was the last
    };
    asio::co_spawn(strand_, std::move(run), asio::bind_cancellation_slot(prober_->slot(), asio::detached));
}

asio::awaitable<void> client_core::probe_ejected() {
    while (uses_ != 0) {
        if (co_await transport::was_cancelled()) co_return;
        const auto next = health_.next_probe();
        if (!next) co_return;
        if (next->when > clock::now()) {
            co_await health_changed_.wait(next->when);
            continue;
        }
        health_.probe_started(next->index, clock::now());
        co_await probe(next->index);
    }
}

asio::awaitable<void> client_core::probe(std::size_t index) {
    call what;
    what.name = "probe";
    what.path = "/v3/maintenance/status";
    const std::string body = "{}";
    const time_point began = clock::now();
    const time_point due = began + std::min(options_.request_timeout, most_for_a_probe);
    // With the token at hand: to fetch one would take a member that is up, and any answer will do.
    message_reply<status_response> reply;
    const std::string token = tokens_.at_hand();
    auto outcome = co_await attempt(what, body, reply, index, token, due);
    if (co_await transport::was_cancelled()) co_return;
    result<status_response> answer = outcome ? result<status_response>(std::move(reply.message)) : outcome.error().why;
    if (can_serve(answer)) {
        if (health_.probe_worked(index, began, clock::now())) readmitted(index);
        co_return;
    }
    error why = answer ? error{server_errc::no_leader, {}} : answer.error();
    if (answer && answer->is_learner) why.code = server_errc::not_supported_for_learner;
    why.detail = "probe at " + pools_[index]->to().to_string() + (why.detail.empty() ? "" : ": " + why.detail);
    report_failure(index, began, why);
}

}  // namespace dynconf::etcd
