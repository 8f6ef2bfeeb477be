#include <dynconf/search.hpp>

#include "etcd/commit.hpp"
#include "etcd/range_pages.hpp"
#include "etcd/start_call.hpp"
#include "policy/key_past.hpp"
#include "policy/range_walk.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using due_time = std::optional<etcd::client_core::clock::time_point>;

namespace {

asio::awaitable<result<search_response>> find_keys(etcd::client_core& core, key_range in, key_pattern what, search_options options, due_time due) {
    range_options request;
    request.keys_only = options.keys_only;
    request.revision = options.revision;
    policy::range_walk walk(std::move(in), request, core.options().page_size);
    search_response out;
    while (!walk.done()) {
        auto page = co_await etcd::range_once(core, walk.keys(), walk.options(), etcd::limits_of(due));
        if (!page) co_return page.error();
        if (auto wrong = walk.on(*page)) co_return std::move(*wrong);
        out.header = page->header;
        for (key_value& kv : page->kvs) {
            if (!what.matches(kv.key)) continue;
            if (options.limit > 0 && out.kvs.size() == options.limit) {
                out.more = true;
                co_return out;
            }
            out.kvs.push_back(std::move(kv));
        }
    }
    co_return out;
}

asio::awaitable<result<key_history>> versions_of(etcd::client_core& core, std::string key, std::size_t limit, due_time due) {
    policy::key_past past(limit, search::most_absent_revisions);
    const key_range wanted = key_range::key(key);
    while (const auto question = past.next()) {
        range_options at;
        at.revision = question->newest;
        if (question->count == 0) {
            auto found = co_await etcd::range_once(core, wanted, at, etcd::limits_of(due));
            if (!found && !past.failed(found.error().code)) co_return found.error();
            if (!found) continue;
            std::optional<key_value> kv;
            if (!found->kvs.empty()) kv = std::move(found->kvs.front());
            past.read(found->header.revision, std::move(kv));
            continue;
        }
        at.keys_only = true;
        txn reads;
        for (std::size_t i = 0; i < question->count; ++i, --at.revision) reads.then(op::range(wanted, at));
        auto found = co_await etcd::commit(core, std::move(reads), {.name = "history", .due = due});
        if (!found && !past.failed(found.error().code)) co_return found.error();
        if (!found) continue;
        std::optional<std::size_t> first;
        for (std::size_t i = 0; i < question->count; ++i) {
            const auto* answer = etcd::answer_to<range_response>(*found, i);
            if (!answer) co_return etcd::unfit_answer("history", false);
            if (!first && !answer->kvs.empty()) first = i;
        }
        past.looked(first);
    }
    key_history out;
    out.complete = past.complete();
    out.versions = past.take();
    for (key_value& kv : out.versions) kv.key = key;
    co_return out;
}

}  // namespace

search::search(const client& c) : facet(c) {}

void search::start_find(origin from, key_range in, key_pattern what, search_options options, detail::erased_handler<search_response> h) {
    auto body = [in = std::move(in), what = std::move(what), options](etcd::client_core& core, const auto& due) -> asio::awaitable<result<search_response>> {
        co_return co_await find_keys(core, in, what, options, due);
    };
    etcd::start<search_response>(from, etcd::cancels::total, std::move(h), std::move(body));
}

void search::start_history(origin from, std::string key, std::size_t limit, detail::erased_handler<key_history> h) {
    auto body = [key = std::move(key), limit](etcd::client_core& core, const auto& due) -> asio::awaitable<result<key_history>> {
        co_return co_await versions_of(core, key, limit, due);
    };
    etcd::start<key_history>(from, etcd::cancels::total, std::move(h), std::move(body));
}

}  // namespace dynconf
