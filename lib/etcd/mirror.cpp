#include <dynconf/mirror.hpp>

#include "etcd/client_access.hpp"
#include "etcd/mirror_core.hpp"
#include "etcd/spawn.hpp"

#include <stdexcept>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;

struct mirror::impl {
    impl(std::shared_ptr<etcd::client_core> c, std::vector<key_range> ranges) : core(c), steps(std::move(c), std::move(ranges)) {}

    std::shared_ptr<etcd::client_core> core;
    etcd::mirror_core steps;   // touched on the core's strand only
};

mirror::mirror(const client& c, std::vector<key_range> ranges) {
    if (ranges.empty()) throw std::invalid_argument("dynconf: a mirror of no range");
    const auto& core = detail::client_access::core(c);
    impl_ = etcd::owned_by(core->executor(), std::make_unique<impl>(core, std::move(ranges)));
}

void mirror::start_next(std::shared_ptr<impl> i, detail::erased_handler<mirror_step> h) {
    const etcd::strand on = i->core->executor();
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<mirror_step>> { co_return co_await self->steps.next(); };
    etcd::spawn<mirror_step>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

}  // namespace dynconf
