#include <dynconf/watch.hpp>

#include "etcd/spawn.hpp"
#include "etcd/watch_subscription.hpp"
#include "policy/retry.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;

struct watcher::impl {
    impl(const etcd::view& through, const key_range& range, watch_options options)
        : core(through.shared_core()), news(through, range, options) {}

    std::shared_ptr<etcd::client_core> core;
    etcd::watch_subscription news;   // touched on the core's strand only

    asio::awaitable<result<watch_batch>> next() {
        using etcd::watch_subscription;
        for (;;) {
            std::optional<watch_subscription::step> step = co_await news.next();
            if (auto* batch = std::get_if<watch_subscription::batch>(&*step)) {
                watch_batch out;
                out.revision = batch->revision;
                out.events = std::move(batch->events);
                co_return out;
            }
            if (auto* lost = std::get_if<watch_subscription::history_lost>(&*step))
                co_return error{errc::history_lost, "everything before revision " + std::to_string(lost->compact_revision) + " was compacted"};
            if (auto* down = std::get_if<watch_subscription::interrupted>(&*step)) {
                if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "watch"};
                if (policy::will_not_heal(down->why.code)) co_return std::move(down->why);
            }
        }
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

}  // namespace dynconf
