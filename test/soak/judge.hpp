#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::test {

/// One transaction of a writer: `puts` all get `value`, which no other transaction writes; `deletes` go, if they are there.
struct written {
    std::string value;
    std::set<std::string> puts;      ///< Of the watched keys, at least one.
    std::set<std::string> deletes;
    std::optional<std::int64_t> revision;   ///< None: the outcome is unknown.
    std::chrono::steady_clock::time_point answered{};   ///< It was executed before.
};

/// Compares what `dynconf watch --json` has printed with what writers know to have happened. No I/O; single-threaded.
///
/// Its rules: one snapshot, then every revision of the prefix printed once, in order and whole; nothing that nobody wrote;
/// a resync only where a compaction (or another store) made it necessary, and never of the kind that repairs; nothing
/// acknowledged is missing; the content is etcd's at the end; and while the last printed state is `live`, each write
/// that was acknowledged more than `max_staleness + allowance` ago has been printed.
class watch_judge {
public:
    using clock = std::chrono::steady_clock;
    using content = std::map<std::string, std::string>;

    struct limits {
        std::chrono::milliseconds max_staleness{2'000};
        /// For the answer's and the line's way through sockets, a pipe and a busy scheduler.
        std::chrono::milliseconds allowance{250};
    };
    struct figures {
        std::size_t revisions = 0;     ///< Printed, as updates.
        std::size_t acknowledged = 0;
        std::size_t unknown = 0;
        std::size_t unknown_executed = 0;   ///< Of them, those that were printed.
        std::size_t resyncs = 0;
        std::size_t times_not_live = 0;
        std::chrono::milliseconds worst_age_live{0};      ///< Of an acknowledged write not yet printed while live.
        std::chrono::milliseconds worst_delay{0};         ///< From the acknowledgement to the line, in whatever state.
        std::chrono::milliseconds longest_not_live{0};
    };

    explicit watch_judge(limits l) : limits_(l) {}

    /// A line of the program, in the order of their reading.
    void on_line(clock::time_point at, std::string_view line);
    /// A write that has ended, in any order.
    void on_write(written w) { writes_.push_back(std::move(w)); }
    /// A compaction that was asked for, whether or not it was answered.
    void on_compaction(clock::time_point asked, std::int64_t revision) { compactions_.emplace_back(asked, revision); }
    /// The store was wiped or restored at that moment.
    void on_store_replaced(clock::time_point at) { replaced_.push_back(at); }

    /// The rest of the rules, with etcd's content after the last write; once. Returns the faults in plain words.
    std::vector<std::string> finish(const content& final_content, clock::time_point now);
    /// After finish().
    const figures& result() const noexcept { return figures_; }

private:
    struct printed_update {
        std::int64_t revision;
        std::string value;
        std::set<std::string> puts;
        std::set<std::string> deletes;
    };
    struct time_span {
        clock::time_point from, to;
    };
    struct resync_span {
        std::int64_t after, up_to;
        std::size_t updates;   ///< Printed before.
        content then;
    };

    void fault(std::string text);
    void on_state(clock::time_point at, const std::string& state);
    void check_resync(clock::time_point at, std::int64_t to, const std::string& reason);
    void check_history();
    void check_update(const written& w, const printed_update& u, const content& before);
    void check_age(clock::time_point now);

    limits limits_;
    figures figures_;
    std::vector<std::string> faults_;
    std::vector<written> writes_;
    std::vector<std::pair<clock::time_point, std::int64_t>> compactions_;
    std::vector<clock::time_point> replaced_;

    content content_;
    content first_content_;
    std::vector<printed_update> updates_;
    std::vector<resync_span> resyncs_;
    std::vector<std::pair<std::int64_t, clock::time_point>> covered_;   // up to this revision, from this moment on
    std::vector<time_span> live_;
    std::string state_;
    std::optional<clock::time_point> not_live_since_;
    std::optional<std::int64_t> snapshot_;
    std::int64_t at_ = 0;
};

}  // namespace dynconf::test
