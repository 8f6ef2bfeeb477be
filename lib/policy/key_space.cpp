#include "policy/key_space.hpp"

#include "wire/overloaded.hpp"

#include <optional>

namespace dynconf::policy {

namespace {

/// False: it is none of those.
bool take_off(const std::string& prefix, std::string& key) {
    if (!key.starts_with(prefix)) return false;
    key.erase(0, prefix.size());
    return true;
}

bool take_off(const std::string& prefix, key_value& kv) { return take_off(prefix, kv.key); }

void take_off(const std::string& prefix, std::optional<key_value>& kv) {
    if (kv && !take_off(prefix, *kv)) kv.reset();
}

bool take_off(const std::string& prefix, event& e) {
    take_off(prefix, e.prev_kv);
    return take_off(prefix, e.kv);
}

template <class Items>
void take_off_each(const std::string& prefix, Items& items) {
    if (!prefix.empty()) std::erase_if(items, [&](auto& item) { return !take_off(prefix, item); });
}

}  // namespace

std::string key_space::to_etcd(std::string key) const { return prefix_.empty() ? std::move(key) : prefix_ + key; }

key_range key_space::to_etcd(const key_range& keys) const {
    if (prefix_.empty()) return keys;
    std::string first = prefix_ + keys.lowest();
    if (keys.is_single_key()) return key_range::key(std::move(first));
    const key_range whole = key_range::prefix(prefix_);
    const bool endless = keys.range_end() == key_range::all().range_end();
    return key_range::raw(std::move(first), endless ? whole.range_end() : prefix_ + keys.range_end());
}

std::vector<key_range> key_space::to_etcd(std::vector<key_range> ranges) const {
    for (key_range& r : ranges) r = to_etcd(r);
    return ranges;
}

comparison key_space::to_etcd(comparison c) const {
    if (prefix_.empty() || c.absolute) return c;
    const key_range keys = to_etcd(key_range::raw(std::move(c.key), std::move(c.range_end)));
    c.key = keys.lowest();
    c.range_end = keys.range_end();
    return c;
}

op key_space::to_etcd(const op& o) const {
    return std::visit(wire::overloaded{
        [this](const op::range_op& r) { return op::range(to_etcd(r.range), r.options); },
        [this](const op::put_op& p) { return op::put(to_etcd(p.key), p.value, p.options); },
        [this](const op::delete_op& d) { return op::delete_range(to_etcd(d.range), d.options); },
        [this](const op::txn_op& t) { return op::txn(to_etcd(*t.what)); },
    }, o.what());
}

txn key_space::to_etcd(txn what) const {
    if (prefix_.empty()) return what;
    txn out;
    for (const comparison& c : what.compares()) out.if_(to_etcd(c));
    for (const op& o : what.success()) out.then(to_etcd(o));
    for (const op& o : what.failure()) out.else_(to_etcd(o));
    return out;
}

void key_space::from_etcd(std::vector<std::string>& keys) const { take_off_each(prefix_, keys); }
void key_space::from_etcd(std::vector<event>& events) const { take_off_each(prefix_, events); }
void key_space::from_etcd(range_response& answer) const { take_off_each(prefix_, answer.kvs); }
void key_space::from_etcd(put_response& answer) const { take_off(prefix_, answer.prev_kv); }
void key_space::from_etcd(delete_response& answer) const { take_off_each(prefix_, answer.prev_kvs); }

void key_space::from_etcd(txn_response& answer) const {
    for (op_response& r : answer.responses)
        std::visit([this](auto& inner) { from_etcd(inner); }, r);
}

}  // namespace dynconf::policy
