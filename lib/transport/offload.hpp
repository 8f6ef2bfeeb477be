#pragma once

#include <dynconf/error.hpp>

#include "transport/condition.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <csignal>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace dynconf::transport {

/// What a thread of its own and the coroutine that waits for it share.
template <class T> struct offloaded {
    std::mutex mutex;
    std::optional<asio::any_io_executor> reply_to;   // nothing: nobody waits any more, and the executor may be gone
    std::optional<result<T>> answer;        // strand
    condition* woken = nullptr;             // strand

    void forget() {
        const std::lock_guard lock(mutex);
        reply_to.reset();
    }
};

/// Starts a thread in which all signals are blocked: those of the program are not for it, and one past the limit of a
/// file's size must not end the program. Throws std::system_error. A simulation has one thread: there it runs at once.
inline void start_thread(std::function<void()> body) {
    if (surroundings::current()) return body();
    struct masked {
        masked() {
            sigset_t all;
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, &before);
        }
        ~masked() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
        sigset_t before{};
    };
    const masked signals;
    std::thread(std::move(body)).detach();
}

/// Runs `work`, which blocks, on a short-lived thread of its own, and waits for its answer on the strand `on`, where `woken`
/// belongs to. Past `limit()`, or when cancelled, the thread is left to itself and its answer is dropped: `deadline_exceeded`, with
/// `late` as its detail. It is asked again when that time has come, and when `woken` is notified. What `work` throws is an
/// error.
template <class T>
asio::awaitable<result<T>> offload(asio::any_io_executor on, condition& woken, std::function<result<T>()> work,
                                   std::function<clock::time_point()> limit, std::string_view late) {
    const auto shared = std::make_shared<offloaded<T>>();
    shared->reply_to = std::move(on);
    shared->woken = &woken;
    struct forgets {
        offloaded<T>& what;
        ~forgets() { what.forget(); }
    };
    const forgets at_end{*shared};

    std::exception_ptr thrown;
    try {
        start_thread([shared, work = std::move(work)] {
            result<T> answer = [&work]() -> result<T> {
                try {
                    return work();
                } catch (...) {
                    return to_error(std::current_exception());
                }
            }();
            const std::lock_guard lock(shared->mutex);
            if (!shared->reply_to) return;
            asio::post(*shared->reply_to, [shared, answer = std::move(answer)]() mutable {
                if (!shared->reply_to) return;   // it is reset on this strand
                shared->answer.emplace(std::move(answer));
                shared->woken->notify_all();
            });
        });
    } catch (...) {
        thrown = std::current_exception();
    }
    if (thrown) co_return to_error(thrown);
    while (!shared->answer) {
        const auto until = limit();
        if (clock::now() >= until || co_await was_cancelled()) break;
        co_await woken.wait(until);
    }
    if (shared->answer) co_return std::move(*shared->answer);
    co_return error{errc::deadline_exceeded, std::string(late)};
}

}  // namespace dynconf::transport
