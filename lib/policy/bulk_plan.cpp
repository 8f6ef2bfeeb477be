#include "policy/bulk_plan.hpp"

#include "wire/overloaded.hpp"
#include "wire/quote.hpp"

#include <string_view>
#include <unordered_set>

namespace dynconf::policy {

namespace {

struct weighed {
    std::string_view key;
    std::size_t bytes;
    bool puts;
};

constexpr std::size_t around = 32;   // field tags, lengths and flags in protobuf

/// What is longer at etcd: keys, and values that are put.
struct additions { std::size_t prefix, seal; };

std::size_t bytes_of(const txn& t, additions more);

std::size_t bytes_of(const key_range& r, additions more) { return r.first().size() + r.range_end().size() + 2 * more.prefix; }

weighed weigh(const op& o, additions more) {
    return std::visit(wire::overloaded{
        [=](const op::put_op& p) { return weighed{p.key, p.key.size() + more.prefix + p.value.size() + more.seal + around, true}; },
        [=](const op::range_op& r) { return weighed{r.range.first(), bytes_of(r.range, more) + around, false}; },
        [=](const op::delete_op& d) { return weighed{d.range.first(), bytes_of(d.range, more) + around, false}; },
        [=](const op::txn_op& t) { return weighed{"a transaction", bytes_of(*t.what, more) + around, false}; },
    }, o.what());
}

std::size_t bytes_of(const txn& t, additions more) {
    std::size_t sum = 0;
    for (const comparison& c : t.compares()) sum += c.key.size() + c.range_end.size() + 2 * more.prefix + c.bytes.size() + around;
    for (const op& o : t.success()) sum += weigh(o, more).bytes;
    for (const op& o : t.failure()) sum += weigh(o, more).bytes;
    return sum;
}

}  // namespace

result<std::vector<bulk_part>> bulk_plan(std::span<const op> ops, const bulk_options& options, std::size_t prefix, std::size_t seal) {
    if (options.max_ops == 0) return error{errc::invalid_argument, "bulk_options::max_ops is 0"};
    std::vector<bulk_part> parts;
    std::unordered_set<std::string_view> put;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < ops.size(); ++i) {
        const weighed w = weigh(ops[i], additions{prefix, seal});
        const auto called = [&] { return "operation " + std::to_string(i) + ", " + wire::quote(w.key); };
        if (w.key.empty() && prefix == 0) return error{server_errc::empty_key, "operation " + std::to_string(i)};
        if (w.puts && !put.insert(w.key).second) return error{server_errc::duplicate_key, called()};
        if (w.bytes > options.max_bytes) return error{server_errc::request_too_large, called() + " has " + std::to_string(w.bytes) + " bytes"};
        if (parts.empty() || parts.back().count == options.max_ops || bytes + w.bytes > options.max_bytes) {
            bulk_part& next = parts.emplace_back();
            next.first = i;
            bytes = 0;
        }
        ++parts.back().count;
        bytes += w.bytes;
    }
    if (parts.size() <= 1 || options.split) return parts;
    if (ops.size() > options.max_ops)
        return error{server_errc::too_many_ops, std::to_string(ops.size()) + " operations, and not to be split"};
    return error{server_errc::request_too_large, "more than " + std::to_string(options.max_bytes) + " bytes, and not to be split"};
}

}  // namespace dynconf::policy
