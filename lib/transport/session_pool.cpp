#include "transport/session_pool.hpp"

#include <utility>

namespace dynconf::transport {

session_pool::session_pool(asio::any_io_executor executor, const std::shared_ptr<connector>& connect, endpoint to,
                           const client_options& options)
    : executor_(std::move(executor)), connector_(connect), to_(std::move(to)), max_connections_(options.max_connections),
      idle_timeout_(options.idle_timeout), freed_(executor_) {}

std::unique_ptr<http_session> session_pool::take_idle() {
    const auto now = clock::now();
    while (!idle_.empty()) {
        idle_session last = std::move(idle_.back());
        idle_.pop_back();
        // A write must not go out on a connection that the server has begun to close: its outcome would be unknown.
        if (now - last.since < idle_timeout_ && last.session->reusable()) return std::move(last.session);
    }
    return nullptr;
}

asio::awaitable<result<std::unique_ptr<http_session>>> session_pool::connect(clock::time_point due) {
    auto stream = co_await connector_->connect(to_, due);
    if (!stream) co_return stream.error();
    co_return std::make_unique<http_session>(std::move(*stream), executor_);
}

asio::awaitable<result<session_pool::lease>> session_pool::place(clock::time_point due) {
    if (to_.uses_tls() && !idle_.empty()) {
        co_await connector_->look_after_open(due);
        if (co_await was_cancelled()) co_return error{asio::error::operation_aborted, {}};
    }
    // Who comes while others wait gets in line behind them, also behind one that was woken and has not run yet.
    for (bool in_line = freed_.has_waiters(); in_line || at_work_ >= max_connections_; in_line = false) {
        co_await freed_.wait(due);
        const bool cancelled = co_await was_cancelled();
        if (!cancelled && clock::now() < due) continue;
        wake_next();   // the place that this waiter may have been woken for goes to the next
        if (cancelled) co_return error{asio::error::operation_aborted, {}};
        co_return error{errc::deadline_exceeded, "all " + std::to_string(max_connections_) + " connections stayed busy"};
    }
    if (const std::size_t all = idle_.size() + at_work_ + 1; idle_.capacity() < all) idle_.reserve(2 * all);   // give_back must not fail
    // Counted before connecting, through a lease that ends on every path out of here.
    ++at_work_;
    wake_next();   // more than one place may have come free
    co_return lease(shared_from_this(), take_idle());
}

asio::awaitable<result<void>> session_pool::connect(lease& taken, clock::time_point due) {
    if (taken.session_) co_return result<void>();
    auto made = co_await connect(due);
    if (!made) co_return made.error();
    taken.session_ = std::move(*made);
    co_return result<void>();
}

void session_pool::give_back(std::unique_ptr<http_session> session) noexcept {
    --at_work_;
    if (session && session->reusable()) idle_.push_back({std::move(session), clock::now()});
    wake_next();
}

void session_pool::wake_next() noexcept {
    if (at_work_ < max_connections_) freed_.notify_one();
}

}  // namespace dynconf::transport
