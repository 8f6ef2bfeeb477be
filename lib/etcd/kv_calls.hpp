#pragma once

#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include "etcd/view.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

// The calls that name keys. Whoever asks etcd for keys does so by these (or by a watch_subscription): they put the prefix
// of the view on and take it off again, so that nobody else has to know of it.

namespace dynconf::etcd {

/// A read that may not take long: until `due` at most; with an endpoint, at that one and without a repetition.
struct brief {
    std::optional<std::size_t> endpoint;
    std::chrono::steady_clock::time_point due;
};

/// See call::background.
enum class asked_by : bool { caller, library };

/// One request. `limits` in place of the view's.
asio::awaitable<result<range_response>> range_once(const view& through, const key_range& keys, const range_options& options,
                                                   std::optional<brief> limits = std::nullopt, asked_by who = asked_by::caller);

/// All of a range in pages at one revision: `options.revision`, or the one of the first page. That is the header's.
asio::awaitable<result<range_response>> range_pages(const view& through, key_range keys, range_options options,
                                                    std::optional<brief> limits = std::nullopt, asked_by who = asked_by::caller);

asio::awaitable<result<put_response>> put(const view& through, std::string key, std::string value, put_options options);

/// Of everything only when that is meant.
asio::awaitable<result<delete_response>> delete_range(const view& through, key_range keys, delete_options options);

struct commit_options {
    std::string_view name = "txn";             ///< For messages.
    std::optional<policy::safety> how = {};    ///< None: one that only reads may be repeated, another one not.
};

/// Executes a transaction.
asio::awaitable<result<txn_response>> commit(const view& through, txn what, commit_options options = {});

/// The answer to operation `which` of the branch that was executed; null where it is not of that kind.
template <class Response>
Response* answer_to(txn_response& whole, std::size_t which) noexcept {
    return which < whole.responses.size() ? std::get_if<Response>(&whole.responses[which]) : nullptr;
}

/// An answer that does not fit the transaction. `in_doubt` where that may have written.
error unfit_answer(std::string_view to, bool in_doubt);

/// A look: how many keys there are, and one of those that changed after `revision`.
inline range_options changed_after(revision_t revision) noexcept {
    range_options o;
    o.keys_only = true;
    o.min_mod_revision = revision + 1;
    o.limit = 1;
    return o;
}

}  // namespace dynconf::etcd
