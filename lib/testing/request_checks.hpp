#pragma once

#include "testing/requests.hpp"

#include <cstddef>

// What etcd refuses by the looks of a request alone, thrown as `refusal`.

namespace dynconf::testing {

/// `knows_sorts`: orders and targets without a name are refused, as since 3.6.
void check(const range_request& r, bool knows_sorts);
void check(const put_request& r);
void check(const delete_request& r);
/// Also that no key is written twice.
void check(const txn_request& r, std::size_t max_ops, bool knows_sorts);

}  // namespace dynconf::testing
