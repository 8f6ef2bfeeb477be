#include <dynconf/outcome_resolver.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"
#include "policy/first_change.hpp"

#include <stdexcept>
#include <string_view>
#include <utility>
#include <variant>

namespace dynconf {

namespace asio = boost::asio;
using policy::safety;
using etcd::view;

namespace {

constexpr std::string_view executed_mark = "executed";
constexpr std::string_view fence_mark = "fenced";

/// 128 bits, so that no two markers share one.
std::string random_name() {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string name;
    for (int word = 0; word < 2; ++word) {
        auto bits = transport::random_bits();
        for (int digit = 0; digit < 16; ++digit, bits >>= 4) name += hex[bits & 15];
    }
    return name;
}

put_options with_lease(lease_id lease) {
    put_options o;
    o.lease = lease;
    return o;
}

txn marked(const marker& by, txn what) {
    return txn()
        .if_(create_revision_of(by.key()) == 0)
        .then(op::put(by.key(), std::string(executed_mark), with_lease(by.lease())))
        .then(op::txn(std::move(what)));
}

/// With the marker's lease, for the sake of the lease's end: it fails then, where it would else take the marker that went
/// with the lease for one that never was.
txn fence(const marker& of) {
    return txn()
        .if_(create_revision_of(of.key()) == 0)
        .then(op::put(of.key(), std::string(fence_mark), with_lease(of.lease())))
        .else_(op::range(key_range::key(of.key())));
}

txn guarded(const guarded_put& what) {
    return txn()
        .if_(mod_revision_of(what.key()) == what.expected_mod_revision())
        .then(op::put(what.key(), what.value(), what.options()));
}

result<txn_response> unmarked(txn_response whole, const marker& by) {
    if (!whole.succeeded) return error{errc::marker_taken, by.key()};
    auto* inner = whole.responses.size() == 2 ? std::get_if<txn_response>(&whole.responses[1]) : nullptr;
    if (!inner) return etcd::unfit_answer("a marked transaction", true);
    txn_response answer = std::move(*inner);
    answer.header = whole.header;   // the inner one is empty
    return answer;
}

result<resolution> read_marker(const txn_response& answer, const marker& of) {
    if (answer.succeeded) return resolution{write_state::not_executed, 0};
    const auto* found = answer.responses.size() == 1 ? std::get_if<range_response>(&answer.responses[0]) : nullptr;
    if (!found || found->kvs.size() != 1) return etcd::unfit_answer("a question for a marker", false);
    const key_value& mark = found->kvs[0];
    if (mark.unreadable) return error{mark.unreadable, of.key()};
    if (mark.value == fence_mark) return resolution{write_state::not_executed, 0};
    if (mark.value == executed_mark) return resolution{write_state::executed, mark.create_revision};
    return error{errc::invalid_argument, of.key() + " is not a marker"};
}

/// The key as it was at `revision`; 0: as it is.
asio::awaitable<result<range_response>> read(const view& through, const std::string& key, revision_t revision) {
    const key_range keys = key_range::key(key);
    range_options options;
    options.revision = revision;
    co_return co_await etcd::range_once(through, keys, options);
}

revision_t mod_revision(const range_response& r) { return r.kvs.empty() ? 0 : r.kvs[0].mod_revision; }

resolution judge(const guarded_put& of, const range_response& at_change, revision_t change) {
    if (!at_change.kvs.empty() && at_change.kvs[0].unreadable) return {};   // nobody can say
    if (!at_change.kvs.empty() && at_change.kvs[0].value == of.value()) return {write_state::executed, change};
    return {write_state::not_executed, 0};
}

asio::awaitable<result<resolution>> look_back(const view& through, const guarded_put& of) {
    auto now = co_await read(through, of.key(), 0);
    if (!now) co_return now.error();
    policy::first_change change(of.expected_mod_revision(), now->header.revision, mod_revision(*now));
    if (change.nonsense() || change.none_yet()) co_return resolution{};
    for (;;) {
        const auto revision = change.next();
        if (!revision && change.at() == mod_revision(*now)) co_return judge(of, *now, change.at());
        auto then = co_await read(through, of.key(), revision.value_or(change.at()));
        if (!then && then.error().code == server_errc::compacted) co_return resolution{};
        if (!then) co_return then.error();
        if (!revision) co_return judge(of, *then, change.at());
        change.read(*revision, mod_revision(*then));
    }
}

}  // namespace

marker::marker(std::string prefix, lease_id lease) : marker(std::move(prefix) + random_name(), lease, 0) {}

guarded_put::guarded_put(const key_value& seen, std::string value, put_options options)
    : key_(seen.key), value_(std::move(value)), options_(options), expected_(seen.mod_revision) {
    if (expected_ <= 0) throw std::invalid_argument("dynconf: a guarded_put needs a key that exists");
    if (options_.ignore_value) throw std::invalid_argument("dynconf: a guarded_put with ignore_value");
}

outcome_resolver::outcome_resolver(const client& c) : facet(c) {}

void outcome_resolver::start_marked(origin from, marker by, txn what, detail::erased_handler<txn_response> h) {
    auto run = [by = std::move(by), what = std::move(what)](const view& through) mutable -> asio::awaitable<result<txn_response>> {
        const txn whole = marked(by, std::move(what));
        auto answer = co_await etcd::commit(through, whole, {.name = "txn", .how = safety::at_most_once});
        if (!answer) co_return answer.error();
        co_return unmarked(std::move(*answer), by);
    };
    etcd::start<txn_response>(from, etcd::cancels::terminal_only, std::move(h), std::move(run));
}

void outcome_resolver::start_guarded(origin from, guarded_put what, detail::erased_handler<txn_response> h) {
    auto run = [what = std::move(what)](const view& through) -> asio::awaitable<result<txn_response>> {
        const txn whole = guarded(what);
        co_return co_await etcd::commit(through, whole, {.name = "txn", .how = safety::at_most_once});
    };
    etcd::start<txn_response>(from, etcd::cancels::terminal_only, std::move(h), std::move(run));
}

void outcome_resolver::start_resolve(origin from, marker of, detail::erased_handler<resolution> h) {
    auto run = [of = std::move(of)](const view& through) -> asio::awaitable<result<resolution>> {
        const txn whole = fence(of);
        // A second one finds the fence of the first: the answer is the same.
        auto answer = co_await etcd::commit(through, whole, {.name = "resolve", .how = safety::repeatable});
        if (!answer) co_return answer.error();
        co_return read_marker(*answer, of);
    };
    etcd::start<resolution>(from, etcd::cancels::terminal_only, std::move(h), std::move(run));
}

void outcome_resolver::start_resolve_guarded(origin from, guarded_put of, detail::erased_handler<resolution> h) {
    auto run = [of = std::move(of)](const view& through) -> asio::awaitable<result<resolution>> {
        co_return co_await look_back(through, of);
    };
    etcd::start<resolution>(from, etcd::cancels::total, std::move(h), std::move(run));
}

void outcome_resolver::start_forget(origin from, marker which, detail::erased_handler<void> h) {
    auto run = [which = std::move(which)](const view& through) -> asio::awaitable<result<void>> {
        const txn whole = txn()
            .if_(value_of(which.key()) == std::string(executed_mark))
            .then(op::delete_range(key_range::key(which.key())));
        auto answer = co_await etcd::commit(through, whole, {.name = "forget", .how = safety::at_most_once});
        if (!answer) co_return answer.error();
        co_return result<void>();
    };
    etcd::start<void>(from, etcd::cancels::terminal_only, std::move(h), std::move(run));
}

}  // namespace dynconf
