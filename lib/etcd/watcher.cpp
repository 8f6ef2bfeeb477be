#include <dynconf/watch.hpp>

#include "etcd/spawn.hpp"
#include "etcd/watch_subscription.hpp"
#include "policy/retry.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;

namespace {

using executor = decltype(asio::get_associated_executor(std::declval<detail::erased_handler<void>>(), std::declval<etcd::strand>()));

/// Calls `work` there, and goes on `on` the strand when it has returned; what it throws comes out.
asio::awaitable<void> call_on(executor there, etcd::strand on, std::function<void()> work) {
    const auto start = [&](auto back) {
        auto run = [on, work = std::move(work), back = std::move(back)]() mutable {
            std::exception_ptr thrown;
            try {
                work();
            } catch (...) {
                thrown = std::current_exception();
            }
            work = nullptr;
            asio::post(on, [thrown, back = std::move(back)]() mutable { std::move(back)(thrown); });
        };
        // Such an executor cannot be posted to. By way of the strand's own, the strand is free meanwhile wherever it runs.
        asio::post(on.get_inner_executor(), [there, run = std::move(run)]() mutable { asio::dispatch(asio::bind_executor(there, std::move(run))); });
    };
    constexpr auto thrown_or_not = asio::as_tuple(asio::use_awaitable);
    auto [thrown] = co_await asio::async_initiate<decltype(thrown_or_not), void(std::exception_ptr)>(start, thrown_or_not);
    if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

struct watcher::impl {
    impl(const etcd::view& through, const key_range& range, watch_options options)
        : core(through.shared_core()), news(through, range, options) {}

    std::shared_ptr<etcd::client_core> core;
    etcd::watch_subscription news;   // touched on the core's strand only
    std::optional<error> over;       // nothing comes any more

    asio::awaitable<result<watch_batch>> next() {
        using etcd::watch_subscription;
        for (;;) {
            if (over) co_return *over;
            std::optional<watch_subscription::step> step = co_await news.next();
            if (auto* batch = std::get_if<watch_subscription::batch>(&*step)) {
                watch_batch out;
                out.revision = batch->revision;
                out.events = std::move(batch->events);
                co_return out;
            }
            if (auto* lost = std::get_if<watch_subscription::history_lost>(&*step))
                over = error{errc::history_lost, "everything before revision " + std::to_string(lost->compact_revision) + " was compacted"};
            if (auto* down = std::get_if<watch_subscription::interrupted>(&*step)) {
                if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "watch"};
                if (policy::will_not_heal(down->why.code)) co_return std::move(down->why);
            }
        }
    }

    asio::awaitable<result<void>> each(std::function<void(watch_batch)> on_batch, executor there) {
        while (!co_await transport::was_cancelled()) {
            auto batch = co_await next();
            if (!batch) co_return batch.error();
            std::function<void()> hand_over = [&on_batch, &batch] { on_batch(std::move(*batch)); };
            co_await call_on(there, core->executor(), std::move(hand_over));
        }
        co_return error{asio::error::operation_aborted, "watch"};
    }
};

watcher::watcher(const client& c, key_range range, watch_options options) {
    const etcd::view through{detail::call_origin(c)};
    impl_ = etcd::owned_by(through.core().executor(), std::make_unique<impl>(through, range, options));
}

void watcher::start_next(std::shared_ptr<impl> i, detail::erased_handler<watch_batch> h) {
    const etcd::strand on = i->core->executor();
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<watch_batch>> { co_return co_await self->next(); };
    etcd::spawn<watch_batch>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

void watcher::start_each(std::shared_ptr<impl> i, std::function<void(watch_batch)> on_batch, detail::erased_handler<void> h) {
    const etcd::strand on = i->core->executor();
    auto run = [on_batch = std::move(on_batch), there = asio::get_associated_executor(h, on)](std::shared_ptr<impl> self) -> asio::awaitable<result<void>> {
        co_return co_await self->each(on_batch, there);
    };
    etcd::spawn<void>(on, std::move(i), std::move(h), etcd::cancels::total, std::move(run));
}

}  // namespace dynconf
