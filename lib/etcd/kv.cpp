#include <dynconf/kv.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"
#include "wire/quote.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::cancels;
using etcd::view;

kv::kv(const client& c) : facet(c) {}

void kv::start_range(origin from, key_range keys, range_options options, detail::erased_handler<range_response> h) {
    auto body = [keys = std::move(keys), options](const view& through) { return etcd::range_once(through, keys, options); };
    etcd::start<range_response>(from, cancels::total, std::move(h), std::move(body));
}

void kv::start_range_pages(origin from, key_range keys, range_options options, detail::erased_handler<range_response> h) {
    auto body = [keys = std::move(keys), options](const view& through) { return etcd::range_pages(through, keys, options); };
    etcd::start<range_response>(from, cancels::total, std::move(h), std::move(body));
}

namespace {

template <class T, class Read>
void start_reading(const detail::call_origin& from, key_range keys, range_options options, detail::erased_handler<T> h, Read read) {
    auto body = [keys = std::move(keys), options, read](const view& through) -> asio::awaitable<result<T>> {
        auto found = co_await etcd::range_once(through, keys, options);
        if (!found) co_return found.error();
        co_return read(std::move(*found));
    };
    etcd::start<T>(from, cancels::total, std::move(h), std::move(body));
}

}  // namespace

void kv::start_get(origin from, std::string key, range_options options, detail::erased_handler<std::optional<key_value>> h) {
    start_reading(from, key_range::key(std::move(key)), options, std::move(h), [](range_response found) -> result<std::optional<key_value>> {
        if (found.kvs.empty()) return std::nullopt;
        if (const auto why = found.kvs.front().unreadable) return error{why, wire::quote(found.kvs.front().key)};
        return std::move(found.kvs.front());
    });
}

void kv::start_count(origin from, key_range keys, range_options options, detail::erased_handler<std::int64_t> h) {
    options.count_only = true;
    start_reading(from, std::move(keys), options, std::move(h), [](const range_response& found) { return found.count; });
}

void kv::start_exists(origin from, std::string key, range_options options, detail::erased_handler<bool> h) {
    options.count_only = true;
    start_reading(from, key_range::key(std::move(key)), options, std::move(h), [](const range_response& found) { return found.count > 0; });
}

void kv::start_put(origin from, std::string key, std::string value, put_options options, detail::erased_handler<put_response> h) {
    auto body = [key = std::move(key), value = std::move(value), options](const view& through) mutable {
        return etcd::put(through, std::move(key), std::move(value), options);
    };
    etcd::start<put_response>(from, cancels::terminal_only, std::move(h), std::move(body));
}

void kv::start_delete_range(origin from, key_range keys, delete_options options, detail::erased_handler<delete_response> h) {
    auto body = [keys = std::move(keys), options](const view& through) { return etcd::delete_range(through, keys, options); };
    etcd::start<delete_response>(from, cancels::terminal_only, std::move(h), std::move(body));
}

void kv::start_commit(origin from, txn what, detail::erased_handler<txn_response> h) {
    const auto how = what.read_only() ? cancels::total : cancels::terminal_only;
    auto body = [what = std::move(what)](const view& through) mutable { return etcd::commit(through, std::move(what)); };
    etcd::start<txn_response>(from, how, std::move(h), std::move(body));
}

guarded_kv kv::guarded_by(const claim& held) const { return {origin_, held}; }

}  // namespace dynconf
