#include "policy/key_questions.hpp"

#include <algorithm>

namespace dynconf::policy {

std::optional<std::string> key_questions::next() {
    if (under_way_.size() >= most_at_once) return std::nullopt;
    for (auto who = waiting_.begin(); who != waiting_.end(); ++who) {
        const std::set<std::string>& open = (*who)->open();
        const auto id = std::find_if(open.begin(), open.end(), [this](const std::string& i) { return !under_way_.contains(i); });
        if (id == open.end()) continue;
        waiting_.splice(waiting_.end(), waiting_, who);
        return *under_way_.insert(*id).first;
    }
    return std::nullopt;
}

}  // namespace dynconf::policy
