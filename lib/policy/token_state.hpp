#pragma once

#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <chrono>
#include <cstdint>
#include <variant>

namespace dynconf::policy {

/// What to send as authentication token, shared by all calls of a client. Single flight: the first caller that needs
/// a newer token fetches it, the others wait for that one.
///
/// A login costs the member a bcrypt, which goes on when nobody waits for it any more. Where many log in at once, as after a
/// restart, giving up and asking again only makes that longer, without end. So a flight is patient, and after one that was
/// too short the next is four times as patient: each that ends too early leaves as much work behind as one that does not.
class token_state {
public:
    using time_point = std::chrono::steady_clock::time_point;
    /// Counts what was to be sent; a caller remembers which one it used.
    using generation = std::uint64_t;

    struct send { secret token; generation number; };        ///< Empty token: send none.
    struct fetch { std::chrono::milliseconds patience; };    ///< Start a flight that may take so long, then wait like the others.
    struct wait {};                                          ///< A flight is under way.
    struct refuse { error why; };                            ///< A fetch failed a moment ago; asking again would only cost bcrypt.
    using answer = std::variant<send, fetch, wait, refuse>;

    /// Without credentials the answer is always to send none.
    explicit token_state(bool has_credentials, std::chrono::milliseconds patience = std::chrono::seconds(32),
                         std::chrono::milliseconds cool_off = std::chrono::seconds(1)) noexcept
        : has_credentials_(has_credentials), patience_(patience), cool_off_(cool_off) {}

    /// What a new try should do. An answer `fetch` opens the flight, which must end in one of the three below.
    answer next(time_point now);
    /// The server refused what was sent under this generation; no matter if a newer one is there already.
    void refused(generation number) noexcept {
        if (number == number_) valid_ = false;
    }

    /// What was sent under this generation got no answer in time. A token names a place in etcd's log, and a member that has not
    /// come there holds up what comes with it: for ever where the store was restored from an older backup. Is that to be
    /// looked into? Not again for `question_pause`: where a member has too much to do, it is not the token.
    bool is_to_be_questioned(generation number, time_point now) noexcept;
    static constexpr std::chrono::seconds question_pause{10};

    void fetched(secret token) noexcept;
    /// The server has authentication switched off: send none until it refuses that.
    void not_enabled() noexcept;
    /// `too_late`: the member was at work on it for all of that time.
    void fetch_failed(error why, bool too_late, time_point now);

    /// What to send where any answer will do; an empty one when there is no valid token. Asks for no flight.
    send at_hand() const { return {valid_ ? token_ : secret(), number_}; }
    bool has_credentials() const noexcept { return has_credentials_; }

    /// May a login that a quick member does not answer have been lost on its way, and is another to be tried? Once, until one
    /// works: a member that is busy may seem quick.
    bool may_be_lost() const noexcept { return may_be_lost_; }
    void lost() noexcept { may_be_lost_ = false; }

private:
    bool has_credentials_;
    std::chrono::milliseconds patience_;
    unsigned too_late_ = 0;   // flights since the last that got an answer
    bool may_be_lost_ = true;
    std::chrono::milliseconds cool_off_;
    bool valid_ = false;
    bool flying_ = false;
    secret token_;
    generation number_ = 0;
    bool failed_ = false;
    error failure_;
    time_point failed_at_{};
    time_point question_at_{};
};

}  // namespace dynconf::policy
