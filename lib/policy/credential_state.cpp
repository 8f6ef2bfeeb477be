#include "policy/credential_state.hpp"

#include <utility>

namespace dynconf::policy {

credential_state::step credential_state::begin() {
    asked_ = false;
    refusal_.reset();
    if (known_ && !(doubtful_ && renewable_)) return use{*known_};
    asked_ = true;
    return ask{};
}

credential_state::step credential_state::given(credentials who) {
    if (who.username.empty()) return not_given({errc::credentials_unavailable, "what was given has no user name"});
    const bool same = known_ && known_->username == who.username && known_->password == who.password;
    // In a later flight the same ones deserve a try: then it is etcd that was behind.
    if (same && refusal_) return give_up{*std::exchange(refusal_, std::nullopt)};
    known_ = std::move(who);
    return use{*known_};
}

credential_state::step credential_state::not_given(error why) {
    if (refusal_) why.detail += (why.detail.empty() ? "" : "; ") + std::string("asked because: ") + refusal_->message();
    return give_up{std::move(why)};
}

credential_state::step credential_state::refused(error why) {
    doubtful_ = true;
    if (!renewable_ || asked_) return give_up{std::move(why)};
    asked_ = true;
    refusal_ = std::move(why);
    return ask{};
}

}  // namespace dynconf::policy
