#include <dynconf/range_reader.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"
#include "policy/range_walk.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;

struct range_reader::impl {
    policy::range_walk walk;   // touched on the core's strand only

    asio::awaitable<result<std::optional<range_response>>> next(const etcd::view& through) {
        if (walk.done()) co_return std::nullopt;
        auto page = co_await etcd::range_once(through, walk.keys(), walk.options());
        if (!page) co_return page.error();
        if (auto wrong = walk.on(*page)) co_return std::move(*wrong);
        co_return std::optional<range_response>(std::move(*page));
    }
};

range_reader::range_reader(const client& c, key_range range, range_options options)
    : facet(c), impl_(new impl{policy::range_walk(std::move(range), options, origin_.core->options().page_size)}) {}

void range_reader::start_next(detail::call_origin from, std::shared_ptr<impl> i, detail::erased_handler<std::optional<range_response>> h) {
    auto body = [i = std::move(i)](const etcd::view& through) { return i->next(through); };
    etcd::start<std::optional<range_response>>(from, etcd::cancels::total, std::move(h), std::move(body));
}

}  // namespace dynconf
