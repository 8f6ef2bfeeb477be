#pragma once

#include <dynconf/txn.hpp>

#include "etcd/client_core.hpp"

#include <optional>
#include <string_view>

namespace dynconf::etcd {

struct commit_options {
    std::string_view name = "txn";             ///< For messages.
    std::optional<policy::safety> how = {};    ///< None: one that only reads may be repeated, another one not.
    std::optional<client_core::clock::time_point> due = {};   ///< None: by the client's own limits.
};

/// Executes a transaction.
asio::awaitable<result<txn_response>> commit(client_core& core, txn what, commit_options options = {});

/// The answer to operation `which` of the branch that was executed; null where it is not of that kind.
template <class Response>
Response* answer_to(txn_response& whole, std::size_t which) noexcept {
    return which < whole.responses.size() ? std::get_if<Response>(&whole.responses[which]) : nullptr;
}

/// To delete everything by the prefix "" is an accident more often than not.
bool deletes_all_unasked(const key_range& keys, const delete_options& options) noexcept;
error not_all_unasked(std::string_view what);

/// An answer that does not fit the transaction. `in_doubt` where that may have written.
error unfit_answer(std::string_view to, bool in_doubt);

}  // namespace dynconf::etcd
