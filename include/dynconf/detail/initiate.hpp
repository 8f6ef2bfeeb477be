#pragma once

#include <dynconf/error.hpp>
#include <dynconf/write_outcome.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <type_traits>
#include <utility>

// The one door between the public templates and the compiled core: any completion token becomes an erased
// handler, which the core completes with (exception_ptr, result<T>), just what co_spawn completes with.

namespace dynconf {

/// Completes with `void(std::exception_ptr, T)`, so that what is thrown is our `exception`, with the server's words.
/// Any other token of Asio's completes with `void(error_code, T)`.
template <class Token>
struct with_detail_t {
    Token inner;
};

template <class Token>
constexpr with_detail_t<std::decay_t<Token>> with_detail(Token&& token) {
    return {std::forward<Token>(token)};
}

/// `co_await` that throws `dynconf::exception`.
using default_token = with_detail_t<boost::asio::use_awaitable_t<>>;

namespace detail {

template <class T>
using erased_handler = boost::asio::any_completion_handler<void(std::exception_ptr, result<T>)>;

inline error_code as_failure(const error& e, const error_code*) { return e.code; }
inline std::exception_ptr as_failure(error e, const std::exception_ptr*) {
    return std::make_exception_ptr(exception(std::move(e)));
}

/// For `as_outcome`: failure and value in one.
struct in_outcome {};

/// Hands a result on as `Failure` (error_code or exception_ptr) and value, or as a write_outcome.
template <class Failure, class Handler>
struct projecting_handler {
    Handler handler;

    template <class T>
    void operator()(std::exception_ptr thrown, result<T> r) {
        if (thrown) r = to_error(thrown);
        if constexpr (std::is_same_v<Failure, in_outcome>) {
            if (thrown) r = in_doubt(r.error());   // out of memory, say: nobody knows how far the write got
            std::move(handler)(write_outcome<T>(std::move(r)));
        } else {
            hand_on(std::move(r));
        }
    }

private:
    static error in_doubt(error e) {
        e.in_doubt = true;
        return e;
    }

    template <class T>
    void hand_on(result<T> r) {
        Failure failure = r ? Failure{} : as_failure(r.error(), static_cast<const Failure*>(nullptr));
        if constexpr (std::is_void_v<T>)
            std::move(handler)(std::move(failure));
        else
            std::move(handler)(std::move(failure), r ? std::move(*r) : T{});
    }
};

template <class Failure, class T> struct completion_signature { using type = void(Failure, T); };
template <class Failure> struct completion_signature<Failure, void> { using type = void(Failure); };
template <class T> struct completion_signature<in_outcome, T> { using type = void(write_outcome<T>); };
template <> struct completion_signature<in_outcome, void> { using type = void(write_outcome<void>); };

template <class Failure, class T, class Token, class Start>
auto initiate_as(Token&& token, Start start) {
    return boost::asio::async_initiate<Token, typename completion_signature<Failure, T>::type>(
        [start = std::move(start)](auto handler) mutable {
            using handler_type = decltype(handler);
            std::move(start)(erased_handler<T>(projecting_handler<Failure, handler_type>{std::move(handler)}));
        },
        token);
}

template <class T, class Token, class Start>
auto initiate(Token&& token, Start start) {
    return initiate_as<error_code, T>(std::forward<Token>(token), std::move(start));
}

template <class T, class Inner, class Start>
auto initiate(with_detail_t<Inner> token, Start start) {
    return initiate_as<std::exception_ptr, T>(std::move(token.inner), std::move(start));
}

/// A read leaves no doubt.
template <class T, class Inner, class Start>
auto initiate(as_outcome_t<Inner> token, Start start) = delete;

/// The same for writes, which take `as_outcome` too.
template <class T, class Token, class Start>
auto initiate_write(Token&& token, Start start) {
    return initiate<T>(std::forward<Token>(token), std::move(start));
}

template <class T, class Inner, class Start>
auto initiate_write(as_outcome_t<Inner> token, Start start) {
    return initiate_as<in_outcome, T>(std::move(token.inner), std::move(start));
}

}  // namespace detail
}  // namespace dynconf

/// Executor, allocator and cancellation slot stay the caller's.
template <template <class, class> class Associator, class Failure, class Handler, class Default>
struct boost::asio::associator<Associator, dynconf::detail::projecting_handler<Failure, Handler>, Default>
    : Associator<Handler, Default> {
    static auto get(const auto& h) noexcept { return Associator<Handler, Default>::get(h.handler); }
    static auto get(const auto& h, const Default& d) noexcept { return Associator<Handler, Default>::get(h.handler, d); }
};
