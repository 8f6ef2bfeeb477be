#pragma once

#include "testing/history.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::testing {

/// What a run has to keep to.
enum class rule : std::uint8_t {
    linearizable,   ///< Every answer is one that etcd gives when it executes the calls one by one, each while it was under way.
    genuine,        ///< What is seen was written, and not before; nothing is beyond the end.
    ordered,        ///< Revisions are seen in ascending order.
    unique,         ///< None is seen twice, and no content published twice.
    atomic,         ///< A revision is seen whole or not at all; a snapshot is the content at its revision.
    complete,       ///< None is missing.
    resumable,      ///< A stream that begins again goes on exactly where it was told to.
    previous,       ///< Previous values are those that the keys had.
    bookmark,       ///< What was said to be over has been seen, and does not come any more.
    resync,         ///< Only when history was lost, and only for the reason that it had; a watch ends for no other.
    final_content,  ///< In the end, and in each lull, everybody has etcd's content.
    fresh,          ///< Nobody is live without what anybody was told of longer than `max_staleness` ago.
    exclusive,      ///< No two hold a lock at once, and one has written all it wrote before the other one writes.
    lease,          ///< A key outlives its lease's last answered keep-alive by the TTL.
};

std::string_view name_of(rule r) noexcept;

struct violation {
    rule broken;
    std::string words;                     ///< One line or more, for people.
    std::vector<std::size_t> operations;   ///< Of history::operations, those in question.
};

struct check_options {
    std::chrono::milliseconds max_staleness{30'000};
    /// For the way of an answer and of a sight through a busy machine; 0 in simulated time.
    std::chrono::milliseconds allowance{0};
    /// The search for an order of the calls tries so many states, then says that it is undecided: as a violation.
    std::size_t search_limit = 2'000'000;
};

/// All rules; empty: the run is right. At most 50 violations of each rule. Pure: no I/O, no clock.
std::vector<violation> check(const history& h, const check_options& options = {});

}  // namespace dynconf::testing
