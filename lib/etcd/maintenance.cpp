#include <dynconf/maintenance.hpp>

#include "etcd/client_access.hpp"
#include "etcd/spawn.hpp"
#include "wire/requests.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using shared_core = std::shared_ptr<etcd::client_core>;

maintenance::maintenance(const client& c) : core_(detail::client_access::core(c)) {}

void maintenance::start_status(core c, detail::erased_handler<status_response> h) {
    auto run = [](shared_core self) -> asio::awaitable<result<status_response>> {
        etcd::call what;
        what.name = "status";
        what.path = "/v3/maintenance/status";
        what.needs_leader = false;
        const std::string body = "{}";
        co_return co_await self->unary<status_response>(what, body);
    };
    etcd::spawn<status_response>(c->executor(), c, std::move(h), etcd::cancels::total, run);
}

void maintenance::start_compact(core c, revision_t revision, detail::erased_handler<void> h) {
    auto run = [revision](shared_core self) -> asio::awaitable<result<void>> {
        etcd::call what;
        what.name = "compact";
        what.path = "/v3/kv/compaction";
        what.safety = policy::safety::at_most_once;   // a second execution would answer "compacted"
        const std::string body = wire::compaction_request(revision);
        auto done = co_await self->unary<wire::header_only_response>(what, body);
        if (!done) co_return done.error();
        co_return result<void>();
    };
    etcd::spawn<void>(c->executor(), c, std::move(h), etcd::cancels::terminal_only, run);
}

}  // namespace dynconf
