#pragma once

#include <dynconf/error.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace dynconf {

/// What became of a write.
enum class write_state : std::uint8_t {
    executed,       ///< etcd has said so.
    not_executed,   ///< Surely not, and it never will be: not a byte of it was sent, or etcd refused it.
    unknown,        ///< It may have been executed, or may be yet: `outcome_resolver` finds out.
};

/// How a write ended, see `as_outcome`. For a transaction "executed" means that one of its branches was.
template <class T>
class [[nodiscard]] write_outcome {
public:
    explicit write_outcome(result<T> r) : result_(std::move(r)) {}

    write_state state() const {
        if (result_) return write_state::executed;
        return result_.error().in_doubt ? write_state::unknown : write_state::not_executed;
    }
    bool executed() const { return state() == write_state::executed; }
    bool not_executed() const { return state() == write_state::not_executed; }
    bool unknown() const { return state() == write_state::unknown; }

    /// etcd's answer. Throws `exception` with `error()` unless the write was executed.
    decltype(auto) value() const& { return result_.value(); }
    decltype(auto) value() && { return std::move(result_).value(); }

    /// Why it was not, or why nobody knows; without a code when it was executed. Asio's operation_aborted: it was cancelled.
    dynconf::error error() const { return result_ ? dynconf::error() : result_.error(); }

    /// Calls the one that fits, so that none is forgotten: `executed(value)` (without it for void), `not_executed(error)` or
    /// `unknown(error)`. Returns what the last two have in common, to which the first one's converts.
    template <class Executed, class NotExecuted, class Unknown>
    auto match(Executed&& when_executed, NotExecuted&& when_not, Unknown&& when_unknown) const
        -> std::common_type_t<std::invoke_result_t<NotExecuted&, const dynconf::error&>, std::invoke_result_t<Unknown&, const dynconf::error&>> {
        if (unknown()) return when_unknown(error());
        if (not_executed()) return when_not(error());
        if constexpr (std::is_void_v<T>) return when_executed();
        else return when_executed(*result_);
    }

private:
    result<T> result_;
};

template <class Token>
struct as_outcome_t {
    Token inner;

    /// The same with another token: `as_outcome(asio::deferred)`.
    template <class Other>
    constexpr as_outcome_t<std::decay_t<Other>> operator()(Other&& other) const {
        return {std::forward<Other>(other)};
    }
};

/// The completion token for writes that have to know: completes with `void(write_outcome<Response>)` and does not throw
/// when the write fails. Takes any token of Asio's as its inner one; does not compile with an operation that only reads.
///
///     auto done = co_await store.put(key, value, {}, as_outcome);
///     if (done.unknown()) ...
inline constexpr as_outcome_t<boost::asio::use_awaitable_t<>> as_outcome{};

}  // namespace dynconf
