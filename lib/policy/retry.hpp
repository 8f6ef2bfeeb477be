#pragma once

#include <dynconf/error.hpp>

#include <cstdint>

namespace dynconf::policy {

/// May the call be executed twice?
enum class safety : std::uint8_t {
    repeatable,
    at_most_once,
    repeatable_write,   ///< May be executed twice, but whether it was executed at all has to be known.
};

/// How far a failed try got.
enum class stage : std::uint8_t {
    not_sent,   ///< Not one byte of the request left.
    sent,       ///< Some did, and no answer came.
    answered,   ///< The server answered with an error.
};

enum class verdict : std::uint8_t {
    give_up,
    refresh_token,   ///< Get a newer token, then try again.
    try_elsewhere,   ///< Another endpoint, after a pause once all were tried.
};

/// After this failure the server surely did not execute the request.
bool surely_not_executed(stage how_far, const error_code& code) noexcept;

/// A write that failed so may have been executed all the same.
bool leaves_in_doubt(safety kind, stage how_far, const error_code& code) noexcept;

/// The member, not the request, is at fault: another one may do better.
bool member_is_unfit(const error_code& code) noexcept;

/// It took too long, by our clock or by the server's: Grpc-Timeout makes that give up a little earlier.
bool ran_out_of_time(const error_code& code) noexcept;

/// The server wants another token than the one it got (or did not get).
bool token_was_refused(const error_code& code) noexcept;

/// Neither another member nor another token helps: somebody has to change something.
bool will_not_heal(const error_code& code) noexcept;

/// One side does not accept the other's certificate.
bool trust_was_refused(const error_code& code) noexcept;

/// Asking again soon is of no use. More than `will_not_heal`: an etcd without a gateway may have a neighbour with one.
bool needs_patience(const error_code& code) noexcept;

verdict decide(safety kind, stage how_far, const error_code& code) noexcept;

}  // namespace dynconf::policy
