#include "etcd/commit.hpp"

#include "wire/requests.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace dynconf::etcd {

namespace {

bool deletes_all_unasked(const txn& what) noexcept {
    const auto does = [](const op& o) {
        if (const auto* d = std::get_if<op::delete_op>(&o.what())) return etcd::deletes_all_unasked(d->range, d->options);
        const auto* inner = std::get_if<op::txn_op>(&o.what());
        return inner != nullptr && deletes_all_unasked(*inner->what);
    };
    return std::any_of(what.success().begin(), what.success().end(), does) || std::any_of(what.failure().begin(), what.failure().end(), does);
}

}  // namespace

bool deletes_all_unasked(const key_range& keys, const delete_options& options) noexcept {
    return !options.everything && keys == key_range::all();
}

error not_all_unasked(std::string_view what) {
    return {errc::invalid_argument, std::string(what) + ": all keys of etcd, without delete_options::everything"};
}

asio::awaitable<result<txn_response>> commit(client_core& core, txn what, commit_options options) {
    if (deletes_all_unasked(what)) co_return not_all_unasked(options.name);
    call request;
    request.name = options.name;
    request.path = "/v3/kv/txn";
    request.safety = options.how.value_or(what.read_only() ? policy::safety::repeatable : policy::safety::at_most_once);
    request.due = options.due;
    const std::string body = wire::txn_request(what);
    co_return co_await core.unary<txn_response>(request, body);
}

error unfit_answer(std::string_view to, bool in_doubt) { return {errc::malformed_response, "the answer to " + std::string(to), in_doubt}; }

}  // namespace dynconf::etcd
