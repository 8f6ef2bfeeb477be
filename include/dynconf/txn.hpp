#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace dynconf {

/// A condition on one key, for `txn::if_`: `version_of("/leader") == 0`. On a range it has to hold for each of its keys; a
/// range without keys is treated as one key that does not exist: `version_of(key_range::prefix("/jobs/")) == 0` says that
/// there are none, and a condition on a value does not hold.
struct comparison {
    enum class target : std::uint8_t { version, create_revision, mod_revision, value, lease };
    enum class relation : std::uint8_t { equal, not_equal, less, greater };

    std::string key;
    target what = target::version;
    relation is = relation::equal;
    std::int64_t number = 0;   ///< For every target but `value`.
    std::string bytes;         ///< For `value`.
    std::string range_end = {};   ///< As key_range's; empty: one key.
    bool absolute = false;        ///< The key is etcd's own name, also in a transaction of a view: that of a claim.
};

namespace detail {

template <class Operand>
struct comparand {
    comparison base;

    friend comparison operator==(comparand c, Operand v) { return std::move(c).with(comparison::relation::equal, std::move(v)); }
    friend comparison operator!=(comparand c, Operand v) { return std::move(c).with(comparison::relation::not_equal, std::move(v)); }
    friend comparison operator<(comparand c, Operand v) { return std::move(c).with(comparison::relation::less, std::move(v)); }
    friend comparison operator>(comparand c, Operand v) { return std::move(c).with(comparison::relation::greater, std::move(v)); }

    comparison with(comparison::relation r, Operand v) && {
        base.is = r;
        if constexpr (std::is_same_v<Operand, std::string>) base.bytes = std::move(v);
        else base.number = v;
        return std::move(base);
    }
};

template <class Operand>
comparand<Operand> compare(const key_range& keys, comparison::target what) {
    comparand<Operand> c;
    c.base.key = keys.lowest();
    c.base.range_end = keys.range_end();
    c.base.what = what;
    return c;
}

}  // namespace detail

/// 0 means "the key does not exist".
inline auto version_of(const key_range& keys) { return detail::compare<std::int64_t>(keys, comparison::target::version); }
inline auto create_revision_of(const key_range& keys) { return detail::compare<std::int64_t>(keys, comparison::target::create_revision); }
inline auto mod_revision_of(const key_range& keys) { return detail::compare<std::int64_t>(keys, comparison::target::mod_revision); }
inline auto lease_of(const key_range& keys) { return detail::compare<std::int64_t>(keys, comparison::target::lease); }
inline auto value_of(const key_range& keys) { return detail::compare<std::string>(keys, comparison::target::value); }
inline auto version_of(std::string key) { return version_of(key_range::key(std::move(key))); }
inline auto create_revision_of(std::string key) { return create_revision_of(key_range::key(std::move(key))); }
inline auto mod_revision_of(std::string key) { return mod_revision_of(key_range::key(std::move(key))); }
inline auto lease_of(std::string key) { return lease_of(key_range::key(std::move(key))); }
inline auto value_of(std::string key) { return value_of(key_range::key(std::move(key))); }

class txn;

/// One operation inside a transaction.
class op {
public:
    struct range_op { key_range range; range_options options; };
    struct put_op { std::string key; std::string value; put_options options; };
    struct delete_op { key_range range; delete_options options; };
    struct txn_op { std::shared_ptr<const dynconf::txn> what; };

    static op range(key_range r, range_options o = {}) { return op(range_op{std::move(r), o}); }
    static op put(std::string key, std::string value, put_options o = {}) { return op(put_op{std::move(key), std::move(value), o}); }
    static op delete_range(key_range r, delete_options o = {}) { return op(delete_op{std::move(r), o}); }
    /// A transaction within the transaction, at the same revision. Both together may not put a key twice, and what etcd
    /// allows a transaction (128 operations by default) is shared by the levels.
    static op txn(dynconf::txn inner);

    const std::variant<range_op, put_op, delete_op, txn_op>& what() const noexcept { return what_; }

private:
    explicit op(std::variant<range_op, put_op, delete_op, txn_op> what) : what_(std::move(what)) {}

    std::variant<range_op, put_op, delete_op, txn_op> what_;
};

/// If every comparison holds, `then` is executed, otherwise `else_`: at one revision, whole or not at all.
class txn {
public:
    txn() {}   // user-provided on purpose: g++ 12 copies aggregates bitwise in expressions with co_await

    txn&& if_(comparison c) && { compares_.push_back(std::move(c)); return std::move(*this); }
    txn&& then(op o) && { success_.push_back(std::move(o)); return std::move(*this); }
    txn&& else_(op o) && { failure_.push_back(std::move(o)); return std::move(*this); }
    txn& if_(comparison c) & { compares_.push_back(std::move(c)); return *this; }
    txn& then(op o) & { success_.push_back(std::move(o)); return *this; }
    txn& else_(op o) & { failure_.push_back(std::move(o)); return *this; }

    const std::vector<comparison>& compares() const noexcept { return compares_; }
    const std::vector<op>& success() const noexcept { return success_; }
    const std::vector<op>& failure() const noexcept { return failure_; }
    /// No branch, nor one of a transaction within, holds a put or a delete.
    DYNCONF_API bool read_only() const noexcept;

private:
    std::vector<comparison> compares_;
    std::vector<op> success_;
    std::vector<op> failure_;
};

inline op op::txn(dynconf::txn inner) { return op(txn_op{std::make_shared<const dynconf::txn>(std::move(inner))}); }

struct op_response;

struct txn_response {
    response_header header;
    bool succeeded = false;   ///< The comparisons held: `responses` are those of `then`.
    /// One for each operation of the executed branch. Their headers hold at most a revision.
    std::vector<op_response> responses;
};

/// What one operation of a transaction was answered. A class of its own because transactions may nest.
struct op_response : std::variant<range_response, put_response, delete_response, txn_response> {
    using variant::variant;
};

}  // namespace dynconf
