#pragma once

#include <dynconf/txn.hpp>

#include "etcd/client_core.hpp"

#include <string_view>

namespace dynconf::etcd {

/// Executes a transaction. One that only reads may be repeated.
asio::awaitable<result<txn_response>> commit(client_core& core, txn what, std::string_view name = "txn");
/// The same where the caller knows better than the transaction shows whether it may be executed twice.
asio::awaitable<result<txn_response>> commit(client_core& core, txn what, std::string_view name, policy::safety how);

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
