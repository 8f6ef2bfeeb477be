#pragma once

#include <dynconf/credentials.hpp>
#include <dynconf/error.hpp>

#include <cstdint>
#include <optional>
#include <variant>

namespace dynconf::policy {

/// With which credentials to log in, and when to ask for others. One flight at a time, which logs in twice at most and asks
/// once at most: a password that etcd refuses is asked for anew, and what is given then is tried unless it is the same.
class credential_state {
public:
    struct ask {};                     ///< Get them; then given() or not_given().
    struct use { credentials who; };   ///< Log in; then accepted(), refused() or, for any other end, nothing.
    struct give_up { error why; };     ///< The flight ends so.
    using step = std::variant<ask, use, give_up>;

    /// `fixed`: these and no others; none: they can be asked for.
    explicit credential_state(std::optional<credentials> fixed = std::nullopt)
        : renewable_(!fixed), known_(std::move(fixed)) {}

    /// A flight begins.
    step begin();
    step given(credentials who);
    step not_given(error why);
    /// etcd knows no such user, or not by this password.
    step refused(error why);
    void accepted() noexcept { doubtful_ = false; }

    /// What was last used or is to be used next; null before it was asked for.
    const credentials* known() const noexcept { return known_ ? &*known_ : nullptr; }

private:
    bool renewable_;
    std::optional<credentials> known_;
    bool doubtful_ = false;         // refused when last used
    bool asked_ = false;            // in this flight
    std::optional<error> refusal_;  // of this flight
};

}  // namespace dynconf::policy
