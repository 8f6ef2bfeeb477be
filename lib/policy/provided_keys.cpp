#include "policy/provided_keys.hpp"

#include "wire/quote.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

std::optional<result<sealing_key>> provided_keys::find(const std::string& id, time_point now) {
    const auto at = std::find_if(answers_.begin(), answers_.end(), [&](const answer& a) { return a.id == id; });
    if (at == answers_.end() || at->until <= now) return std::nullopt;
    answers_.splice(answers_.begin(), answers_, at);
    return at->what;
}

void provided_keys::on_key(const std::string& id, sealing_key key) { keep({id, std::move(key), time_point::max()}); }

void provided_keys::on_absent(const std::string& id, time_point now) {
    keep({id, error{errc::unknown_key_id, wire::quote(id) + ", nor does the key provider"}, now + absent_for});
}

void provided_keys::on_failure(const std::string& id, const std::string& words, time_point now) {
    keep({id, error{errc::key_unavailable, wire::quote(id) + ": " + words}, now + failed_for});
}

void provided_keys::keep(answer a) {
    answers_.remove_if([&](const answer& old) { return old.id == a.id; });
    answers_.push_front(std::move(a));
    if (answers_.size() > most_) answers_.pop_back();
}

}  // namespace dynconf::policy
