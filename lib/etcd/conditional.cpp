#include <dynconf/conditional.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"
#include "wire/quote.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;

namespace {

asio::awaitable<result<conditional_response>> commit_or_read(const view& through, std::string key, txn what) {
    what.else_(op::range(key_range::key(key)));
    auto answer = co_await etcd::commit(through, std::move(what));
    if (!answer) co_return answer.error();
    conditional_response out;
    out.header = answer->header;
    out.succeeded = answer->succeeded;
    if (answer->succeeded) co_return out;
    auto* found = etcd::answer_to<range_response>(*answer, 0);
    if (!found) co_return etcd::unfit_answer("a conditional write", false);
    if (!found->kvs.empty()) out.current = std::move(found->kvs.front());
    co_return out;
}

/// Whether the key is there, and under its new name nothing, is known only at the moment of the transaction.
txn renaming(const key_value& source, const std::string& to, move_options options) {
    txn what;
    what.if_(mod_revision_of(source.key) == source.mod_revision);
    if (!options.replace) what.if_(version_of(to) == 0);
    put_options with_lease;
    with_lease.lease = source.lease;
    what.then(op::put(to, source.value, with_lease)).then(op::delete_range(key_range::key(source.key)));
    what.else_(op::range(key_range::key(source.key))).else_(op::range(key_range::key(to)));
    return what;
}

asio::awaitable<result<move_response>> move(const view& through, std::string from, std::string to, move_options options) {
    using what = move_response::result;
    const key_range source_range = key_range::key(from);
    const range_options plain;
    auto found = co_await etcd::range_once(through, source_range, plain);
    if (!found) co_return found.error();
    move_response out;
    out.header = found->header;
    if (from == to) {
        out.what = found->kvs.empty() ? what::no_source : what::unchanged;
        co_return out;
    }
    for (unsigned tries = 0; tries < through.core().options().max_rounds; ++tries) {
        if (found->kvs.empty()) {
            out.what = what::no_source;
            co_return out;
        }
        if (const auto why = found->kvs.front().unreadable) co_return error{why, wire::quote(from)};
        auto answer = co_await etcd::commit(through, renaming(found->kvs.front(), to, options), {.name = "move_key"});
        if (!answer) co_return answer.error();
        out.header = answer->header;
        if (answer->succeeded) {
            out.what = what::moved;
            co_return out;
        }
        auto* source = etcd::answer_to<range_response>(*answer, 0);
        auto* target = etcd::answer_to<range_response>(*answer, 1);
        if (!source || !target) co_return etcd::unfit_answer("move_key", false);
        if (!source->kvs.empty() && !target->kvs.empty() && !options.replace) {
            out.what = what::target_exists;
            co_return out;
        }
        found = std::move(*source);
    }
    co_return error{errc::contended, from};
}

}  // namespace

conditional::conditional(const client& c) : facet(c) {}

void conditional::start_commit(origin from, std::string key, txn what, detail::erased_handler<conditional_response> h) {
    auto body = [key = std::move(key), what = std::move(what)](const view& through) -> asio::awaitable<result<conditional_response>> {
        co_return co_await commit_or_read(through, key, what);
    };
    etcd::start<conditional_response>(from, etcd::cancels::terminal_only, std::move(h), std::move(body));
}

void conditional::start_move(origin from, std::string source, std::string target, move_options options, detail::erased_handler<move_response> h) {
    auto body = [source = std::move(source), target = std::move(target), options](const view& through) -> asio::awaitable<result<move_response>> {
        co_return co_await move(through, source, target, options);
    };
    etcd::start<move_response>(from, etcd::cancels::terminal_only, std::move(h), std::move(body));
}

}  // namespace dynconf
