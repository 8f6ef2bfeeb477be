#include <dynconf/range_reader.hpp>

#include "etcd/client_access.hpp"
#include "etcd/range_pages.hpp"
#include "etcd/spawn.hpp"
#include "policy/range_walk.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;

struct range_reader::impl {
    impl(std::shared_ptr<etcd::client_core> c, key_range range, range_options options)
        : core(std::move(c)), walk(std::move(range), options, core->options().page_size) {}

    std::shared_ptr<etcd::client_core> core;
    policy::range_walk walk;   // touched on the core's strand only

    asio::awaitable<result<std::optional<range_response>>> next() {
        if (walk.done()) co_return std::nullopt;
        auto page = co_await etcd::range_once(*core, walk.keys(), walk.options());
        if (!page) co_return page.error();
        if (auto wrong = walk.on(*page)) co_return std::move(*wrong);
        co_return std::optional<range_response>(std::move(*page));
    }
};

range_reader::range_reader(const client& c, key_range range, range_options options)
    : impl_(std::make_shared<impl>(detail::client_access::core(c), std::move(range), options)) {}

void range_reader::start_next(std::shared_ptr<impl> i, detail::erased_handler<std::optional<range_response>> h) {
    const etcd::strand on = i->core->executor();
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<std::optional<range_response>>> { co_return co_await self->next(); };
    etcd::spawn<std::optional<range_response>>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

}  // namespace dynconf
