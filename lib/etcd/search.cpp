#include <dynconf/search.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"
#include "policy/key_past.hpp"
#include "policy/range_walk.hpp"
#include "policy/weight.hpp"
#include "transport/await.hpp"
#include "transport/clock.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;

namespace {

/// What one piece of picking may take of the strand, on which others wait.
constexpr std::chrono::milliseconds most_at_a_time{5};

/// None: the pattern cannot tell.
std::optional<bool> judged(const key_pattern& what, const std::string& key) {
    try {
        return what.matches(key);
    } catch (const std::runtime_error&) {
        return std::nullopt;
    }
}

asio::awaitable<result<search_response>> find_keys(const view& through, key_range in, key_pattern what, search_options options) {
    range_options request;
    request.keys_only = options.keys_only;
    request.revision = options.revision;
    policy::range_walk walk(std::move(in), request, through.core().options().page_size);
    search_response out;
    std::size_t bytes = 0;
    while (!walk.done()) {
        auto page = co_await etcd::range_once(through, walk.keys(), walk.options());
        if (!page) co_return page.error();
        if (auto wrong = walk.on(*page)) co_return std::move(*wrong);
        out.header = page->header;
        auto since = transport::clock::now();
        for (key_value& kv : page->kvs) {
            const std::optional<bool> matches = judged(what, kv.key);
            if (const auto now = transport::clock::now(); now - since >= most_at_a_time) {
                co_await asio::post(through.core().executor(), asio::use_awaitable);
                if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, {}};
                since = transport::clock::now();
            }
            if (!matches) out.undecided.push_back(kv.key);
            if (!matches.value_or(false)) continue;
            if (options.limit > 0 && out.kvs.size() == options.limit) {
                out.more = true;
                co_return out;
            }
            bytes += policy::weight(kv);
            if (bytes > through.core().options().max_response_bytes) co_return error{errc::response_too_large, "search: all that matches"};
            out.kvs.push_back(std::move(kv));
        }
    }
    co_return out;
}

asio::awaitable<result<key_history>> versions_of(const view& through, std::string key, std::size_t limit) {
    policy::key_past past(limit, search::most_absent_revisions);
    const key_range wanted = key_range::key(key);
    while (const auto question = past.next()) {
        range_options at;
        at.revision = question->newest;
        if (question->count == 0) {
            auto found = co_await etcd::range_once(through, wanted, at);
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
        auto found = co_await etcd::commit(through, std::move(reads), {.name = "history"});
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
    auto body = [in = std::move(in), what = std::move(what), options](const view& through) -> asio::awaitable<result<search_response>> {
        co_return co_await find_keys(through, in, what, options);
    };
    etcd::start<search_response>(from, etcd::cancels::total, std::move(h), std::move(body));
}

void search::start_history(origin from, std::string key, std::size_t limit, detail::erased_handler<key_history> h) {
    auto body = [key = std::move(key), limit](const view& through) -> asio::awaitable<result<key_history>> {
        co_return co_await versions_of(through, key, limit);
    };
    etcd::start<key_history>(from, etcd::cancels::total, std::move(h), std::move(body));
}

}  // namespace dynconf
