#include "testing/memory_network.hpp"

#include "testing/memory_stream.hpp"
#include "transport/clock.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::testing {

using transport::clock;

asio::awaitable<result<std::unique_ptr<transport::byte_stream>>> memory_connector::connect(endpoint to, time_point due) {
    due = std::min(due, clock::now() + timeout_);
    for (;;) {
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, {}};
        if (clock::now() >= due) co_return error{errc::deadline_exceeded, "connect"};
        const std::shared_ptr<member_server> who = network_->find(to.authority());
        const bool lost = who && who->loses_connects();
        if (lost) {
            // What is lost on the way is sent again; all that is to be seen of it is when it arrives.
            co_await who->changed().wait(due);
            continue;
        }
        if (const auto way = who ? who->one_way() + who->one_way() : std::chrono::milliseconds(0); way.count() > 0) {
            transport::timer sleeper(executor_, std::min(due, clock::now() + way));
            co_await sleeper.async_wait(transport::as_result);
            if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, {}};
        }
        if (clock::now() >= due) continue;
        if (!who || !who->accepts()) co_return error{asio::error::connection_refused, "connect"};
        auto [near, far] = memory_stream::make_pair(executor_, who->executor());
        who->serve({std::move(far), [](transport::byte_stream& s) { static_cast<memory_stream&>(s).reset(); }});
        if (network_->between) co_return network_->between(std::move(near));
        co_return std::move(near);
    }
}

}  // namespace dynconf::testing
