#pragma once

#include "testing/history.hpp"

#include <array>
#include <string_view>
#include <utility>

// The words of the written form of a history, for the one who writes and the one who reads.

namespace dynconf::testing::file_words {

template <class T, std::size_t N>
using words = std::array<std::pair<T, std::string_view>, N>;

inline constexpr words<write_state, 3> states{{{write_state::executed, "executed"}, {write_state::not_executed, "not_executed"},
    {write_state::unknown, "unknown"}}};
inline constexpr words<comparison::target, 5> targets{{{comparison::target::version, "version"},
    {comparison::target::create_revision, "create_revision"}, {comparison::target::mod_revision, "mod_revision"},
    {comparison::target::value, "value"}, {comparison::target::lease, "lease"}}};
inline constexpr words<comparison::relation, 4> relations{{{comparison::relation::equal, "="}, {comparison::relation::not_equal, "!="},
    {comparison::relation::less, "<"}, {comparison::relation::greater, ">"}}};
inline constexpr words<sort_order, 3> orders{{{sort_order::none, "none"}, {sort_order::ascend, "ascend"}, {sort_order::descend, "descend"}}};
inline constexpr words<sort_target, 5> sort_targets{{{sort_target::key, "key"}, {sort_target::version, "version"},
    {sort_target::create, "create"}, {sort_target::mod, "mod"}, {sort_target::value, "value"}}};
inline constexpr words<lease_operation::kind, 3> lease_kinds{{{lease_operation::kind::grant, "grant"},
    {lease_operation::kind::keep_alive, "keep_alive"}, {lease_operation::kind::revoke, "revoke"}}};
inline constexpr words<observer::kind, 3> observer_kinds{{{observer::kind::watch, "watch"}, {observer::kind::mirror, "mirror"},
    {observer::kind::snapshots, "snapshots"}}};
inline constexpr words<sight::kind, 8> sight_kinds{{{sight::kind::started, "started"}, {sight::kind::batch, "batch"},
    {sight::kind::bookmark, "bookmark"}, {sight::kind::snapshot, "snapshot"}, {sight::kind::resync, "resync"},
    {sight::kind::live, "live"}, {sight::kind::stale, "stale"}, {sight::kind::ended, "ended"}}};
inline constexpr words<mirror_step::reason, 5> reasons{{{mirror_step::reason::none, "none"}, {mirror_step::reason::compacted, "compacted"},
    {mirror_step::reason::store_replaced, "store_replaced"}, {mirror_step::reason::repaired, "repaired"},
    {mirror_step::reason::key_missing, "key_missing"}}};
inline constexpr words<ending, 4> endings{{{ending::left, "left"}, {ending::history_lost, "history_lost"}, {ending::refused, "refused"},
    {ending::failed, "failed"}}};
inline constexpr words<event::kind, 2> event_kinds{{{event::kind::put, "put"}, {event::kind::erase, "delete"}}};

}  // namespace dynconf::testing::file_words
