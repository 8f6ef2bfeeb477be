#include <dynconf/lease.hpp>

#include "etcd/client_access.hpp"
#include "etcd/keep_alive_reply.hpp"
#include "etcd/lease_calls.hpp"
#include "wire/requests.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::cancels;
using shared_core = std::shared_ptr<etcd::client_core>;

namespace {

asio::awaitable<result<void>> keep(shared_core core, lease_id id, policy::lease_clock when) {
    etcd::kept_lease lease(std::move(core), id, when);
    co_return co_await lease.until_lost();
}

}  // namespace

leases::leases(const client& c) : core_(detail::client_access::core(c)) {}

void leases::start_grant(core c, std::chrono::milliseconds ttl, lease_id id, detail::erased_handler<lease_grant_response> h) {
    auto run = [ttl, id](shared_core self) { return etcd::grant_lease(*self, ttl, id); };
    etcd::spawn<lease_grant_response>(c->executor(), c, std::move(h), cancels::terminal_only, run);
}

void leases::start_revoke(core c, lease_id id, detail::erased_handler<void> h) {
    auto run = [id](shared_core self) { return etcd::revoke_lease(*self, id); };
    etcd::spawn<void>(c->executor(), c, std::move(h), cancels::terminal_only, run);
}

void leases::start_time_to_live(core c, lease_id id, bool keys, detail::erased_handler<lease_time_to_live_response> h) {
    auto run = [id, keys](shared_core self) -> asio::awaitable<result<lease_time_to_live_response>> {
        const etcd::call what{"lease_time_to_live", "/v3/lease/timetolive"};
        const std::string body = wire::lease_time_to_live_request(id, keys);
        auto found = co_await self->unary<wire::lease_time_to_live_response>(what, body);
        if (!found) co_return found.error();
        if (found->ttl < 0) co_return error{server_errc::lease_not_found, "lease_time_to_live"};
        lease_time_to_live_response out;
        out.header = found->header;
        out.ttl = std::chrono::seconds(found->ttl);
        out.granted_ttl = std::chrono::seconds(found->granted_ttl);
        out.keys = std::move(found->keys);
        co_return out;
    };
    etcd::spawn<lease_time_to_live_response>(c->executor(), c, std::move(h), cancels::total, run);
}

void leases::start_list(core c, detail::erased_handler<std::vector<lease_id>> h) {
    auto run = [](shared_core self) -> asio::awaitable<result<std::vector<lease_id>>> {
        const etcd::call what{"lease_list", "/v3/lease/leases"};
        const std::string body = "{}";
        auto found = co_await self->unary<wire::lease_leases_response>(what, body);
        if (!found) co_return found.error();
        std::vector<lease_id> out;
        for (const wire::lease_entry& l : found->leases) out.push_back(l.id);
        co_return out;
    };
    etcd::spawn<std::vector<lease_id>>(c->executor(), c, std::move(h), cancels::total, run);
}

void leases::start_put_with_ttl(core c, std::string key, std::string value, std::chrono::milliseconds ttl,
                                detail::erased_handler<leased_put_response> h) {
    auto run = [key = std::move(key), value = std::move(value), ttl](shared_core self) -> asio::awaitable<result<leased_put_response>> {
        auto granted = co_await etcd::grant_lease(*self, ttl);
        if (!granted) co_return granted.error();
        put_options with_lease;
        with_lease.lease = granted->id;
        const etcd::call what{"put", "/v3/kv/put", policy::safety::at_most_once};
        const std::string body = wire::put_request(key, value, with_lease);
        auto put = co_await self->unary<put_response>(what, body);
        if (!put) {
            co_await etcd::drop_lease(*self, granted->id);
            co_return put.error();
        }
        leased_put_response out;
        out.put = std::move(*put);
        out.lease = *granted;
        co_return out;
    };
    etcd::spawn<leased_put_response>(c->executor(), c, std::move(h), cancels::terminal_only, std::move(run));
}

void leases::start_keep_alive_once(core c, lease_id id, detail::erased_handler<lease_keep_alive_response> h) {
    auto run = [id](shared_core self) -> asio::awaitable<result<lease_keep_alive_response>> {
        const etcd::call what{"keep_alive", "/v3/lease/keepalive"};
        const std::string body = wire::lease_keep_alive_request({&id, 1});
        etcd::keep_alive_reply answer;
        auto done = co_await self->perform(what, body, answer);
        if (!done) co_return done.error();
        if (answer.answers.size() != 1) co_return error{errc::malformed_response, "keep_alive"};
        if (answer.answers[0].ttl <= 0) co_return error{server_errc::lease_not_found, "keep_alive"};
        lease_keep_alive_response out;
        out.header = answer.answers[0].header;
        out.ttl = std::chrono::seconds(answer.answers[0].ttl);
        co_return out;
    };
    etcd::spawn<lease_keep_alive_response>(c->executor(), c, std::move(h), cancels::terminal_only, run);
}

void leases::start_keep_alive(core c, lease_id id, detail::erased_handler<void> h) {
    auto run = [id](shared_core self) -> asio::awaitable<result<void>> {
        const auto patience = self->options().total_timeout;
        co_return co_await keep(self, id, policy::lease_clock::unknown(etcd::client_core::clock::now(), patience));
    };
    etcd::spawn<void>(c->executor(), c, std::move(h), cancels::total, run);
}

void leases::start_keep_alive_granted(core c, lease_id id, std::chrono::seconds ttl, std::chrono::steady_clock::time_point until,
                                      detail::erased_handler<void> h) {
    auto run = [id, ttl, until](shared_core self) { return keep(self, id, policy::lease_clock(ttl, until - ttl)); };
    etcd::spawn<void>(c->executor(), c, std::move(h), cancels::total, run);
}

}  // namespace dynconf
