#pragma once

#include "testing/history.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::testing {

/// What is known of each revision from what was seen of it, whoever made it: a key_value in an answer says which revision
/// has put it there.
class evidence {
public:
    /// How far observers are believed: not at all, in what they saw, also in what they did not see.
    enum class belief : std::uint8_t { none, seen, all };

    using changes = std::map<std::string, event, std::less<>>;   ///< By key; the first one to say so wins.

    evidence(const history& h, belief observers);

    /// The newest revision of which anybody has told.
    revision_t last() const noexcept { return last_; }
    const std::map<revision_t, changes>& all() const noexcept { return all_; }
    /// Null: nothing is known of it.
    const changes* of(revision_t r) const;
    /// When somebody had been told of it, or of a later one: it had been made by then. None: nobody ever was.
    std::optional<time_point> told(revision_t r) const;

    /// Whether every observer that went past that revision has seen of such changes what it would have.
    bool agrees(revision_t r, const std::vector<event>& made) const;

private:
    struct passage {                       // what an observer who is told of each revision has seen on its way
        const observer* who;
        std::vector<std::pair<revision_t, revision_t>> over;   // from, to
        std::map<revision_t, std::set<std::string, std::less<>>> keys;
    };

    void answered(const op_response& answer);
    void told_at(revision_t r, time_point at);
    void seen(const observer& o);
    void add(const key_value& kv);
    void add(const event& e);
    void reaches(revision_t r) { if (r > last_) last_ = r; }

    std::map<revision_t, changes> all_;
    std::vector<passage> passages_;
    std::map<revision_t, time_point> told_;   // both ascend
    revision_t first_;
    revision_t last_;
};

}  // namespace dynconf::testing
