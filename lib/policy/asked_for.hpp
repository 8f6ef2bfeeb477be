#pragma once

#include <dynconf/error.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include <optional>
#include <string>
#include <vector>

// Whether an answer is one to the question; an error where it is not. Who asks for one key takes the value that comes for
// that key's, and a sealed value is bound to the name that the answer gives it: a server could pass off another key's. Who
// reads page by page would never end. All keys by etcd's own names.

namespace dynconf::policy {

/// Keys of the range, no more than the limit, in the order that was asked for; and more of them only behind a full page.
std::optional<error> not_asked_for(const range_response& answer, const key_range& keys, const range_options& options);
std::optional<error> not_asked_for(const put_response& answer, const std::string& key);
std::optional<error> not_asked_for(const delete_response& answer, const key_range& keys);
/// Changes of the range's keys, each with the value before of that very key.
std::optional<error> not_asked_for(const std::vector<event>& events, const key_range& keys);
/// As far as the answers are those to the operations: what is missing, or of another kind, is for whoever reads them.
std::optional<error> not_asked_for(const txn_response& answer, const txn& what);

}  // namespace dynconf::policy
