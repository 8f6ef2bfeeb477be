#pragma once

#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::policy {

/// The keys that begin with a prefix, named without it; with the empty prefix all that etcd has.
///
/// What is sent goes through to_etcd(), whose results hold no key without the prefix, whatever was asked for: a range
/// without an end ends with the prefix. What is answered goes through from_etcd(), which leaves out what does not begin
/// with the prefix. The order of keys is the same on both sides.
class key_space {
public:
    key_space() = default;
    explicit key_space(std::string prefix) : prefix_(std::move(prefix)) {}

    /// What a key is longer by at etcd.
    std::size_t prefix_size() const noexcept { return prefix_.size(); }

    std::string to_etcd(std::string key) const;
    key_range to_etcd(const key_range& keys) const;
    std::vector<key_range> to_etcd(std::vector<key_range> ranges) const;
    comparison to_etcd(comparison c) const;
    /// With those within.
    txn to_etcd(txn what) const;

    void from_etcd(std::vector<std::string>& keys) const;
    void from_etcd(std::vector<event>& events) const;
    void from_etcd(range_response& answer) const;
    void from_etcd(put_response& answer) const;
    void from_etcd(delete_response& answer) const;
    /// With those within.
    void from_etcd(txn_response& answer) const;

private:
    op to_etcd(const op& o) const;

    std::string prefix_;
};

}  // namespace dynconf::policy
