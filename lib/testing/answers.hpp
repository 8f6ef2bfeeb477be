#pragma once

#include <dynconf/txn.hpp>

#include <cstdint>
#include <string>

namespace dynconf::testing {

/// Whether a call that was answered so has made the revision that the answer names.
enum class wrote : std::uint8_t { yes, no, unclear };
wrote has_written(const op& call, const op_response& answer);

/// A member may answer it from its own past: a serializable range, or a transaction of nothing else. So etcd, too, takes
/// a transaction without operations: its comparisons are those of the member.
bool is_serializable(const op& call);

revision_t revision_of(const op_response& answer);

/// The same key_value, as far as both were recorded: see known_state.
bool same(const key_value& recorded, const key_value& true_one);

/// In which way a recorded answer is not the one that etcd would have given, in words; empty: in none.
std::string difference(const op& call, const op_response& recorded, const op_response& true_one);

}  // namespace dynconf::testing
