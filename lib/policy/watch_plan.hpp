#pragma once

#include <dynconf/error.hpp>
#include <dynconf/options.hpp>

#include "policy/backoff.hpp"

#include <chrono>
#include <cstddef>

namespace dynconf::policy {

/// When to open the stream that serves all watches of a client, when to replace it, and when to ask its member for a sign
/// of life. A stream is replaced by opening the next one beside it.
class watch_plan {
public:
    using time_point = std::chrono::steady_clock::time_point;
    struct options {
        backoff_options backoff;
        std::chrono::milliseconds rotate_after;   ///< Zero: never.
        std::chrono::milliseconds slow_retry;
        std::chrono::milliseconds probe_every;
        std::chrono::milliseconds trial;           ///< See distrust().
        std::chrono::milliseconds longest_trial;
        std::size_t endpoints;   ///< Until endpoints() says otherwise.
    };
    enum class action : std::uint8_t { rest, open, probe };

    watch_plan(const options& how, random_source random);

    /// What to do at `now`; to be asked again after each event below and at wake_at().
    action next(time_point now) const noexcept;
    /// time_point::max(): when something happens.
    time_point wake_at() const noexcept;

    /// From `due` on the watches that are served are not those that are wanted.
    void change(time_point due) noexcept;
    /// The same, as soon as it is worth a stream: each costs as much as there are watches, so that changes which come one
    /// after the other share one.
    void change_soon(time_point now) noexcept;
    /// The stream does not deliver what it has to: another one is to be tried, unless this one is on trial itself. Each that comes
    /// in that way has twice the time of the one before, or those who share a slow link would replace each other's streams before
    /// any can deliver. Returns when the last one came in that way: `now`, if it is now.
    time_point distrust(time_point now) noexcept;
    void probe_soon(time_point now) noexcept;
    /// There are so many now.
    void endpoints(std::size_t count) noexcept { how_.endpoints = count; }

    void opening(time_point now) noexcept;
    /// The stream that was opened serves every watch it can. `behind`: it has history to send first.
    void opened(time_point now, bool behind) noexcept;
    /// It has.
    void caught_up() noexcept;
    /// It could not be opened, or its watches were not confirmed. How long the next try has to wait.
    std::chrono::milliseconds open_failed(time_point now, const error_code& why);
    /// It is not wanted any more.
    void abandoned() noexcept { opening_ = false; }
    /// The stream that served has ended.
    std::chrono::milliseconds lost(time_point now, const error_code& why);
    /// No watch can be served until change().
    void nothing_wanted() noexcept;
    /// All is ended, what was under way too.
    void closed() noexcept;

    void probing(time_point now) noexcept;
    void probe_answered() noexcept;
    /// Another member, or another stream, is to be tried: at once, but for a pause after each had its turn in vain.
    void probe_failed(time_point now);
    /// It was of a stream that is not there any more.
    void probe_outlived() noexcept { probing_ = false; }

private:
    void begin_trial(time_point now) noexcept;
    time_point open_at() const noexcept;
    std::chrono::milliseconds pause_after(time_point now, const error_code& why);
    std::chrono::milliseconds jittered(std::chrono::milliseconds d) const;

    options how_;
    random_source random_;
    backoff backoff_;
    bool idle_ = true;        // until something is wanted
    bool opening_ = false;
    bool serving_ = false;
    bool suspected_ = false;  // another member, or another stream, is to be tried now,
    bool distrusted_ = false; // since this one does not deliver
    bool probing_ = false;
    time_point opening_since_{};
    time_point not_replaced_before_ = time_point::min();
    time_point distrusted_at_ = time_point::min();
    time_point on_trial_until_ = time_point::min();
    std::chrono::milliseconds trial_{0};          // the last one; 0: none since a stream had caught up
    std::chrono::milliseconds took_{0};           // the last one to open
    time_point change_due_ = time_point::max();
    time_point rotate_at_ = time_point::max();
    time_point probe_at_ = time_point::max();
    time_point not_before_ = time_point::min();   // no try before that
    time_point served_since_ = time_point::max();
    std::size_t failed_probes_ = 0;               // since one was answered
    unsigned failed_in_row_ = 0;                  // until a stream has lasted for backoff_options::healthy
    bool token_renewed_ = false;                  // in that time
};

}  // namespace dynconf::policy
