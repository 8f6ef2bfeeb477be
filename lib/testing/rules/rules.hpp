#pragma once

#include "testing/check.hpp"
#include "testing/timeline.hpp"
#include "testing/words.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::testing {

/// What a rule is asked about.
struct judged {
    const history& past;
    const check_options& options;
    const timeline& happened;
    const storyteller& tell;
};

/// Collects violations: the first ones of each rule say it all.
class findings {
public:
    void add(rule broken, std::string words, std::vector<std::size_t> operations = {}) {
        if (++counts_[broken] <= most) all_.push_back({broken, std::move(words), std::move(operations)});
    }
    bool empty() const noexcept { return all_.empty(); }
    std::vector<violation> take() { return std::move(all_); }

private:
    static constexpr std::size_t most = 50;

    std::vector<violation> all_;
    std::map<rule, std::size_t> counts_;
};

void check_sequence(const judged& run, findings& found);    ///< ordered, unique, atomic, complete, resumable, bookmark
void check_genuine(const judged& run, findings& found);
void check_previous(const judged& run, findings& found);
void check_contents(const judged& run, findings& found);    ///< Of snapshots (atomic), after a resync, and at the end.
void check_fresh(const judged& run, findings& found);
void check_exclusive(const judged& run, findings& found);
void check_leases(const judged& run, findings& found);

/// Of what a revision changed, what the observer has to see.
std::vector<const event*> wanted(const observer& o, const std::vector<event>& changes);
/// Of these, what it has to be told of on its way from revision `had` to `upto`. A mirror follows the content: where its stream is
/// behind, or it has none, it asks whether that is still the same, and goes on behind the answer. A key that was created and deleted
/// meanwhile has then never been there for it. A watch sees each revision.
std::vector<const event*> owed(const judged& run, const observer& o, revision_t r, revision_t had, revision_t upto);
/// Whether etcd never got so far.
bool beyond_the_end(const judged& run, revision_t r);
/// The call that made a revision, for violation::operations; empty: no call has.
std::vector<std::size_t> maker(const judged& run, revision_t r);
/// The same in words: "\n  call 3 of ..."
std::string maker_in_words(const judged& run, revision_t r);

}  // namespace dynconf::testing
