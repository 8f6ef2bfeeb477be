#include "policy/asked_for.hpp"

#include "wire/overloaded.hpp"
#include "wire/quote.hpp"

#include <algorithm>
#include <variant>
#include <vector>

namespace dynconf::policy {

namespace {

error wrong(std::string words) { return {errc::malformed_response, std::move(words)}; }

error foreign(const std::string& key) { return wrong("the key " + wire::quote(key) + ", which was not asked for"); }

std::optional<error> foreign(const std::vector<key_value>& kvs, const key_range& keys) {
    const auto found = std::find_if(kvs.begin(), kvs.end(), [&keys](const key_value& kv) { return !keys.contains(kv.key); });
    if (found == kvs.end()) return std::nullopt;
    return foreign(found->key);
}

/// An answer to that operation; nothing where it is of another kind.
std::optional<error> unasked(const op_response& answer, const op& asked) {
    return std::visit(
        wire::overloaded{
            [&](const op::range_op& r) -> std::optional<error> {
                const auto* a = std::get_if<range_response>(&answer);
                return a ? not_asked_for(*a, r.range, r.options) : std::nullopt;
            },
            [&](const op::put_op& p) -> std::optional<error> {
                const auto* a = std::get_if<put_response>(&answer);
                return a ? not_asked_for(*a, p.key) : std::nullopt;
            },
            [&](const op::delete_op& d) -> std::optional<error> {
                const auto* a = std::get_if<delete_response>(&answer);
                return a ? not_asked_for(*a, d.range) : std::nullopt;
            },
            [&](const op::txn_op& t) -> std::optional<error> {
                const auto* a = std::get_if<txn_response>(&answer);
                return a ? not_asked_for(*a, *t.what) : std::nullopt;
            },
        },
        asked.what());
}

}  // namespace

std::optional<error> not_asked_for(const range_response& answer, const key_range& keys, const range_options& options) {
    if (auto why = foreign(answer.kvs, keys)) return why;
    const auto got = static_cast<std::int64_t>(answer.kvs.size());
    if (options.limit > 0 && got > options.limit) return wrong(std::to_string(got) + " keys, of " + std::to_string(options.limit) + " at most");
    // etcd says so exactly when the limit cut the answer.
    if (answer.more && !options.count_only && (options.limit <= 0 || got < options.limit)) return wrong("a page that is not full, with more to come");
    if (options.order == sort_order::none && options.target == sort_target::key) {
        const auto not_behind = [](const key_value& a, const key_value& b) { return b.key <= a.key; };
        const auto found = std::adjacent_find(answer.kvs.begin(), answer.kvs.end(), not_behind);
        if (found != answer.kvs.end()) return wrong("the key " + wire::quote(std::next(found)->key) + " out of order");
    }
    return std::nullopt;
}

std::optional<error> not_asked_for(const put_response& answer, const std::string& key) {
    if (!answer.prev_kv || answer.prev_kv->key == key) return std::nullopt;
    return foreign(answer.prev_kv->key);
}

std::optional<error> not_asked_for(const delete_response& answer, const key_range& keys) { return foreign(answer.prev_kvs, keys); }

std::optional<error> not_asked_for(const std::vector<event>& events, const key_range& keys) {
    for (const event& e : events) {
        if (!keys.contains(e.kv.key)) return foreign(e.kv.key);
        if (e.prev_kv && e.prev_kv->key != e.kv.key) return foreign(e.prev_kv->key);
    }
    return std::nullopt;
}

std::optional<error> not_asked_for(const txn_response& answer, const txn& what) {
    const std::vector<op>& branch = answer.succeeded ? what.success() : what.failure();
    const std::size_t both = std::min(branch.size(), answer.responses.size());
    for (std::size_t i = 0; i < both; ++i)
        if (auto why = unasked(answer.responses[i], branch[i])) return why;
    return std::nullopt;
}

}  // namespace dynconf::policy
