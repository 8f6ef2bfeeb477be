#include <dynconf/search.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"
#include "policy/range_walk.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;

namespace {

asio::awaitable<result<search_response>> find_keys(const view& through, key_range in, key_pattern what, search_options options) {
    range_options request;
    request.keys_only = options.keys_only;
    request.revision = options.revision;
    policy::range_walk walk(std::move(in), request, through.core().options().page_size);
    search_response out;
    while (!walk.done()) {
        auto page = co_await etcd::range_once(through, walk.keys(), walk.options());
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

asio::awaitable<result<key_history>> versions_of(const view& through, std::string key, std::size_t limit) {
    key_history out;
    const key_range wanted = key_range::key(key);
    range_options at;
    while (!out.complete && (limit == 0 || out.versions.size() < limit)) {
        auto found = co_await etcd::range_once(through, wanted, at);
        if (!found && found.error().code == server_errc::compacted && !out.versions.empty()) break;
        if (!found) co_return found.error();
        if (found->kvs.empty()) {   // it never was, or what is older was compacted
            out.complete = out.versions.empty();
            break;
        }
        const key_value& last = out.versions.emplace_back(std::move(found->kvs.front()));
        out.complete = last.mod_revision <= last.create_revision;
        at.revision = last.mod_revision - 1;
    }
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
