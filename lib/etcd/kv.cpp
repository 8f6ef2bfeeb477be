#include <dynconf/kv.hpp>

#include "etcd/range_pages.hpp"
#include "etcd/start_call.hpp"
#include "wire/requests.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::cancels;
using policy::safety;

kv::kv(const client& c) : facet(c) {}

void kv::start_range(origin from, key_range keys, range_options options, detail::erased_handler<range_response> h) {
    auto body = [keys = std::move(keys), options](etcd::client_core& core, const auto& due) -> asio::awaitable<result<range_response>> {
        co_return co_await etcd::range_once(core, keys, options, etcd::limits_of(due));
    };
    etcd::start<range_response>(from, cancels::total, std::move(h), std::move(body));
}

void kv::start_range_pages(origin from, key_range keys, range_options options, detail::erased_handler<range_response> h) {
    auto body = [keys = std::move(keys), options](etcd::client_core& core, const auto& due) -> asio::awaitable<result<range_response>> {
        co_return co_await etcd::range_pages(core, keys, options, etcd::limits_of(due));
    };
    etcd::start<range_response>(from, cancels::total, std::move(h), std::move(body));
}

void kv::start_put(origin from, std::string key, std::string value, put_options options, detail::erased_handler<put_response> h) {
    etcd::start_call(from, {"put", "/v3/kv/put", safety::at_most_once}, wire::put_request(key, value, options),
                     cancels::terminal_only, std::move(h));
}

void kv::start_delete_range(origin from, key_range keys, delete_options options, detail::erased_handler<delete_response> h) {
    etcd::start_call(from, {"delete_range", "/v3/kv/deleterange", safety::at_most_once}, wire::delete_range_request(keys, options),
                     cancels::terminal_only, std::move(h));
}

void kv::start_commit(origin from, txn what, detail::erased_handler<txn_response> h) {
    const bool reads = what.read_only();
    etcd::start_call(from, {"txn", "/v3/kv/txn", reads ? safety::repeatable : safety::at_most_once}, wire::txn_request(what),
                     reads ? cancels::total : cancels::terminal_only, std::move(h));
}

}  // namespace dynconf
