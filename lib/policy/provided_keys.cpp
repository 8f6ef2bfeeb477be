#include "policy/provided_keys.hpp"

#include "wire/quote.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

std::optional<result<sealing_key>> provided_keys::find(const std::string& id, time_point now) {
    if (const auto key = given_.find(id); key != given_.end()) {
        key->second.used = ++uses_;
        return key->second.key;
    }
    if (const auto no = without_.find(id); no != without_.end() && no->second.until > now) return no->second.why;
    return std::nullopt;
}

result<sealing_key> provided_keys::on_key(const std::string& id, sealing_key key) {
    without_.erase(id);
    given_.insert_or_assign(id, given{key, ++uses_});
    if (given_.size() > most_)
        given_.erase(std::min_element(given_.begin(), given_.end(), [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    return key;
}

result<sealing_key> provided_keys::on_absent(const std::string& id, time_point now) {
    return keep(id, {error{errc::unknown_key_id, wire::quote(id) + ", nor does the key provider"}, now + absent_for});
}

result<sealing_key> provided_keys::on_failure(const std::string& id, const std::string& words, time_point now) {
    return keep(id, {error{errc::key_unavailable, wire::quote(id) + ": " + words}, now + failed_for});
}

result<sealing_key> provided_keys::keep(const std::string& id, none what) {
    const error why = what.why;
    without_.insert_or_assign(id, std::move(what));
    if (without_.size() > most_without)
        without_.erase(std::min_element(without_.begin(), without_.end(), [](const auto& a, const auto& b) { return a.second.until < b.second.until; }));
    return why;
}

}  // namespace dynconf::policy
