#include <dynconf/conditional.hpp>

#include "etcd/client_access.hpp"
#include "etcd/commit.hpp"
#include "etcd/range_pages.hpp"
#include "etcd/spawn.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using shared_core = std::shared_ptr<etcd::client_core>;

namespace {

asio::awaitable<result<conditional_response>> commit_or_read(etcd::client_core& core, std::string key, txn what) {
    what.else_(op::range(key_range::key(key)));
    auto answer = co_await etcd::commit(core, std::move(what));
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

asio::awaitable<result<move_response>> move(etcd::client_core& core, std::string from, std::string to, move_options options) {
    using what = move_response::result;
    const key_range source_range = key_range::key(from);
    const range_options plain;
    auto found = co_await etcd::range_once(core, source_range, plain);
    if (!found) co_return found.error();
    move_response out;
    out.header = found->header;
    if (from == to) {
        out.what = found->kvs.empty() ? what::no_source : what::unchanged;
        co_return out;
    }
    for (unsigned tries = 0; tries < core.options().max_rounds; ++tries) {
        if (found->kvs.empty()) {
            out.what = what::no_source;
            co_return out;
        }
        auto answer = co_await etcd::commit(core, renaming(found->kvs.front(), to, options), "move_key");
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

conditional::conditional(const client& c) : core_(detail::client_access::core(c)) {}

void conditional::start_commit(core c, std::string key, txn what, detail::erased_handler<conditional_response> h) {
    auto run = [key = std::move(key), what = std::move(what)](shared_core self) mutable -> asio::awaitable<result<conditional_response>> {
        co_return co_await commit_or_read(*self, std::move(key), std::move(what));
    };
    etcd::spawn<conditional_response>(c->executor(), c, std::move(h), etcd::cancels::terminal_only, std::move(run));
}

void conditional::start_move(core c, std::string from, std::string to, move_options options, detail::erased_handler<move_response> h) {
    auto run = [from = std::move(from), to = std::move(to), options](shared_core self) mutable -> asio::awaitable<result<move_response>> {
        co_return co_await move(*self, std::move(from), std::move(to), options);
    };
    etcd::spawn<move_response>(c->executor(), c, std::move(h), etcd::cancels::terminal_only, std::move(run));
}

}  // namespace dynconf
