#pragma once

#include "etcd/client_core.hpp"
#include "transport/condition.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>

#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf::etcd {

template <class T>
struct endpoint_answer {
    std::string endpoint;
    result<T> answer;
};

/// Asks every endpoint at the same time: `ask(index)` returns awaitable<result<T>>. The answers are in the order of
/// client_core::endpoints(). An error where there is no endpoint by `due`. Cancelled, it cancels them and waits for their end.
template <class T, class Ask>
asio::awaitable<result<std::vector<endpoint_answer<T>>>> ask_each_endpoint(client_core& core, std::string_view what_for,
                                                                           client_core::clock::time_point due, Ask ask) {
    struct state {
        explicit state(client_core& c) : done(c.executor()) {}
        std::vector<endpoint_answer<T>> answers;
        std::deque<asio::cancellation_signal> stop;
        std::size_t left = 0;
        transport::condition done;
    };
    auto have = co_await core.have_endpoint(what_for, false, due);
    if (!have) co_return have.error();
    const auto all = std::make_shared<state>(core);
    const std::vector<std::size_t> endpoints = core.endpoints();
    all->left = endpoints.size();
    for (const std::size_t index : endpoints) all->answers.push_back({core.endpoint_name(index), error{}});
    all->stop.resize(endpoints.size());
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
        auto one = [all, ask, i, index = endpoints[i], core = core.shared_from_this()]() -> asio::awaitable<void> {
            const auto keep_core = core;
            const auto to = all;
            const std::size_t place = i;
            co_await asio::this_coro::throw_if_cancelled(false);
            try {
                to->answers[place].answer = co_await ask(index);
            } catch (...) {
                to->answers[place].answer = to_error(std::current_exception());
            }
            --to->left;
            to->done.notify_all();
        };
        asio::co_spawn(core.executor(), std::move(one), asio::bind_cancellation_slot(all->stop[i].slot(), asio::detached));
    }
    for (bool told = false; all->left != 0;) {
        co_await all->done.wait();
        const bool cancelled = co_await transport::was_cancelled();
        if (!cancelled || std::exchange(told, true)) continue;
        for (asio::cancellation_signal& signal : all->stop) signal.emit(asio::cancellation_type::terminal);
    }
    if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, std::string(what_for)};
    co_return std::move(all->answers);
}

}  // namespace dynconf::etcd
