#include "testing/request_checks.hpp"

#include "testing/refusal.hpp"

#include <algorithm>
#include <set>

namespace dynconf::testing {
namespace {

// What one branch of a transaction writes: keys that it puts, and ranges that it deletes.
struct footprint {
    std::set<std::string> puts;
    std::vector<std::pair<std::string, std::string>> deletes;

    bool deletes_key(const std::string& key) const {
        return std::any_of(deletes.begin(), deletes.end(), [&](const auto& d) {
            return d.second.empty() ? key == d.first : key >= d.first && key < d.second;
        });
    }
    void add_put(const std::string& key) {
        if (puts.contains(key) || deletes_key(key)) throw refusal(server_errc::duplicate_key);
        puts.insert(key);
    }
};

footprint footprint_of(const std::vector<op_request>& ops) {
    footprint f;
    for (const op_request& o : ops)
        if (const auto* d = std::get_if<delete_request>(&o)) f.deletes.emplace_back(d->key, d->range_end);
    for (const op_request& o : ops) {
        const auto* inner = std::get_if<std::shared_ptr<const txn_request>>(&o);
        if (!inner) continue;
        const footprint then = footprint_of((*inner)->success), otherwise = footprint_of((*inner)->failure);
        for (const std::string& key : then.puts) f.add_put(key);
        for (const std::string& key : otherwise.puts) {
            // Only one of both branches is taken: each may put the key, or one put it and the other delete it.
            if ((f.puts.contains(key) && !then.puts.contains(key)) || f.deletes_key(key)) throw refusal(server_errc::duplicate_key);
            f.puts.insert(key);
        }
        f.deletes.insert(f.deletes.end(), then.deletes.begin(), then.deletes.end());
        f.deletes.insert(f.deletes.end(), otherwise.deletes.begin(), otherwise.deletes.end());
    }
    for (const op_request& o : ops)
        if (const auto* p = std::get_if<put_request>(&o)) f.add_put(p->key);
    return f;
}

void check_operations(const txn_request& r, std::size_t max_ops, bool knows_sorts) {
    const std::size_t ops = std::max({r.compares.size(), r.success.size(), r.failure.size()});
    if (ops > max_ops) throw refusal(server_errc::too_many_ops);
    for (const compare& c : r.compares)
        if (c.key.empty()) throw refusal(server_errc::empty_key);
    for (const auto* branch : {&r.success, &r.failure})
        for (const op_request& o : *branch) {
            if (const auto* range = std::get_if<range_request>(&o)) check(*range, knows_sorts);
            else if (const auto* put = std::get_if<put_request>(&o)) check(*put);
            else if (const auto* erase = std::get_if<delete_request>(&o)) check(*erase);
            else if (const auto* inner = std::get_if<std::shared_ptr<const txn_request>>(&o))
                check_operations(**inner, max_ops - ops, knows_sorts);
            else throw refusal(server_errc::key_not_found);
        }
}

}  // namespace

void check(const range_request& r, bool knows_sorts) {
    if (r.key.empty()) throw refusal(server_errc::empty_key);
    if (knows_sorts && (r.sort_order < 0 || r.sort_order > 2 || r.sort_target < 0 || r.sort_target > 4))
        throw refusal(server_errc::invalid_sort_option);
}

void check(const put_request& r) {
    if (r.key.empty()) throw refusal(server_errc::empty_key);
    if (r.ignore_value && !r.value.empty()) throw refusal(server_errc::value_provided);
    if (r.ignore_lease && r.lease != 0) throw refusal(server_errc::lease_provided);
}

void check(const delete_request& r) {
    if (r.key.empty()) throw refusal(server_errc::empty_key);
}

void check(const txn_request& r, std::size_t max_ops, bool knows_sorts) {
    check_operations(r, max_ops, knows_sorts);
    footprint_of(r.success);
    footprint_of(r.failure);
}

}  // namespace dynconf::testing
