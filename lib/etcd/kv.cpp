#include <dynconf/kv.hpp>

#include "etcd/client_access.hpp"
#include "etcd/commit.hpp"
#include "etcd/range_pages.hpp"
#include "etcd/spawn.hpp"
#include "wire/requests.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::cancels;
using policy::safety;
using shared_core = std::shared_ptr<etcd::client_core>;

kv::kv(const client& c) : core_(detail::client_access::core(c)) {}

void kv::start_range(core c, key_range keys, range_options options, detail::erased_handler<range_response> h) {
    auto body = [keys = std::move(keys), options](shared_core self) -> asio::awaitable<result<range_response>> {
        co_return co_await etcd::range_once(*self, keys, options);
    };
    etcd::spawn<range_response>(c->executor(), c, std::move(h), cancels::total, std::move(body));
}

void kv::start_range_pages(core c, key_range keys, range_options options, detail::erased_handler<range_response> h) {
    auto body = [keys = std::move(keys), options](shared_core self) -> asio::awaitable<result<range_response>> {
        co_return co_await etcd::range_pages(*self, keys, options);
    };
    etcd::spawn<range_response>(c->executor(), c, std::move(h), cancels::total, std::move(body));
}

namespace {

template <class T, class Read>
void start_reading(const shared_core& c, key_range keys, range_options options, detail::erased_handler<T> h, Read read) {
    auto body = [keys = std::move(keys), options, read](shared_core self) -> asio::awaitable<result<T>> {
        auto found = co_await etcd::range_once(*self, keys, options);
        if (!found) co_return found.error();
        co_return read(std::move(*found));
    };
    etcd::spawn<T>(c->executor(), c, std::move(h), cancels::total, std::move(body));
}

}  // namespace

void kv::start_get(core c, std::string key, range_options options, detail::erased_handler<std::optional<key_value>> h) {
    start_reading(c, key_range::key(std::move(key)), options, std::move(h), [](range_response found) {
        return found.kvs.empty() ? std::optional<key_value>() : std::move(found.kvs.front());
    });
}

void kv::start_count(core c, key_range keys, range_options options, detail::erased_handler<std::int64_t> h) {
    options.count_only = true;
    start_reading(c, std::move(keys), options, std::move(h), [](const range_response& found) { return found.count; });
}

void kv::start_exists(core c, std::string key, range_options options, detail::erased_handler<bool> h) {
    options.count_only = true;
    start_reading(c, key_range::key(std::move(key)), options, std::move(h), [](const range_response& found) { return found.count > 0; });
}

namespace {

/// A call whose body is ready: no part of the caller's arguments is needed any more.
template <class Response>
void start_call(const shared_core& c, etcd::call what, std::string body, cancels how, detail::erased_handler<Response> h) {
    auto run = [what, body = std::move(body)](shared_core self) -> asio::awaitable<result<Response>> {
        co_return co_await self->unary<Response>(what, body);
    };
    etcd::spawn<Response>(c->executor(), c, std::move(h), how, std::move(run));
}

}  // namespace

void kv::start_put(core c, std::string key, std::string value, put_options options, detail::erased_handler<put_response> h) {
    start_call(c, {"put", "/v3/kv/put", safety::at_most_once}, wire::put_request(key, value, options), cancels::terminal_only,
               std::move(h));
}

void kv::start_delete_range(core c, key_range keys, delete_options options, detail::erased_handler<delete_response> h) {
    if (etcd::deletes_all_unasked(keys, options)) {
        auto refuse = [](const shared_core&) -> asio::awaitable<result<delete_response>> { co_return etcd::not_all_unasked("delete_range"); };
        return etcd::spawn<delete_response>(c->executor(), c, std::move(h), cancels::terminal_only, refuse);
    }
    start_call(c, {"delete_range", "/v3/kv/deleterange", safety::at_most_once}, wire::delete_range_request(keys, options),
               cancels::terminal_only, std::move(h));
}

void kv::start_commit(core c, txn what, detail::erased_handler<txn_response> h) {
    const auto how = what.read_only() ? cancels::total : cancels::terminal_only;
    auto body = [what = std::move(what)](shared_core self) mutable -> asio::awaitable<result<txn_response>> {
        co_return co_await etcd::commit(*self, std::move(what));
    };
    etcd::spawn<txn_response>(c->executor(), c, std::move(h), how, std::move(body));
}

}  // namespace dynconf
