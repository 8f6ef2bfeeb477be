#include "etcd/watch_subscription.hpp"

#include "etcd/watch_hub.hpp"
#include "policy/weight.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dynconf::etcd {

namespace {

std::size_t weight(const std::vector<event>& events) noexcept {
    std::size_t bytes = 0;
    for (const event& e : events) {
        bytes += policy::weight(e.kv) + (e.prev_kv ? policy::weight(*e.prev_kv) : sizeof e.prev_kv);
    }
    return bytes;
}

}  // namespace

watch_subscription::watch_subscription(const view& through, const key_range& range, watch_options options)
    : core_(through.shared_core()), keys_(through.keys()), sealer_(through.sealer()), range_(keys_.to_etcd(range)), options_(options), arrived_(core_->executor()),
      next_(options.start_revision) {}

watch_subscription::~watch_subscription() {
    if (registered_) core_->watches().remove(*this);
}

asio::awaitable<std::optional<watch_subscription::step>> watch_subscription::next(clock::time_point limit) {
    if (!registered_) {
        registered_ = true;
        core_->watches().add(*this);
    }
    for (;;) {
        // What waits for keys is left in the queue by who does not wait any longer.
        const bool sealed = sealer_ && !co_await keys_of_first(limit);
        if (!sealed)
            if (auto ready = take()) co_return ready;
        if (co_await transport::was_cancelled()) {
            step cancelled = interrupted{{asio::error::operation_aborted, "watch"}, std::chrono::milliseconds(0)};
            co_return std::optional<step>(std::move(cancelled));
        }
        if (clock::now() >= limit) co_return std::nullopt;
        if (!sealed) co_await arrived_.wait(limit);
    }
}

/// Whether the first of the queue can be opened; false: `limit` or a cancellation came first.
asio::awaitable<bool> watch_subscription::keys_of_first(clock::time_point limit) {
    for (;;) {   // meanwhile the batch may grow
        auto* first = queue_.empty() ? nullptr : std::get_if<batch>(&queue_.front());
        if (!first) co_return true;
        if (!keys_of_first_) keys_of_first_ = sealer_->none_yet();
        sealer_->want(*keys_of_first_, values(first->events).key_ids());
        if (keys_of_first_->complete()) co_return true;
        if (!co_await sealer_->at_hand(*keys_of_first_, limit)) co_return false;
    }
}

std::optional<watch_subscription::step> watch_subscription::take() {
    std::optional<step> first;
    if (!queue_.empty()) {
        first = std::move(queue_.front());
        queue_.pop_front();
        if (auto* b = std::get_if<batch>(&*first)) {
            bytes_ -= weight(b->events);
            if (sealer_) sealer_->open(*core_, values(b->events), *std::exchange(keys_of_first_, std::nullopt));
            keys_.from_etcd(b->events);
        }
    } else if (probed_) {
        first = *std::exchange(probed_, std::nullopt);
    }
    if (full_ && queue_.empty()) {
        full_ = false;
        core_->watches().changed();
    }
    return first;
}

void watch_subscription::push(step s) {
    queue_.push_back(std::move(s));
    arrived_.notify_all();
}

void watch_subscription::restart(revision_t next) {
    queue_.clear();
    keys_of_first_.reset();
    probed_.reset();
    bytes_ = 0;
    next_ = next;
    lost_ = full_ = up_ = false;
    retry_at_ = clock::time_point::min();
    if (registered_) core_->watches().restarted(*this);
}

void watch_subscription::checkpoint(revision_t revision) {
    next_ = std::max(next_, revision + 1);
    for (step& s : queue_)
        if (auto* b = std::get_if<batch>(&s)) {
            bytes_ -= weight(b->events);
            std::erase_if(b->events, [revision](const event& e) { return e.kv.mod_revision <= revision; });
            bytes_ += weight(b->events);
        }
    std::erase_if(queue_, [](const step& s) {
        const auto* b = std::get_if<batch>(&s);
        return b && b->events.empty();
    });
}

void watch_subscription::on_connected(response_header header, std::string endpoint) {
    up_ = true;
    if (!queue_.empty() && std::holds_alternative<connected>(queue_.back())) queue_.pop_back();
    endpoint_ = endpoint;
    push(connected{header, std::move(endpoint)});
}

void watch_subscription::on_start(revision_t next) noexcept {
    if (next_ == 0) next_ = next;
}

void watch_subscription::on_batch(revision_t revision, std::vector<event> events) {
    if (revision < next_ || lost_ || full_) return;
    if (events.front().kv.mod_revision < next_)   // another stream has brought these already
        std::erase_if(events, [this](const event& e) { return e.kv.mod_revision < next_; });
    next_ = revision + 1;
    bytes_ += weight(events);
    full_ = bytes_ > core_->options().watch_buffer_bytes;
    auto* last = queue_.empty() ? nullptr : std::get_if<batch>(&queue_.back());
    if (!last) return push(batch{revision, std::move(events)});
    last->revision = revision;
    last->events.insert(last->events.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
}

void watch_subscription::on_history_lost(revision_t compact_revision) {
    if (lost_) return;
    lost_ = true;
    up_ = false;
    push(history_lost{compact_revision});
}

void watch_subscription::on_refused(const error& why, std::chrono::milliseconds pause, clock::time_point now) {
    retry_at_ = now + pause;
    on_interrupted(why, pause);
}

void watch_subscription::on_interrupted(const error& why, std::chrono::milliseconds pause) {
    up_ = false;
    probed_.reset();
    // An owner that is away must not find a year of these.
    while (!queue_.empty() && (std::holds_alternative<interrupted>(queue_.back()) || std::holds_alternative<connected>(queue_.back())))
        queue_.pop_back();
    push(interrupted{why, pause});
}

void watch_subscription::on_probed(const response_header& header, clock::time_point sent, std::optional<policy::look> look) {
    if (!up_ || full_) return;
    probed_ = probed{header, sent, look};
    arrived_.notify_all();
}

}  // namespace dynconf::etcd
