#include <dynconf/claim.hpp>

#include "etcd/contender.hpp"
#include "etcd/spawn.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using shared_contender = std::shared_ptr<etcd::contender>;

const std::string& claim::key() const noexcept { return impl_->key(); }
lease_id claim::lease() const noexcept { return impl_->lease(); }
revision_t claim::token() const noexcept { return impl_->token(); }
comparison claim::held() const { return impl_->held(); }
bool claim::valid() const noexcept { return impl_ && impl_->valid(); }

namespace {

void watch_loss(shared_contender i, etcd::cancels how, detail::erased_handler<claim_loss> h) {
    const etcd::strand on = i->core()->executor();
    auto run = [](shared_contender self) -> asio::awaitable<result<claim_loss>> {
        claim_loss out;
        out.cause = co_await self->until_lost();
        if (out.cause.code == asio::error::operation_aborted) co_return out.cause;
        co_return out;
    };
    etcd::spawn<claim_loss>(on, std::move(i), std::move(h), how, run);
}

}  // namespace

void claim::start_lost(std::shared_ptr<etcd::contender> i, detail::erased_handler<claim_loss> h) {
    watch_loss(std::move(i), etcd::cancels::total, std::move(h));
}

void claim::start_leave(std::shared_ptr<etcd::contender> i, detail::erased_handler<void> h) {
    const etcd::strand on = i->core()->executor();
    auto run = [](shared_contender self) -> asio::awaitable<result<void>> { co_return co_await self->leave(); };
    etcd::spawn<void>(on, std::move(i), std::move(h), etcd::cancels::terminal_only, run);
}

namespace {

void start_check(shared_contender i, detail::erased_handler<void> h) {
    const etcd::strand on = i->core()->executor();
    auto run = [](shared_contender self) -> asio::awaitable<result<void>> {
        if (self->loss()) co_return *self->loss();
        co_return result<void>();
    };
    etcd::spawn<void>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

/// On `on`, as are `work`, the news of the loss, and the cancellation of each by the other: Asio's group cancels from where
/// the first of its operations has completed.
asio::awaitable<void> guarded(shared_contender held, asio::awaitable<void> work, etcd::strand on) {
    const auto until_lost = [held](detail::erased_handler<claim_loss> h) { watch_loss(held, etcd::cancels::terminal_only, std::move(h)); };
    auto told = detail::initiate<claim_loss>(asio::bind_executor(on, asio::deferred), until_lost);
    auto both = asio::experimental::make_parallel_group(asio::co_spawn(on, std::move(work), asio::deferred), std::move(told));
    auto waiting = both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto [order, work_failed, not_told, loss] = co_await std::move(waiting);
    if (order[0] == 1 && !not_told) throw exception(std::move(loss.cause));
    if (work_failed) std::rethrow_exception(work_failed);
    if (held->valid()) co_return;
    const auto check = [held](detail::erased_handler<void> h) { start_check(held, std::move(h)); };
    co_await detail::initiate<void>(default_token(), check);   // the work may have blocked who tells
}

asio::awaitable<void> protected_by(shared_contender held, asio::awaitable<void> work) {
    const auto executor = co_await asio::this_coro::executor;
    const etcd::strand on = asio::make_strand(executor);
    auto body = [on, work = std::move(work)](shared_contender self) mutable -> asio::awaitable<result<void>> {
        co_await guarded(std::move(self), std::move(work), on);
        co_return result<void>();
    };
    auto start = [&](auto handler) { etcd::spawn<void>(on, held, std::move(handler), etcd::cancels::total, std::move(body)); };
    auto ended = asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, result<void>)>(start, asio::use_awaitable);
    co_await std::move(ended);
}

}  // namespace

asio::awaitable<void> claim::protect(asio::awaitable<void> work) const { return protected_by(impl_, std::move(work)); }

}  // namespace dynconf
