#pragma once

#include <dynconf/key_ring.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include <functional>
#include <optional>
#include <vector>

// What has to be done to a transaction whose values are sealed. Keys are etcd's own.

namespace dynconf::policy {

/// Each put with its value sealed.
txn with_sealed_puts(const txn& what, const key_ring& keys);
/// The same for one value; nothing to seal where the put keeps the old one.
std::string sealed_value(std::string_view key, std::string value, const put_options& options, const key_ring& keys);

/// Sorts by value, somewhere.
bool sorts_by_value(const range_options& o) noexcept;
bool sorts_by_value(const txn& what) noexcept;

/// What etcd cannot compare: all comparisons of values, of the transactions within, too. Each of them is decided by what was
/// read, and stays so as long as its `guards` hold. All comparisons of a transaction look at the content before it.
class value_comparisons {
public:
    explicit value_comparisons(const txn& what);

    bool none() const noexcept { return ranges_.empty(); }
    /// What to read, in this order.
    const std::vector<key_range>& ranges() const noexcept { return ranges_; }

    /// The transaction without comparisons of values, executed only if what decided them has not changed since it was read.
    /// `read` has an answer for each range. An error where a value that counts is unreadable.
    result<txn> decided(const txn& what, const std::vector<range_response>& read) const;

private:
    std::vector<key_range> ranges_;   // one for each comparison, in the order of walk()
};

}  // namespace dynconf::policy
