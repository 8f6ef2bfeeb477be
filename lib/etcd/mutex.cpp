#include <dynconf/lock.hpp>

#include "etcd/contender.hpp"
#include "etcd/start_call.hpp"
#include "transport/clock.hpp"

#include <stdexcept>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;

mutex::mutex(const client& c, std::string name, claim_options options)
    : facet(c), name_(std::move(name)), options_(options) {
    if (name_.empty()) throw std::invalid_argument("dynconf: a lock without a name");
}

void mutex::start_lock(origin from, std::string name, claim_options options, detail::erased_handler<held_lock> h) {
    auto run = [name = std::move(name), options](const view& through) -> asio::awaitable<result<held_lock>> {
        auto place = std::make_unique<etcd::contender>(through, name, std::string());
        auto entered = co_await place->enter(options.ttl, transport::clock::after(options.wait_timeout));
        if (!entered) co_return entered.error();
        co_return held_lock(etcd::contender::share(std::move(place)));
    };
    etcd::start_waiting<held_lock>(from, etcd::cancels::total, std::move(h), std::move(run));
}

void mutex::start_try_lock(origin from, std::string name, claim_options options, detail::erased_handler<held_lock> h) {
    auto run = [name = std::move(name), options](const view& through) -> asio::awaitable<result<held_lock>> {
        auto place = std::make_unique<etcd::contender>(through, name, std::string());
        auto entered = co_await place->try_enter(options.ttl);
        if (!entered) co_return entered.error();
        if (!*entered) co_return held_lock();
        co_return held_lock(etcd::contender::share(std::move(place)));
    };
    etcd::start_waiting<held_lock>(from, etcd::cancels::total, std::move(h), std::move(run));
}

namespace {

using body_under_lock = std::function<asio::awaitable<void>(const held_lock&)>;

asio::awaitable<void> run_under(mutex jobs, body_under_lock body) {
    held_lock mine = co_await jobs.lock();
    co_await mine.protect(body(mine));
    co_await mine.unlock();
}

}  // namespace

asio::awaitable<void> mutex::run(body_under_lock body) { return run_under(*this, std::move(body)); }

void mutex::start_queue(origin from, std::string name, detail::erased_handler<std::vector<key_value>> h) {
    auto run = [name = std::move(name)](const view& through) -> asio::awaitable<result<std::vector<key_value>>> {
        auto found = co_await etcd::range_queue(through, name, 0);
        if (!found) co_return found.error();
        co_return std::move(found->kvs);
    };
    etcd::start<std::vector<key_value>>(from, etcd::cancels::total, std::move(h), std::move(run));
}

void mutex::start_holder(origin from, std::string name, detail::erased_handler<std::optional<key_value>> h) {
    auto run = [name = std::move(name)](const view& through) -> asio::awaitable<result<std::optional<key_value>>> {
        co_return co_await etcd::head_of_queue(through, name);
    };
    etcd::start<std::optional<key_value>>(from, etcd::cancels::total, std::move(h), std::move(run));
}

void mutex::start_is_locked(origin from, std::string name, detail::erased_handler<bool> h) {
    auto run = [name = std::move(name)](const view& through) -> asio::awaitable<result<bool>> {
        auto found = co_await etcd::head_of_queue(through, name);
        if (!found) co_return found.error();
        co_return found->has_value();
    };
    etcd::start<bool>(from, etcd::cancels::total, std::move(h), std::move(run));
}

}  // namespace dynconf
