#include <dynconf/guarded_kv.hpp>

#include <dynconf/claim.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"

#include <stdexcept>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;

namespace {

/// The answer to `what`, executed if the claim is held.
template <class Response>
asio::awaitable<result<Response>> execute(const view& through, std::string_view name, comparison held, std::string claimed, op what) {
    const bool writes = !std::holds_alternative<op::txn_op>(what.what()) || !std::get<op::txn_op>(what.what()).what->read_only();
    txn whole;
    whole.if_(std::move(held)).then(std::move(what));
    auto answer = co_await etcd::commit(through, std::move(whole), {.name = name});
    if (!answer) co_return answer.error();
    if (!answer->succeeded) co_return error{errc::not_held, std::string(name) + " guarded by " + claimed};
    auto* inner = etcd::answer_to<Response>(*answer, 0);
    if (!inner) co_return etcd::unfit_answer("a guarded " + std::string(name), writes);
    inner->header = answer->header;   // its own holds a revision at most
    co_return std::move(*inner);
}

}  // namespace

guarded_kv::guarded_kv(origin from, const claim& held) : facet(std::move(from)) {
    if (!held) throw std::invalid_argument("dynconf: a write guarded by no lock");
    guard_.held = held.held();
    guard_.name = held.key();
}

void guarded_kv::start_put(origin from, guard by, std::string key, std::string value, put_options options, detail::erased_handler<put_response> h) {
    auto body = [by = std::move(by), what = op::put(std::move(key), std::move(value), options)](const view& through) mutable {
        return execute<put_response>(through, "put", std::move(by.held), std::move(by.name), std::move(what));
    };
    etcd::start<put_response>(from, etcd::cancels::terminal_only, std::move(h), std::move(body));
}

void guarded_kv::start_delete_range(origin from, guard by, key_range keys, delete_options options, detail::erased_handler<delete_response> h) {
    auto body = [by = std::move(by), what = op::delete_range(std::move(keys), options)](const view& through) mutable {
        return execute<delete_response>(through, "delete_range", std::move(by.held), std::move(by.name), std::move(what));
    };
    etcd::start<delete_response>(from, etcd::cancels::terminal_only, std::move(h), std::move(body));
}

void guarded_kv::start_commit(origin from, guard by, txn what, detail::erased_handler<txn_response> h) {
    auto body = [by = std::move(by), what = op::txn(std::move(what))](const view& through) mutable {
        return execute<txn_response>(through, "txn", std::move(by.held), std::move(by.name), std::move(what));
    };
    etcd::start<txn_response>(from, etcd::cancels::terminal_only, std::move(h), std::move(body));
}

}  // namespace dynconf
