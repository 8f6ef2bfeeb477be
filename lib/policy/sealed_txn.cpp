#include "policy/sealed_txn.hpp"

#include "wire/overloaded.hpp"
#include "wire/quote.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

namespace {

/// The transaction with another comparison or operation in place of each, those within first of all.
template <class Compare, class Operation>
txn rebuilt(const txn& what, Compare& compare, Operation& operation) {
    const auto within = [&](const op& o) {
        if (const auto* inner = std::get_if<op::txn_op>(&o.what())) return op::txn(rebuilt(*inner->what, compare, operation));
        return operation(o);
    };
    txn out;
    for (const comparison& c : what.compares())
        if (std::optional<comparison> other = compare(c)) out.if_(std::move(*other));
    for (const op& o : what.success()) out.then(within(o));
    for (const op& o : what.failure()) out.else_(within(o));
    return out;
}

constexpr auto same = [](const auto& what) { return what; };

key_range range_of(const comparison& c) {
    return key_range::raw(c.key, c.range_end);
}

bool holds(const comparison& c, const std::string& value) {
    switch (c.is) {
        case comparison::relation::equal: return value == c.bytes;
        case comparison::relation::not_equal: return value != c.bytes;
        case comparison::relation::less: return value < c.bytes;
        case comparison::relation::greater: return value > c.bytes;
    }
    return false;
}

/// No version is negative, neither of a key that exists nor of one that does not.
comparison never(const comparison& c) { return version_of(c.key) < 0; }

struct verdict {
    bool holds = false;
    std::vector<comparison> guards;   ///< As long as these hold.
};

result<verdict> judge(const comparison& c, const range_response& read) {
    verdict v;
    const key_range keys = range_of(c);
    if (read.kvs.empty()) {   // a condition on the value of no key does not hold
        v.guards.push_back(version_of(keys) == 0);
        return v;
    }
    for (const key_value& kv : read.kvs) {
        if (kv.unreadable) return error{kv.unreadable, "a comparison of the value of " + wire::quote(kv.key)};
        if (holds(c, kv.value)) continue;
        v.guards.push_back(mod_revision_of(kv.key) == kv.mod_revision);   // this one is enough
        return v;
    }
    v.holds = true;
    if (keys.is_single_key()) {
        v.guards.push_back(mod_revision_of(keys) == read.kvs.front().mod_revision);
        return v;
    }
    // Where keys are deleted the others still are as they should be, unless none is left.
    v.guards.push_back(mod_revision_of(keys) < read.header.revision + 1);
    v.guards.push_back(version_of(keys) > 0);
    return v;
}

}  // namespace

std::string sealed_value(std::string_view key, std::string value, const put_options& options, const key_ring& keys) {
    return options.ignore_value ? value : keys.seal(key, value);
}

txn with_sealed_puts(const txn& what, const key_ring& keys) {
    const auto compare = [](const comparison& c) { return std::optional(c); };
    const auto seal = [&keys](const op& o) {
        const auto* put = std::get_if<op::put_op>(&o.what());
        return put ? op::put(put->key, sealed_value(put->key, put->value, put->options, keys), put->options) : o;
    };
    return rebuilt(what, compare, seal);
}

bool sorts_by_value(const range_options& o) noexcept { return o.target == sort_target::value && o.order != sort_order::none; }

bool sorts_by_value(const txn& what) noexcept {
    const auto does = [](const op& o) {
        return std::visit(wire::overloaded{
            [](const op::range_op& r) { return sorts_by_value(r.options); },
            [](const op::txn_op& t) { return sorts_by_value(*t.what); },
            [](const auto&) { return false; },
        }, o.what());
    };
    return std::any_of(what.success().begin(), what.success().end(), does) || std::any_of(what.failure().begin(), what.failure().end(), does);
}

value_comparisons::value_comparisons(const txn& what) {
    const auto note = [this](const comparison& c) {
        if (c.what == comparison::target::value) ranges_.push_back(range_of(c));
        return std::optional(c);
    };
    (void)rebuilt(what, note, same);
}

result<txn> value_comparisons::decided(const txn& what, const std::vector<range_response>& read) const {
    std::vector<comparison> guards;
    std::optional<error> unreadable;
    auto next = read.begin();
    const auto decide = [&](const comparison& c) -> std::optional<comparison> {
        if (c.what != comparison::target::value) return c;
        auto found = judge(c, *next++);
        if (!found) {
            unreadable = found.error();
            return std::nullopt;
        }
        guards.insert(guards.end(), found->guards.begin(), found->guards.end());
        if (found->holds) return std::nullopt;
        return never(c);
    };
    txn plain = rebuilt(what, decide, same);
    if (unreadable) return std::move(*unreadable);
    txn whole;
    for (comparison& g : guards) whole.if_(std::move(g));
    whole.then(op::txn(std::move(plain)));
    return whole;
}

}  // namespace dynconf::policy
