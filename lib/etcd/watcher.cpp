#include <dynconf/watch.hpp>

#include "etcd/client_access.hpp"
#include "etcd/spawn.hpp"
#include "etcd/watch_loop.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;

struct watcher::impl {
    impl(std::shared_ptr<etcd::client_core> c, key_range range, watch_options options)
        : core(c), loop(std::move(c), std::move(range), options) {}

    std::shared_ptr<etcd::client_core> core;
    etcd::watch_loop loop;   // touched on the core's strand only

    /// What the server would say again however often it is asked.
    static bool will_not_heal(const error_code& code) noexcept {
        return !policy::member_is_unfit(code) && !policy::token_was_refused(code);
    }

    asio::awaitable<result<watch_batch>> next() {
        for (;;) {
            etcd::watch_loop::step step = co_await loop.next();
            if (auto* batch = std::get_if<etcd::watch_loop::batch>(&step)) {
                watch_batch out;
                out.revision = batch->revision;
                out.events = std::move(batch->events);
                co_return out;
            }
            if (auto* lost = std::get_if<etcd::watch_loop::history_lost>(&step))
                co_return error{errc::history_lost, "everything before revision " + std::to_string(lost->compact_revision) + " was compacted"};
            if (auto* down = std::get_if<etcd::watch_loop::interrupted>(&step)) {
                if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "watch"};
                if (will_not_heal(down->why.code)) co_return std::move(down->why);
                const std::string why = down->why.message();
                core->log(log_level::warning, "watch_interrupted", why, {{"cause", why}, {"pause_ms", std::to_string(down->pause.count())}});
            }
        }
    }
};

watcher::watcher(const client& c, key_range range, watch_options options)
    : impl_(etcd::owned_by(detail::client_access::core(c)->executor(),
                           std::make_unique<impl>(detail::client_access::core(c), std::move(range), options))) {}

void watcher::start_next(std::shared_ptr<impl> i, detail::erased_handler<watch_batch> h) {
    const etcd::strand on = i->core->executor();
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<watch_batch>> { co_return co_await self->next(); };
    etcd::spawn<watch_batch>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

}  // namespace dynconf
