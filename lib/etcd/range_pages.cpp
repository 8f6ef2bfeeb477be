#include "etcd/range_pages.hpp"

#include "policy/range_walk.hpp"
#include "wire/requests.hpp"

#include <iterator>
#include <utility>

namespace dynconf::etcd {

asio::awaitable<result<range_response>> range_once(client_core& core, const key_range& keys, const range_options& options,
                                                   std::optional<brief> limits, asked_by who) {
    const std::string body = wire::range_request(keys, options);
    call what;
    what.name = "range";
    what.path = "/v3/kv/range";
    what.needs_leader = !options.serializable;
    what.background = who == asked_by::library;
    if (!limits || !limits->endpoint) {
        if (limits) what.due = limits->due;
        co_return co_await core.unary<range_response>(what, body);
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limits->due - client_core::clock::now());
    co_return co_await core.unary_at<range_response>(*limits->endpoint, what, body, left);
}

asio::awaitable<result<range_response>> range_pages(client_core& core, key_range keys, range_options options,
                                                    std::optional<brief> limits, asked_by who) {
    policy::range_walk walk(std::move(keys), options, core.options().page_size);
    range_response whole;
    for (bool first = true; !walk.done(); first = false) {
        auto page = co_await range_once(core, walk.keys(), walk.options(), limits, who);
        if (!page) co_return page.error();
        if (auto wrong = walk.on(*page)) co_return std::move(*wrong);
        if (first) {
            whole = std::move(*page);
            continue;
        }
        whole.more = page->more;
        whole.kvs.insert(whole.kvs.end(), std::make_move_iterator(page->kvs.begin()), std::make_move_iterator(page->kvs.end()));
    }
    co_return whole;
}

}  // namespace dynconf::etcd
