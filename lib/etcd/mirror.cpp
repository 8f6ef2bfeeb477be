#include <dynconf/mirror.hpp>

#include "etcd/mirror_core.hpp"
#include "etcd/spawn.hpp"

#include <stdexcept>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;

struct mirror::impl {
    impl(const etcd::view& through, std::vector<key_range> ranges) : core(through.shared_core()), steps(through, std::move(ranges)) {}

    std::shared_ptr<etcd::client_core> core;
    etcd::mirror_core steps;   // touched on the core's strand only
};

namespace {

std::unique_ptr<mirror::impl> make(const client& c, std::vector<key_range> ranges) {
    if (ranges.empty()) throw std::invalid_argument("dynconf: a mirror of no range");
    return std::make_unique<mirror::impl>(etcd::view(detail::call_origin(c)), std::move(ranges));
}

}  // namespace

mirror::mirror(const client& c, std::vector<key_range> ranges) {
    auto made = make(c, std::move(ranges));
    const etcd::strand on = made->core->executor();   // before `made` is moved from
    impl_ = etcd::owned_by(on, std::move(made));
}

mirror::mirror(const client& c, std::vector<key_range> ranges, const known_content& from) {
    auto made = make(c, std::move(ranges));
    made->steps.resume(from);
    const etcd::strand on = made->core->executor();
    impl_ = etcd::owned_by(on, std::move(made));
}

void mirror::start_next(std::shared_ptr<impl> i, detail::erased_handler<mirror_step> h) {
    const etcd::strand on = i->core->executor();
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<mirror_step>> { co_return co_await self->steps.next(); };
    etcd::spawn<mirror_step>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

}  // namespace dynconf
