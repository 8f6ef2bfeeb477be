#include "etcd/kv_calls.hpp"

#include "policy/asked_for.hpp"
#include "policy/range_walk.hpp"
#include "policy/sealed_txn.hpp"
#include "policy/weight.hpp"
#include "wire/requests.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dynconf::etcd {

namespace {

/// To delete everything by the prefix "" is an accident more often than not.
bool deletes_all_unasked(const key_range& keys, const delete_options& options) {
    const key_range all = key_range::all();
    return !options.everything && keys.first() == all.first() && keys.range_end() == all.range_end();
}

bool deletes_all_unasked(const txn& what) {
    const auto does = [](const op& o) {
        if (const auto* d = std::get_if<op::delete_op>(&o.what())) return deletes_all_unasked(d->range, d->options);
        const auto* inner = std::get_if<op::txn_op>(&o.what());
        return inner != nullptr && deletes_all_unasked(*inner->what);
    };
    return std::any_of(what.success().begin(), what.success().end(), does) || std::any_of(what.failure().begin(), what.failure().end(), does);
}

error not_all_unasked(std::string_view what) {
    return {errc::invalid_argument, std::string(what) + ": all keys, without delete_options::everything"};
}

error sorted_by_value(std::string_view what) { return {errc::invalid_argument, std::string(what) + ": sorted by value, and the values are sealed"}; }

/// What is wrong with an answer, if anything.
template <class Response, class... Question>
std::optional<error> unfit(std::string_view name, bool in_doubt, const Response& answer, const Question&... asked) {
    auto why = policy::not_asked_for(answer, asked...);
    if (!why) return std::nullopt;
    why->detail = std::string(name) + ": " + why->detail;
    why->in_doubt = in_doubt;
    return why;
}

/// A write of these keys, by etcd's own names, and its answer as the view sees it.
template <class Response, class Keys>
asio::awaitable<result<Response>> write(const view& through, call what, std::string body, Keys keys) {
    what.due = through.due();
    auto answer = co_await through.core().unary<Response>(what, body);
    if (!answer) co_return answer;
    if (auto why = unfit(what.name, true, *answer, keys)) co_return std::move(*why);
    if (through.sealer()) co_await through.sealer()->open(through.core(), values(*answer), through.end());
    through.keys().from_etcd(*answer);
    co_return answer;
}

/// A transaction by etcd's own names and with the values that etcd is to have. The answer's are opened.
asio::awaitable<result<txn_response>> send(const view& through, const txn& asked, const commit_options& options) {
    call request;
    request.name = options.name;
    request.path = "/v3/kv/txn";
    request.safety = options.how.value_or(asked.read_only() ? policy::safety::repeatable : policy::safety::at_most_once);
    request.due = through.due();
    std::string body;
    // Without operations a transaction is serializable to etcd: the asked member would compare with what it has, however old.
    const bool compares_only = asked.success().empty() && asked.failure().empty() && !asked.compares().empty();
    if (compares_only) {
        txn reads = asked;
        reads.else_(op::range(key_range::key(asked.compares().front().key), {.count_only = true}));
        body = wire::txn_request(reads);
    } else {
        body = wire::txn_request(asked);
    }
    auto answer = co_await through.core().unary<txn_response>(request, body);
    if (!answer) co_return answer;
    if (compares_only) answer->responses.clear();
    if (auto why = unfit(options.name, !asked.read_only(), *answer, asked)) co_return std::move(*why);
    if (through.sealer()) co_await through.sealer()->open(through.core(), values(*answer, asked), through.end());
    co_return answer;
}

/// How often the values that a transaction compares may change under it.
constexpr unsigned most_comparisons = 100;

/// Values that are sealed cannot be compared by etcd: they are here, and etcd makes sure that they are still the same.
asio::awaitable<result<txn_response>> compare_and_send(const view& through, const txn& asked, const policy::value_comparisons& compares,
                                                       const commit_options& options) {
    const view whole = through.whole().until(through.end());   // all tries together
    const range_options plain;
    for (unsigned tries = 0; tries < most_comparisons; ++tries) {
        std::vector<range_response> read;
        for (const key_range& keys : compares.ranges()) {
            auto found = co_await range_pages(whole, keys, plain);
            if (!found) co_return found.error();
            read.push_back(std::move(*found));
        }
        auto decided = compares.decided(asked, read);
        if (!decided) co_return decided.error();
        auto answer = co_await send(whole, *decided, options);
        if (!answer) co_return answer;
        if (!answer->succeeded) continue;
        auto* inner = answer_to<txn_response>(*answer, 0);
        if (!inner) co_return unfit_answer(options.name, !asked.read_only());
        txn_response out = std::move(*inner);
        out.header = answer->header;   // its own holds a revision at most
        co_return out;
    }
    co_return error{errc::contended, std::string(options.name)};
}

}  // namespace

