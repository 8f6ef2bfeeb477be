#pragma once

#include "policy/backoff.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace dynconf::policy {

/// Which endpoint of a client to use, and when to look again at those that failed. An endpoint is up until something
/// fails there; then it is ejected, for longer each time, until a call or a probe of it works. Endpoints are numbered in
/// the configured order, in which they are preferred until prefer() says otherwise. Once there are any, one at least is
/// not retired.
class endpoint_health {
public:
    using time_point = backoff::time_point;
    struct probe { std::size_t index; time_point when; };

    /// `options` hold for the ejections of each endpoint, and for the tries while all are ejected.
    endpoint_health(std::size_t count, backoff_options options, random_source random);

    /// The current one while it is up. Else the first that is up, which then is the current one; one that only a probe
    /// says to be up comes after those that never failed, for what fails there may be what no probe sees. When none is up:
    /// one that answered all the same (see `answered`), else the one that was tried the longest time ago. Not before add()
    /// where the count was none.
    std::size_t choose() noexcept;
    /// The next one in the order of preference that is up, going round: where to go on with what was too slow at `index`.
    /// That one itself where no other is up.
    std::size_t next_after(std::size_t index) const noexcept;
    /// Makes the first that is up the current one: a member that came back is returned to.
    void return_to_first() noexcept;

    /// A try that began at `began` failed. Ejects, unless that is old news: the endpoint failed already since, or served
    /// a try that began later. So ten calls that one member fails count once. True when it was ejected by this.
    bool failed(std::size_t index, time_point began, time_point now);
    /// A try worked. True when this ended an ejection.
    bool succeeded(std::size_t index, time_point began, time_point now);
    /// The same of a probe.
    bool probe_worked(std::size_t index, time_point began, time_point now);
    /// It served what a member can without a leader: no reason to readmit it, but to prefer it while all are ejected.
    void answered(std::size_t index) noexcept { all_[index].answers = true; }

    /// Those of `first` are preferred to all others, in that order; the others in that of their numbers.
    void prefer(const std::vector<std::size_t>& first);

    /// The ejected endpoint to probe next; none when all are up, or none is there. While another is up each has times of
    /// its own. While none is they take turns, and the pause is one for all, so that their number does not multiply the
    /// tries.
    std::optional<probe> next_probe() const noexcept;
    /// To be told when a probe begins: the next one is due a longer pause later, whatever becomes of this one.
    void probe_started(std::size_t index, time_point now);

    /// One more endpoint, the least preferred, up; its number.
    std::size_t add();
    /// It is no longer, or again, to be used. The last one cannot be retired.
    void retire(std::size_t index);
    void restore(std::size_t index) noexcept;

    bool is_up(std::size_t index) const noexcept { return all_[index].up && !all_[index].retired; }
    /// Something worked there since it failed last.
    bool is_proven(std::size_t index) const noexcept { return all_[index].good_since > all_[index].failed_at; }
    bool is_retired(std::size_t index) const noexcept { return all_[index].retired; }
    bool all_down() const noexcept;
    /// Those that are not retired.
    std::size_t count() const noexcept;

private:
    struct member {
        backoff ejections;
        bool up = true;
        bool retired = false;
        bool suspect = false;                        // no call has worked there since it failed
        bool answers = false;                        // since it failed last
        time_point failed_at = time_point::min();    // counted or not
        time_point good_since = time_point::min();   // when the last try began that worked
        time_point tried_at = time_point::min();
        time_point probe_at{};
    };

    std::optional<std::size_t> first_up(bool suspects = true) const noexcept;
    std::size_t longest_untried() const noexcept;
    void outage_begins(time_point now);

    backoff_options options_;
    random_source random_;
    std::vector<member> all_;
    std::vector<std::size_t> order_;   // the numbers, the preferred first
    std::size_t current_ = 0;
    backoff outage_;
    time_point outage_probe_at_{};
};

}  // namespace dynconf::policy
