#include "etcd/range_pages.hpp"

#include "wire/requests.hpp"

#include <algorithm>
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
    // A sorted range has no key order to go on from, and a count has no pages.
    const bool in_key_order = options.order == sort_order::none && options.target == sort_target::key;
    if (!in_key_order || options.count_only || keys.is_single_key()) co_return co_await range_once(core, keys, options, limits, who);

    const std::int64_t wanted = options.limit;
    range_response whole;
    for (bool first = true;; first = false) {
        options.limit = core.options().page_size;
        if (wanted > 0) options.limit = std::min(options.limit, wanted - static_cast<std::int64_t>(whole.kvs.size()));
        auto page = co_await range_once(core, keys, options, limits, who);
        if (!page) co_return page.error();
        if (first) {
            whole.header = page->header;
            if (options.revision == 0) options.revision = page->header.revision;
            whole.header.revision = options.revision;
            whole.count = page->count;
        }
        if (first && !page->more) {
            whole.kvs = std::move(page->kvs);
            co_return whole;
        }
        whole.kvs.insert(whole.kvs.end(), std::make_move_iterator(page->kvs.begin()), std::make_move_iterator(page->kvs.end()));
        whole.more = page->more && wanted > 0 && static_cast<std::int64_t>(whole.kvs.size()) >= wanted;
        if (!page->more || whole.more) co_return whole;
        if (page->kvs.empty()) co_return error{errc::malformed_response, "range: an empty page that says there is more"};
        std::string after = whole.kvs.back().key + '\0';
        keys = keys.range_end() == std::string(1, '\0') ? key_range::from(std::move(after))
                                                        : key_range::interval(std::move(after), keys.range_end());
    }
}

}  // namespace dynconf::etcd
