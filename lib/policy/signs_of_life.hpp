#pragma once

#include <chrono>
#include <variant>

namespace dynconf::policy {

/// A member is at work on what it goes on with when nobody waits for it, so it is waited for as long as it gives signs of life:
/// when to ask for one, and when to wait no longer. One object for each such exchange.
class signs_of_life {
public:
    using time_point = std::chrono::steady_clock::time_point;
    using duration = std::chrono::milliseconds;

    struct wait { time_point until; };
    struct ask { time_point due; };     ///< For a sign, to be there by then. answered() has to follow.
    struct give_up { bool lost; };      ///< The exchange is over. `lost`: another one may work at once, see may_be_lost.
    using step = std::variant<wait, ask, give_up>;

    /// The exchange begins. A sign may take `limit`, as any call may: a member with much to do is slow. Where nobody is served
    /// behind, nobody waits longer than `unused_limit`.
    signs_of_life(time_point now, duration limit, duration unused_limit) noexcept
        : began_(now), limit_(limit), sign_at_(now + limit / 2), unused_until_(now + unused_limit) {}

    /// What to do now. `in_use`: somebody is served behind.
    step next(time_point now, bool in_use) const noexcept;

    /// What was asked at `asked` has ended. `alive`: by an answer that speaks for the member. `may_be_lost`: the exchange may
    /// have got lost on its way. A quick member with nothing to answer to it after `limit` shows that: one with so many of them
    /// to do that none is answered by then has everything else wait for seconds, too.
    void answered(time_point asked, time_point now, bool alive, bool may_be_lost) noexcept;

private:
    time_point began_;
    duration limit_;
    time_point sign_at_;
    time_point unused_until_;
    bool silent_ = false;
    bool lost_ = false;
};

}  // namespace dynconf::policy
