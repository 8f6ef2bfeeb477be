#pragma once

#include <dynconf/detail/export.hpp>

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf {

/// etcd's global counter of changes. 0 means "none" or "the newest".
using revision_t = std::int64_t;
/// 0 means "no lease".
using lease_id = std::int64_t;

/// What every answer of etcd says about who gave it and when.
struct response_header {
    std::uint64_t cluster_id = 0;
    std::uint64_t member_id = 0;
    revision_t revision = 0;
    std::uint64_t raft_term = 0;
};

/// A key with its value and metadata. Keys and values are bytes, not text.
struct key_value {
    std::string key;
    std::string value;
    revision_t create_revision = 0;
    revision_t mod_revision = 0;
    std::int64_t version = 0;
    lease_id lease = 0;
    /// Why the value, which is empty here, could not be opened (client::sealed): one of errc::not_sealed, unsupported_seal,
    /// unknown_key_id, key_unavailable, seal_broken. Else no error.
    boost::system::error_code unreadable{};

    friend bool operator==(const key_value&, const key_value&) = default;
};

/// One change of one key.
struct event {
    enum class kind : std::uint8_t { put, erase };

    kind type = kind::put;
    key_value kv;                       ///< For an erase only `key` and `mod_revision` are set.
    std::optional<key_value> prev_kv;   ///< Only when it was asked for and not compacted.

    bool is_create() const noexcept { return type == kind::put && kv.create_revision == kv.mod_revision; }
    friend bool operator==(const event&, const event&) = default;
};

/// A set of keys: one key, a prefix, or a half-open interval.
class key_range {
public:
    /// Exactly this key.
    static key_range key(std::string key) { return {std::move(key), {}}; }
    /// Every key that starts with `prefix`; an empty prefix is every key.
    DYNCONF_API static key_range prefix(std::string prefix);
    /// The keys k with first <= k < last: none unless first < last, whatever bytes they are.
    DYNCONF_API static key_range interval(std::string first, std::string last);
    /// `first` and every key after it. The empty key stands for the first of all, here as in `interval`.
    static key_range from(std::string first) { return {std::move(first), std::string(1, '\0')}; }
    static key_range all() { return from({}); }
    /// In etcd's own words: an empty `range_end` says a single key, one zero byte says no end.
    static key_range raw(std::string key, std::string range_end) { return {std::move(key), std::move(range_end)}; }
    /// The smallest range that holds both.
    DYNCONF_API static key_range cover(const key_range& a, const key_range& b);

    /// etcd's `key`: the first key. One zero byte where the range begins with the first key of all.
    DYNCONF_API const std::string& first() const noexcept;
    /// The key that no key of the range is less than: `first()`, or the empty one, which only a view can have
    /// (client::within).
    const std::string& lowest() const noexcept { return first_; }
    /// etcd's `range_end`: empty for a single key, one zero byte for "no end".
    const std::string& range_end() const noexcept { return range_end_; }
    bool is_single_key() const noexcept { return range_end_.empty(); }
    DYNCONF_API bool contains(std::string_view key) const noexcept;
    /// The part of this range behind `key`, which is in it: to go on after the last key of an answer that was cut.
    DYNCONF_API key_range after(std::string_view key) const;

    /// The same to etcd: the same `first()` and `range_end()`.
    friend bool operator==(const key_range& a, const key_range& b) noexcept {
        return a.first() == b.first() && a.range_end_ == b.range_end_;
    }

private:
    key_range(std::string first, std::string range_end)
        : first_(std::move(first)), range_end_(std::move(range_end)) {}

    std::string first_;
    std::string range_end_;
};

enum class sort_order : std::uint8_t { none, ascend, descend };
enum class sort_target : std::uint8_t { key, version, create, mod, value };

/// How current what is read has to be.
enum class consistency : std::uint8_t {
    linearizable,   ///< With all that was confirmed before the call; etcd needs a leader for it.
    serializable,   ///< What the asked member has, which may be old; a member without a leader answers, too.
};

/// Options of one call are trivially copyable: see docs/design.md, "g++ 12".
struct range_options {
    std::int64_t limit = 0;              ///< 0: no limit.
    revision_t revision = 0;             ///< 0: the newest.
    sort_order order = sort_order::none; ///< `none` is key order; any other makes the server read the whole range.
    sort_target target = sort_target::key;
    consistency read = consistency::linearizable;
    bool keys_only = false;
    bool count_only = false;
    revision_t min_mod_revision = 0;
    revision_t max_mod_revision = 0;
    revision_t min_create_revision = 0;
    revision_t max_create_revision = 0;
};

struct range_response {
    response_header header;
    std::vector<key_value> kvs;
    bool more = false;        ///< The limit cut the answer.
    std::int64_t count = 0;   ///< Keys in the range, whatever the limit.
};

struct put_options {
    lease_id lease = 0;
    bool prev_kv = false;
    bool ignore_value = false;  ///< Keep the value, change the lease; the key must exist.
    bool ignore_lease = false;  ///< Keep the lease, change the value; the key must exist.
};

struct put_response {
    response_header header;
    std::optional<key_value> prev_kv;
};

struct delete_options {
    bool prev_kv = false;
    bool everything = false;    ///< Allows to delete all keys of etcd, or of the view.
};

struct delete_response {
    response_header header;
    std::int64_t deleted = 0;
    std::vector<key_value> prev_kvs;
};

/// What one member says of itself.
struct status_response {
    response_header header;
    std::string version;
    std::int64_t db_size = 0;         ///< Bytes allocated.
    std::int64_t db_size_in_use = 0;  ///< Bytes in use.
    std::uint64_t leader = 0;         ///< 0: it knows none.
    std::uint64_t raft_index = 0;
    std::uint64_t raft_term = 0;
    std::uint64_t raft_applied_index = 0;
    std::vector<std::string> errors;  ///< Alarms and "etcdserver: no leader".
    bool is_learner = false;
};

}  // namespace dynconf
