#pragma once

#include <dynconf/detail/facet.hpp>

#include "etcd/client_core.hpp"
#include "etcd/spawn.hpp"
#include "etcd/view.hpp"

#include <string>
#include <type_traits>
#include <utility>

// How the facets' operations begin.

namespace dynconf::etcd {

/// Runs a coroutine once, which returns awaitable<result<T>>: `body(const view&)`, or `body(client_core&, due)` for what is
/// not about keys. All of it is done when a call that begins now would have to be.
template <class T, class Body>
void start(const detail::call_origin& from, cancels how, detail::erased_handler<T> h, Body body) {
    auto run = [body = std::move(body), through = view(from).for_one_operation()](std::shared_ptr<client_core> self) mutable -> asio::awaitable<result<T>> {
        if constexpr (std::is_invocable_v<Body&, const view&>) co_return co_await body(through);
        else co_return co_await body(*self, through.due());
    };
    spawn<T>(from.core->executor(), from.core, std::move(h), how, std::move(run));
}

/// The same for what waits by its nature: the limit is for each of its calls.
template <class T, class Body>
void start_waiting(const detail::call_origin& from, cancels how, detail::erased_handler<T> h, Body body) {
    auto run = [body = std::move(body), through = view(from)](const std::shared_ptr<client_core>&) mutable -> asio::awaitable<result<T>> {
        co_return co_await body(through);
    };
    spawn<T>(from.core->executor(), from.core, std::move(h), how, std::move(run));
}

/// A call whose body is ready, or could not be made: no part of the caller's arguments is needed any more. `convert` makes
/// of etcd's message what the caller gets.
template <class Message, class T, class Convert>
void start_call(const detail::call_origin& from, call what, result<std::string> body, cancels how, detail::erased_handler<T> h,
                Convert convert) {
    auto run = [what, body = std::move(body), convert](client_core& core, const auto& due) -> asio::awaitable<result<T>> {
        if (!body) co_return body.error();
        call bounded = what;
        bounded.due = due;
        auto answer = co_await core.unary<Message>(bounded, *body);
        if (!answer) co_return answer.error();
        co_return convert(std::move(*answer));
    };
    start<T>(from, how, std::move(h), std::move(run));
}

/// The message as it is; for void, none.
template <class T>
void start_call(const detail::call_origin& from, call what, result<std::string> body, cancels how, detail::erased_handler<T> h) {
    if constexpr (std::is_void_v<T>)
        start_call<wire::header_only_response>(from, what, std::move(body), how, std::move(h),
                                               [](wire::header_only_response) { return result<void>(); });
    else
        start_call<T>(from, what, std::move(body), how, std::move(h), [](T message) { return result<T>(std::move(message)); });
}

}  // namespace dynconf::etcd