asio::awaitable<result<range_response>> range_once(const view& through, const key_range& keys, const range_options& options,
                                                   std::optional<brief> limits, asked_by who) {
    if (through.sealer() && policy::sorts_by_value(options)) co_return sorted_by_value("range");
    const key_range at_etcd = through.keys().to_etcd(keys);
    const std::string body = wire::range_request(at_etcd, options);
    call what;
    what.name = "range";
    what.path = "/v3/kv/range";
    what.needs_leader = options.read == consistency::linearizable;
    what.background = who == asked_by::library;
    what.due = limits ? limits->due : through.due();
    result<range_response> answer = range_response();
    if (limits && limits->endpoint) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limits->due - client_core::clock::now());
        answer = co_await through.core().unary_at<range_response>(*limits->endpoint, what, body, left);
    } else {
        answer = co_await through.core().unary<range_response>(what, body);
    }
    if (!answer) co_return answer;
    if (auto why = unfit(what.name, false, *answer, at_etcd, options)) co_return std::move(*why);
    if (through.sealer()) {
        const bool opened = co_await through.sealer()->open(through.core(), values(*answer, options), limits ? limits->due : through.end());
        if (!opened) co_return error{asio::error::operation_aborted, "range"};
    }
    through.keys().from_etcd(*answer);
    co_return answer;
}

asio::awaitable<result<range_response>> range_pages(const view& through, key_range keys, range_options options,
                                                    std::optional<brief> limits, asked_by who) {
    const client_options& o = through.core().options();
    policy::range_walk walk(std::move(keys), options, o.page_size);
    std::size_t bytes = 0;
    range_response whole;
    for (bool first = true; !walk.done(); first = false) {
        auto page = co_await range_once(through, walk.keys(), walk.options(), limits, who);
        if (!page) co_return page.error();
        if (auto wrong = walk.on(*page)) co_return std::move(*wrong);
        for (const key_value& kv : page->kvs) bytes += policy::weight(kv);
        if (bytes > o.max_response_bytes) co_return error{errc::response_too_large, "range: all pages together"};
        if (first) {
            whole = std::move(*page);
            continue;
        }
        whole.more = page->more;
        whole.kvs.insert(whole.kvs.end(), std::make_move_iterator(page->kvs.begin()), std::make_move_iterator(page->kvs.end()));
    }
    co_return whole;
}

asio::awaitable<result<put_response>> put(const view& through, std::string key, std::string value, put_options options) {
    const call what{"put", "/v3/kv/put", policy::safety::at_most_once};
    key = through.keys().to_etcd(std::move(key));
    if (through.sealer()) value = policy::sealed_value(key, std::move(value), options, through.sealer()->keys());
    std::string body = wire::put_request(key, value, options);
    value = {};   // it may be large, and is not needed while etcd works
    co_return co_await write<put_response>(through, what, std::move(body), std::move(key));
}

asio::awaitable<result<delete_response>> delete_range(const view& through, key_range keys, delete_options options) {
    if (deletes_all_unasked(keys, options)) co_return not_all_unasked("delete_range");
    const call what{"delete_range", "/v3/kv/deleterange", policy::safety::at_most_once};
    keys = through.keys().to_etcd(keys);
    std::string body = wire::delete_range_request(keys, options);
    co_return co_await write<delete_response>(through, what, std::move(body), std::move(keys));
}

asio::awaitable<result<txn_response>> commit(const view& through, txn what, commit_options options) {
    if (deletes_all_unasked(what)) co_return not_all_unasked(options.name);
    if (through.sealer() && policy::sorts_by_value(what)) co_return sorted_by_value(options.name);
    txn asked = through.keys().to_etcd(std::move(what));
    result<txn_response> answer = txn_response();
    if (!through.sealer()) {
        answer = co_await send(through, asked, options);
    } else {
        asked = policy::with_sealed_puts(asked, through.sealer()->keys());
        const policy::value_comparisons compares(asked);
        if (compares.none()) answer = co_await send(through, asked, options);
        else answer = co_await compare_and_send(through, asked, compares, options);
    }
    if (answer) through.keys().from_etcd(*answer);
    co_return answer;
}

error unfit_answer(std::string_view to, bool in_doubt) { return {errc::malformed_response, "the answer to " + std::string(to), in_doubt}; }

}  // namespace dynconf::etcd
