#pragma once

#include <dynconf/detail/initiate.hpp>

#include "transport/await.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <memory>
#include <utility>

namespace dynconf::etcd {

namespace asio = boost::asio;
using strand = asio::strand<asio::any_io_executor>;

/// Shared by handles on any thread, and destroyed on the strand: its sockets and timers may have handlers under way there.
template <class T>
std::shared_ptr<T> owned_by(const strand& on, std::unique_ptr<T> made) {
    return {made.release(), [on](T* last) { asio::dispatch(on, [owned = std::unique_ptr<T>(last)] {}); }};
}

/// How much of a caller's cancellation reaches an operation. `total` is for those that leave no effect behind.
enum class cancels : bool { terminal_only, total };

/// Runs `body(shared_ptr<Owner>)`, a coroutine that returns awaitable<result<T>>, on `on`, and completes `handler` on its
/// own executor, never from inside this call. `owner` lives until then.
///
/// A cancellation travels to the strand in a signal of its own: the one that co_spawn keeps in the caller's slot may be
/// gone by the time a signal that was dispatched to another strand arrives.
template <class T, class Owner, class Body>
void spawn(const strand& on, std::shared_ptr<Owner> owner, detail::erased_handler<T> handler, cancels how, Body body) {
    auto signal = std::make_shared<asio::cancellation_signal>();
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected())
        slot.assign([signal, on](asio::cancellation_type type) {
            asio::post(on, [signal, type] { signal->emit(type); });
        });

    auto run = [owner, body = std::move(body), how]() mutable -> asio::awaitable<result<T>> {
        const std::shared_ptr<Owner> self = owner;
        if (how == cancels::total)
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
        else
            co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        co_return co_await body(self);
    };
    auto executor = asio::get_associated_executor(handler, on);
    auto complete = [handler = std::move(handler), slot, signal](std::exception_ptr thrown, result<T> r) mutable {
        if (slot.is_connected()) slot.clear();
        std::move(handler)(std::move(thrown), std::move(r));
    };
    asio::co_spawn(on, std::move(run),
                   asio::bind_cancellation_slot(signal->slot(), asio::bind_executor(std::move(executor), std::move(complete))));
}

/// Runs `body()`, which returns awaitable<void>, on `on` until it is done or `stop` is emitted there. `owner`, which has
/// `stop`, lives until then. `stop` may be used for the next one as soon as the body is done, which is before co_spawn is:
/// so each has a signal of its own, too.
template <class Owner, class Body>
void run_until(const strand& on, asio::cancellation_signal& stop, std::shared_ptr<Owner> owner, Body body) {
    const auto signal = std::make_shared<asio::cancellation_signal>();
    stop.slot().assign([signal](asio::cancellation_type type) { signal->emit(type); });
    auto run = [owner = std::move(owner), body = std::move(body)]() mutable -> asio::awaitable<void> {
        const std::shared_ptr<Owner> keep = std::move(owner);
        const Body what = std::move(body);
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await what();
    };
    asio::co_spawn(on, std::move(run), asio::bind_cancellation_slot(signal->slot(), [signal](const std::exception_ptr&) {}));
}

}  // namespace dynconf::etcd
