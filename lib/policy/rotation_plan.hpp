#pragma once

#include <dynconf/rotation.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dynconf::policy {

/// What a stored value is, and what it has to become.
struct stored_look {
    enum class kind : std::uint8_t { sealed, foreign, plain };

    kind what = kind::plain;
    std::string name = {};          ///< Of the key or the format.
    bool rewrite = false;           ///< It belongs under the ring's key.
    std::string replacement = {};   ///< Then what to write; not in a dry run.
    error why = {};                 ///< With a code: it cannot be opened.
};

struct rotation_bounds {
    bool dry_run = false;
    std::size_t batch = 32;
    std::size_t batch_bytes = std::size_t{512} << 10;   ///< Of keys and values in one transaction that has more than one.
    std::int64_t values_per_page = 256;
    std::int64_t names_per_page = 10'000;
    unsigned passes = 16;
    unsigned tries = 16;                                ///< For one value that others change each time.
};

/// The steps of a rotation. The first pass lists all values; each further one the names of what has changed since the one before
/// began, less what this rotation wrote itself, and reads those. A pass with something to rewrite is followed by another.
class rotation_plan {
public:
    using look = std::function<stored_look(const std::string& key, const std::string& value)>;

    rotation_plan(key_range range, rotation_bounds bounds, look how);

    struct list { key_range keys; range_options options; };
    struct read { std::vector<std::string> keys; };
    struct rewrite { std::string key; revision_t seen = 0; std::string value; };
    struct write { std::vector<rewrite> items; };
    struct finished {};
    using step = std::variant<list, read, write, finished>;
    /// What to do now. Its answer goes to the function below it.
    step next();

    void listed(const range_response& page);
    /// What the keys of `read` are now; none where one does not exist.
    void was_read(const std::vector<std::optional<key_value>>& now);
    /// What became of an item of `write`: it was written, or its key has changed since and is `now`.
    struct fate { bool written = false; std::optional<key_value> now = {}; };
    void wrote(revision_t at, const std::vector<fate>& fates);
    /// The whole write was refused as too large.
    void too_large(const error& why);

    const rotation_report& report() const noexcept { return report_; }

private:
    struct waiting { rewrite what; unsigned tries = 0; bool alone = false; };

    void see(const key_value& kv);
    void see_again(waiting item, const key_value& now);
    void count(const stored_look& seen);
    void unresolved(const std::string& key, const error& why);
    void resolved(const std::string& key);
    void begin_pass();

    const rotation_bounds bounds_;
    const look look_;
    const key_range range_;
    rotation_report report_;
    std::map<std::string, error> problems_;

    // the pass
    std::optional<key_range> rest_;        // still to be listed
    revision_t began_at_ = 0;              // 0: nothing of this pass was listed yet
    bool found_some_ = false;              // to rewrite
    std::set<revision_t> own_;             // of all that was written here
    std::deque<std::string> changed_;      // to be read
    std::vector<std::string> asked_;
    std::deque<waiting> waiting_;
    std::vector<waiting> under_way_;
};

}  // namespace dynconf::policy
