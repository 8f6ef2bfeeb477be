#include "testing/answers.hpp"

#include "testing/words.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <variant>
#include <vector>

namespace dynconf::testing {
namespace {

using std::get_if;

bool reads_serializable(const op& o) {
    const auto* r = get_if<op::range_op>(&o.what());
    return r && r->options.read == consistency::serializable;
}

std::string with_previous(const std::optional<key_value>& recorded, const std::optional<key_value>& true_one) {
    if (recorded.has_value() != true_one.has_value())
        return "previous value " + (recorded ? shown(*recorded) : "none") + " instead of " + (true_one ? shown(*true_one) : "none");
    if (recorded && !same(*recorded, *true_one)) return "previous value " + shown(*recorded) + " instead of " + shown(*true_one);
    return {};
}

std::string with_kvs(const std::vector<key_value>& recorded, const std::vector<key_value>& true_ones) {
    if (std::equal(recorded.begin(), recorded.end(), true_ones.begin(), true_ones.end(), same)) return {};
    return shown(recorded) + " instead of " + shown(true_ones);
}

std::int64_t sorting(sort_target by, const key_value& kv) {
    if (by == sort_target::version) return kv.version;
    return by == sort_target::create ? kv.create_revision : kv.mod_revision;
}

// etcd's sort is not stable, so keys that sort alike come in any order, and the limit takes any of them: of one that
// another took the place of, only the rank is compared.
bool sorted_alike(const op::range_op& call, const range_response& recorded, const range_response& true_one) {
    const auto by = call.options.target;
    if (by == sort_target::key || recorded.kvs.size() != true_one.kvs.size()) return false;
    std::set<std::string> keys;
    for (std::size_t i = 0; i < recorded.kvs.size(); ++i) {
        const key_value &a = recorded.kvs[i], &b = true_one.kvs[i];
        if (!call.range.contains(a.key) || !keys.insert(a.key).second) return false;
        if (by == sort_target::value ? a.value != b.value : sorting(by, a) != sorting(by, b)) return false;
        const auto it = std::find_if(true_one.kvs.begin(), true_one.kvs.end(), [&](const key_value& kv) { return kv.key == a.key; });
        if (it == true_one.kvs.end() ? !true_one.more : !same(a, *it)) return false;
    }
    return true;
}

std::string between(const op::range_op& call, const range_response& recorded, const range_response& true_one) {
    if (recorded.count != true_one.count)
        return "count " + std::to_string(recorded.count) + " instead of " + std::to_string(true_one.count) + ", "
            + with_kvs(recorded.kvs, true_one.kvs);
    if (recorded.more != true_one.more) return recorded.more ? "more to come, which there is not" : "no word of more to come";
    if (sorted_alike(call, recorded, true_one)) return {};
    return with_kvs(recorded.kvs, true_one.kvs);
}

std::string between(const op::delete_op&, const delete_response& recorded, const delete_response& true_one) {
    if (recorded.deleted != true_one.deleted)
        return std::to_string(recorded.deleted) + " deleted instead of " + std::to_string(true_one.deleted);
    return with_kvs(recorded.prev_kvs, true_one.prev_kvs);
}

std::string between(const op::put_op&, const put_response& recorded, const put_response& true_one) {
    return with_previous(recorded.prev_kv, true_one.prev_kv);
}

std::string inside(const op& call, const op_response& recorded, const op_response& true_one);

std::string between(const op::txn_op& call, const txn_response& recorded, const txn_response& true_one) {
    if (recorded.succeeded != true_one.succeeded)
        return recorded.succeeded ? "its comparisons held, which they do not" : "its comparisons did not hold, which they do";
    if (recorded.responses.empty()) return {};
    const auto& branch = recorded.succeeded ? call.what->success() : call.what->failure();
    if (recorded.responses.size() != branch.size())
        return std::to_string(recorded.responses.size()) + " answers to " + std::to_string(branch.size()) + " operations";
    for (std::size_t i = 0; i < branch.size(); ++i)
        if (std::string d = inside(branch[i], recorded.responses[i], true_one.responses[i]); !d.empty())
            return "its operation " + std::to_string(i + 1) + ": " + d;
    return {};
}

template <class Call, class Answer>
std::optional<std::string> if_both(const op& call, const op_response& recorded, const op_response& true_one) {
    const auto* c = get_if<Call>(&call.what());
    if (!c) return std::nullopt;
    const auto *r = get_if<Answer>(&recorded), *t = get_if<Answer>(&true_one);
    if (!r || !t) return "an answer to another kind of call";
    return between(*c, *r, *t);
}

std::string inside(const op& call, const op_response& recorded, const op_response& true_one) {
    if (auto d = if_both<op::range_op, range_response>(call, recorded, true_one)) return *d;
    if (auto d = if_both<op::put_op, put_response>(call, recorded, true_one)) return *d;
    if (auto d = if_both<op::delete_op, delete_response>(call, recorded, true_one)) return *d;
    return if_both<op::txn_op, txn_response>(call, recorded, true_one).value_or("");
}

wrote all_of(const std::vector<op>& branch, const std::vector<op_response>& answers) {
    wrote together = wrote::no;
    for (std::size_t i = 0; i < branch.size(); ++i) {
        wrote one;
        if (i < answers.size()) one = has_written(branch[i], answers[i]);
        else if (std::holds_alternative<op::put_op>(branch[i].what())) one = wrote::yes;
        else one = std::holds_alternative<op::range_op>(branch[i].what()) ? wrote::no : wrote::unclear;
        if (one == wrote::yes) return one;
        if (one == wrote::unclear) together = one;
    }
    return together;
}

}  // namespace

wrote has_written(const op& call, const op_response& answer) {
    if (std::holds_alternative<put_response>(answer)) return wrote::yes;
    if (const auto* d = get_if<delete_response>(&answer)) return d->deleted > 0 ? wrote::yes : wrote::no;
    const auto* a = get_if<txn_response>(&answer);
    const auto* t = get_if<op::txn_op>(&call.what());
    if (!a || !t) return wrote::no;
    return all_of(a->succeeded ? t->what->success() : t->what->failure(), a->responses);
}

bool is_serializable(const op& call) {
    const auto* t = get_if<op::txn_op>(&call.what());
    if (!t) return reads_serializable(call);
    return std::all_of(t->what->success().begin(), t->what->success().end(), reads_serializable)
        && std::all_of(t->what->failure().begin(), t->what->failure().end(), reads_serializable);
}

revision_t revision_of(const op_response& answer) {
    return std::visit([](const auto& a) { return a.header.revision; }, static_cast<const op_response::variant&>(answer));
}

bool same(const key_value& recorded, const key_value& true_one) {
    if (recorded.key != true_one.key || recorded.value != true_one.value) return false;
    if (recorded.mod_revision == 0 || true_one.mod_revision == 0) return true;
    if (recorded.mod_revision != true_one.mod_revision) return false;
    if (recorded.version == 0 || true_one.create_revision == 0) return true;
    return recorded.create_revision == true_one.create_revision && recorded.version == true_one.version
        && recorded.lease == true_one.lease;
}

std::string difference(const op& call, const op_response& recorded, const op_response& true_one) {
    std::string d = inside(call, recorded, true_one);
    if (d.empty() && revision_of(recorded) != revision_of(true_one))
        d = "revision " + std::to_string(revision_of(recorded)) + " instead of " + std::to_string(revision_of(true_one));
    return d;
}

}  // namespace dynconf::testing
