#include "policy/wanted_keys.hpp"

#include "wire/quote.hpp"

#include <stdexcept>

namespace dynconf::policy {

bool wanted_keys::is_new(const std::string& id) const { return !keys_.has(id) && !open_.contains(id) && !without_.contains(id); }

void wanted_keys::ask_for(const std::string& id) {
    if (asked_ < most_) {
        ++asked_;
        open_.insert(id);
        return;
    }
    without_.emplace(id, error{errc::key_unavailable, wire::quote(id) + ": not asked for, with more than " + std::to_string(most_) +
                                                          " unknown ids in one answer"});
}

void wanted_keys::on_answer(const std::string& id, const result<sealing_key>& what) {
    if (open_.erase(id) == 0 && !is_new(id)) return;
    if (!what) {
        without_.emplace(id, what.error());
        return;
    }
    try {
        keys_ = keys_.reading(id, *what);
    } catch (const std::invalid_argument& refused) {   // an error of the items that need it, whatever the provider has given
        without_.emplace(id, error{errc::key_unavailable, wire::quote(id) + ": " + refused.what()});
    }
}

std::optional<error> wanted_keys::why_without(const std::string& id) const {
    if (const auto at = without_.find(id); at != without_.end()) return at->second;
    if (open_.contains(id)) return error{errc::key_unavailable, wire::quote(id) + ": no time left to ask the provider"};
    return std::nullopt;
}

}  // namespace dynconf::policy
