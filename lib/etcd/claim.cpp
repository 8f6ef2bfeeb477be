#include <dynconf/claim.hpp>

#include "etcd/contender.hpp"

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

void claim::start_lost(std::shared_ptr<etcd::contender> i, detail::erased_handler<claim_loss> h) {
    const etcd::strand on = i->core()->executor();
    auto run = [](shared_contender self) -> asio::awaitable<result<claim_loss>> {
        claim_loss out;
        out.cause = co_await self->until_lost();
        if (out.cause.code == asio::error::operation_aborted) co_return out.cause;
        co_return out;
    };
    etcd::spawn<claim_loss>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

void claim::start_leave(std::shared_ptr<etcd::contender> i, detail::erased_handler<void> h) {
    const etcd::strand on = i->core()->executor();
    auto run = [](shared_contender self) -> asio::awaitable<result<void>> { co_return co_await self->leave(); };
    etcd::spawn<void>(on, std::move(i), std::move(h), etcd::cancels::terminal_only, run);
}

asio::awaitable<void> claim::protect(asio::awaitable<void> work) const {
    auto executor = co_await asio::this_coro::executor;
    auto both = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(work), asio::deferred), lost(asio::deferred));
    auto waiting = both.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    auto [order, work_failed, not_lost, loss] = co_await std::move(waiting);
    if (order[0] == 1 && !not_lost) throw exception(std::move(loss.cause));
    if (work_failed) std::rethrow_exception(work_failed);
}

}  // namespace dynconf
