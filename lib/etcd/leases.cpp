#include <dynconf/lease.hpp>

#include "etcd/keep_alive_reply.hpp"
#include "etcd/kv_calls.hpp"
#include "etcd/lease_calls.hpp"
#include "etcd/start_call.hpp"
#include "wire/requests.hpp"

#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::cancels;
using etcd::view;

namespace {

asio::awaitable<result<void>> keep(std::shared_ptr<etcd::client_core> core, lease_id id, policy::lease_clock when) {
    etcd::kept_lease lease(std::move(core), id, when);
    co_return co_await lease.until_lost();
}

}  // namespace

leases::leases(const client& c) : facet(c) {}

void leases::start_grant(origin from, std::chrono::milliseconds ttl, lease_id id, detail::erased_handler<lease_grant_response> h) {
    auto run = [ttl, id](const view& through) { return etcd::grant_lease(through, ttl, id); };
    etcd::start<lease_grant_response>(from, cancels::terminal_only, std::move(h), run);
}

void leases::start_revoke(origin from, lease_id id, detail::erased_handler<void> h) {
    auto run = [id](const view& through) { return etcd::revoke_lease(through, id); };
    etcd::start<void>(from, cancels::terminal_only, std::move(h), run);
}

void leases::start_time_to_live(origin from, lease_id id, bool keys, detail::erased_handler<lease_time_to_live_response> h) {
    auto run = [id, keys](const view& through) -> asio::awaitable<result<lease_time_to_live_response>> {
        etcd::call what{"lease_time_to_live", "/v3/lease/timetolive"};
        what.due = through.due();
        const std::string body = wire::lease_time_to_live_request(id, keys);
        auto found = co_await through.core().unary<wire::lease_time_to_live_response>(what, body);
        if (!found) co_return found.error();
        if (found->ttl < 0) co_return error{server_errc::lease_not_found, "lease_time_to_live"};
        lease_time_to_live_response out;
        out.header = found->header;
        out.ttl = std::chrono::seconds(found->ttl);
        out.granted_ttl = std::chrono::seconds(found->granted_ttl);
        through.keys().from_etcd(found->keys);
        out.keys = std::move(found->keys);
        co_return out;
    };
    etcd::start<lease_time_to_live_response>(from, cancels::total, std::move(h), run);
}

void leases::start_list(origin from, detail::erased_handler<std::vector<lease_id>> h) {
    auto run = [](const view& through) -> asio::awaitable<result<std::vector<lease_id>>> {
        etcd::call what{"lease_list", "/v3/lease/leases"};
        what.due = through.due();
        const std::string body = "{}";
        auto found = co_await through.core().unary<wire::lease_leases_response>(what, body);
        if (!found) co_return found.error();
        std::vector<lease_id> out;
        for (const wire::lease_entry& l : found->leases) out.push_back(l.id);
        co_return out;
    };
    etcd::start<std::vector<lease_id>>(from, cancels::total, std::move(h), run);
}

void leases::start_put_with_ttl(origin from, std::string key, std::string value, std::chrono::milliseconds ttl,
                                detail::erased_handler<leased_put_response> h) {
    auto run = [key = std::move(key), value = std::move(value), ttl](const view& through) -> asio::awaitable<result<leased_put_response>> {
        auto granted = co_await etcd::grant_lease(through, ttl);
        if (!granted) co_return granted.error();
        put_options with_lease;
        with_lease.lease = granted->id;
        auto put = co_await etcd::put(through, key, value, with_lease);
        if (!put) {
            co_await etcd::drop_lease(through.core(), granted->id);
            co_return put.error();
        }
        leased_put_response out;
        out.put = std::move(*put);
        out.lease = *granted;
        co_return out;
    };
    etcd::start<leased_put_response>(from, cancels::terminal_only, std::move(h), std::move(run));
}

void leases::start_keep_alive_once(origin from, lease_id id, detail::erased_handler<lease_keep_alive_response> h) {
    auto run = [id](const view& through) -> asio::awaitable<result<lease_keep_alive_response>> {
        etcd::call what{"keep_alive", "/v3/lease/keepalive"};
        what.due = through.due();
        const std::string body = wire::lease_keep_alive_request({&id, 1});
        etcd::keep_alive_reply answer;
        auto done = co_await through.core().perform(what, body, answer);
        if (!done) co_return done.error();
        if (answer.answers.size() != 1) co_return error{errc::malformed_response, "keep_alive"};
        if (answer.answers[0].ttl <= 0) co_return error{server_errc::lease_not_found, "keep_alive"};
        lease_keep_alive_response out;
        out.header = answer.answers[0].header;
        out.ttl = std::chrono::seconds(answer.answers[0].ttl);
        co_return out;
    };
    etcd::start<lease_keep_alive_response>(from, cancels::terminal_only, std::move(h), run);
}

void leases::start_keep_alive(origin from, lease_id id, detail::erased_handler<void> h) {
    const auto patience = from.timeout.value_or(from.core->options().total_timeout);
    auto run = [id, patience](const view& through) {
        return keep(through.shared_core(), id, policy::lease_clock::unknown(view::clock::now(), patience));
    };
    etcd::start_waiting<void>(from, cancels::total, std::move(h), run);
}

void leases::start_keep_alive_granted(origin from, lease_id id, std::chrono::seconds ttl, std::chrono::steady_clock::time_point until,
                                      detail::erased_handler<void> h) {
    auto run = [id, ttl, until](const view& through) { return keep(through.shared_core(), id, policy::lease_clock(ttl, until - ttl)); };
    etcd::start_waiting<void>(from, cancels::total, std::move(h), run);
}

}  // namespace dynconf
