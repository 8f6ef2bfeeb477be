#pragma once

#include "testing/history.hpp"

#include <map>
#include <string>

namespace dynconf::testing {

/// What is known of each revision from what was seen of it, whoever made it: a key_value in an answer says which revision
/// has put it there.
class evidence {
public:
    using changes = std::map<std::string, event, std::less<>>;   ///< By key; the first one to say so wins.

    /// `observers`: what they saw counts, too. Otherwise only the answers do.
    evidence(const history& h, bool observers);

    /// The newest revision of which anybody has told.
    revision_t last() const noexcept { return last_; }
    const std::map<revision_t, changes>& all() const noexcept { return all_; }
    /// Null: nothing is known of it.
    const changes* of(revision_t r) const;

private:
    void answered(const op_response& answer);
    void seen(const observer& o);
    void add(const key_value& kv);
    void add(const event& e);
    void reaches(revision_t r) { if (r > last_) last_ = r; }

    std::map<revision_t, changes> all_;
    revision_t first_;
    revision_t last_;
};

}  // namespace dynconf::testing
