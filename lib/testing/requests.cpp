#include "testing/requests.hpp"

#include <bit>
#include <string_view>

namespace dynconf::testing {
namespace {

std::size_t varint(std::uint64_t v) { return v == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(v)) + 6) / 7; }
std::size_t field(std::int64_t v) { return v == 0 ? 0 : 1 + varint(static_cast<std::uint64_t>(v)); }
std::size_t field(bool v) { return v ? 2 : 0; }
std::size_t field(std::string_view v) { return v.empty() ? 0 : 1 + varint(v.size()) + v.size(); }
std::size_t message(std::size_t size) { return 1 + varint(size) + size; }

std::size_t size_of(const range_request& r) {
    return field(r.key) + field(r.range_end) + field(r.limit) + field(r.revision) + field(std::int64_t{r.sort_order})
        + field(std::int64_t{r.sort_target}) + field(r.serializable) + field(r.keys_only) + field(r.count_only)
        + field(r.min_mod_revision) + field(r.max_mod_revision) + field(r.min_create_revision) + field(r.max_create_revision);
}

std::size_t size_of(const delete_request& r) { return field(r.key) + field(r.range_end) + field(r.prev_kv); }

std::size_t size_of(const compare& c) {
    return field(static_cast<std::int64_t>(c.result)) + field(static_cast<std::int64_t>(c.what)) + field(c.key)
        + field(c.number) + field(c.value) + field(c.range_end);
}

std::size_t size_of(const op_request& o) {
    struct {
        std::size_t operator()(std::monostate) const { return 0; }
        std::size_t operator()(const range_request& r) const { return message(size_of(r)); }
        std::size_t operator()(const put_request& r) const { return message(proto_size(r)); }
        std::size_t operator()(const delete_request& r) const { return message(size_of(r)); }
        std::size_t operator()(const std::shared_ptr<const txn_request>& r) const { return message(proto_size(*r)); }
    } visitor;
    return std::visit(visitor, o);
}

std::size_t size_of(const key_value& kv) {
    return field(kv.key) + field(kv.create_revision) + field(kv.mod_revision) + field(kv.version) + field(kv.value)
        + field(kv.lease);
}

}  // namespace

std::size_t proto_size(const put_request& r) {
    return field(r.key) + field(r.value) + field(r.lease) + field(r.prev_kv) + field(r.ignore_value) + field(r.ignore_lease);
}

std::size_t proto_size(const txn_request& r) {
    std::size_t total = 0;
    for (const compare& c : r.compares) total += message(size_of(c));
    for (const op_request& o : r.success) total += message(size_of(o));
    for (const op_request& o : r.failure) total += message(size_of(o));
    return total;
}

std::size_t proto_size(const change& c, bool with_previous) {
    return field(c.erased()) + message(size_of(*c.kv)) + (with_previous && c.before ? message(size_of(*c.before)) : 0);
}

}  // namespace dynconf::testing
