#include <dynconf/bulk.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"
#include "policy/bulk_plan.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;

bool bulk_response::complete() const noexcept {
    return std::all_of(parts.begin(), parts.end(), [](const bulk_part& p) { return p.state == write_state::executed; });
}

const bulk_part& bulk_response::part_of(std::size_t which) const {
    const auto at = std::find_if(parts.begin(), parts.end(), [which](const bulk_part& p) { return which < p.first + p.count; });
    if (at == parts.end()) throw std::out_of_range("dynconf: no operation " + std::to_string(which));
    return *at;
}

const op_response* bulk_response::response_to(std::size_t which) const {
    const bulk_part& part = part_of(which);
    return part.state == write_state::executed ? &part.responses[which - part.first] : nullptr;
}

namespace {

txn transaction_of(const std::vector<op>& ops, const bulk_part& part) {
    txn what;
    for (std::size_t i = part.first; i < part.first + part.count; ++i) what.then(ops[i]);
    return what;
}

asio::awaitable<result<bulk_response>> execute_parts(const view& through, bulk_options options, std::vector<op> ops, bulk_progress progress) {
    const std::size_t seal = through.sealer() ? through.sealer()->keys().overhead() : 0;
    auto plan = policy::bulk_plan(ops, options, through.keys().prefix_size(), seal);
    if (!plan) co_return plan.error();
    bulk_response out;
    out.parts = std::move(*plan);
    for (bulk_part& part : out.parts) {
        auto answer = co_await etcd::commit(through, transaction_of(ops, part), {.name = "bulk"});
        if (answer && answer->responses.size() != part.count) answer = etcd::unfit_answer("a bulk transaction", true);
        if (!answer) {
            part.why = answer.error();
            part.state = part.why.in_doubt ? write_state::unknown : write_state::not_executed;
            break;
        }
        part.state = write_state::executed;
        part.header = answer->header;
        part.responses = std::move(answer->responses);
        if (progress) progress(part.first + part.count, ops.size());
    }
    co_return out;
}

asio::awaitable<result<bulk_read_response>> read_parts(const view& through, bulk_options options, std::vector<std::string> keys) {
    options.split = true;
    bulk_read_response out;
    out.items.reserve(keys.size());
    std::vector<op> ops;
    ops.reserve(keys.size());
    for (const std::string& key : keys) ops.push_back(op::range(key_range::key(key)));
    auto plan = policy::bulk_plan(ops, options, through.keys().prefix_size());
    if (!plan) co_return plan.error();
    range_options at;
    for (const bulk_part& part : *plan) {
        txn what;
        for (std::size_t i = part.first; i < part.first + part.count; ++i) what.then(op::range(key_range::key(keys[i]), at));
        auto answer = co_await etcd::commit(through, std::move(what), {.name = "bulk read"});
        if (!answer) co_return answer.error();
        for (std::size_t i = 0; i < part.count; ++i) {
            auto* found = etcd::answer_to<range_response>(*answer, i);
            if (!found) co_return etcd::unfit_answer("a bulk read", false);
            auto& item = out.items.emplace_back();
            if (!found->kvs.empty()) item = std::move(found->kvs.front());
        }
        if (at.revision == 0) {   // all further ones at the revision of the first
            out.header = answer->header;
            at.revision = answer->header.revision;
        }
    }
    co_return out;
}

}  // namespace

bulk::bulk(const client& c, bulk_options options) : facet(c), options_(options) {}

void bulk::start_execute(origin from, bulk_options options, std::vector<op> ops, bulk_progress progress, detail::erased_handler<bulk_response> h) {
    auto body = [options, ops = std::move(ops), progress = std::move(progress)](const view& through) -> asio::awaitable<result<bulk_response>> {
        co_return co_await execute_parts(through, options, ops, progress);
    };
    etcd::start<bulk_response>(from, etcd::cancels::terminal_only, std::move(h), std::move(body));
}

void bulk::start_read(origin from, bulk_options options, std::vector<std::string> keys, detail::erased_handler<bulk_read_response> h) {
    auto body = [options, keys = std::move(keys)](const view& through) -> asio::awaitable<result<bulk_read_response>> {
        co_return co_await read_parts(through, options, keys);
    };
    etcd::start<bulk_read_response>(from, etcd::cancels::total, std::move(h), std::move(body));
}

}  // namespace dynconf
