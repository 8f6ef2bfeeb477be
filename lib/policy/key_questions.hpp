#pragma once

#include "policy/wanted_keys.hpp"

#include <cstddef>
#include <list>
#include <optional>
#include <set>
#include <string>

namespace dynconf::policy {

/// Which id a key_provider is asked for next: of those that answers wait for, each once at a time, `most_at_once` of them. The answers
/// take turns, so that one with many unknown ids does not hold up the others.
class key_questions {
public:
    static constexpr std::size_t most_at_once = 8;

    /// From `join` to `leave` it stays where it is.
    void join(wanted_keys& who) { waiting_.push_back(&who); }
    void leave(wanted_keys& who) { waiting_.remove(&who); }

    /// To be asked for now; under way until `ended`.
    std::optional<std::string> next();
    void ended(const std::string& id) { under_way_.erase(id); }
    void on_answer(const std::string& id, const result<sealing_key>& what) {
        for (wanted_keys* who : waiting_)
            if (who->open().contains(id)) who->on_answer(id, what);
    }

private:
    std::list<wanted_keys*> waiting_;   // whose turn it is first
    std::set<std::string> under_way_;
};

}  // namespace dynconf::policy
