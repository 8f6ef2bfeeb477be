#pragma once

#include <dynconf/bulk.hpp>

#include <span>
#include <vector>

namespace dynconf::policy {

/// Which operations go into which transaction, in their order. An error that names the culprit for an empty key, one that
/// is put twice, an operation that is too large for any transaction, or more than one transaction where that is not wanted.
/// At etcd each key is longer by `prefix` bytes, and none is empty then; each value by `seal`.
result<std::vector<bulk_part>> bulk_plan(std::span<const op> ops, const bulk_options& options, std::size_t prefix = 0, std::size_t seal = 0);

}  // namespace dynconf::policy
