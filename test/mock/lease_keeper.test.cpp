// How the leases of a client are kept alive: in which requests, and what becomes of a request that fails.

#include "etcd/lease_keeper.hpp"
#include "mock/core_scene.hpp"
#include "support/parallel.hpp"

#include <dynconf/lease.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using then = gateway_answer::then;

namespace {

std::vector<lease_id> ids_of(const gateway_request& r) {
    std::vector<lease_id> all;
    for (auto at = r.body.find("\"ID\":\""); at != std::string::npos; at = r.body.find("\"ID\":\"", at + 1)) all.push_back(std::stoll(r.body.substr(at + 6)));
    return all;
}

gateway_answer kept_alive(const gateway_request& r) {
    std::vector<std::string> lines;
    for (const lease_id id : ids_of(r)) lines.push_back("{\"result\":{" + header(5) + ",\"ID\":\"" + std::to_string(id) + "\",\"TTL\":\"2\"}}");
    return stream(lines, r.has("Connection: close") ? then::close : then::next_request);
}

/// As granted so long ago that little of its time is left before it is due.
lease_grant_response granted(lease_id id, std::chrono::seconds ttl, std::chrono::steady_clock::time_point good_until) {
    lease_grant_response g;
    g.id = id;
    g.ttl = ttl;
    g.good_until = good_until;
    return g;
}

/// Leases that are kept alive until this ends.
class keeping {
public:
    keeping(client& c, int count, std::chrono::seconds ttl) : lost_(static_cast<std::size_t>(count)) {
        const auto good_until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ttl) * 3 / 4;   // due a twelfth of the TTL from now
        for (int i = 0; i < count; ++i) {
            error& why = lost_[static_cast<std::size_t>(i)];
            auto keep = [](leases l, lease_grant_response g) -> asio::awaitable<void> { co_await l.keep_alive(g); };
            asio::co_spawn(core_of(c).executor(), keep(leases(c), granted(100 + i, ttl, good_until)),
                asio::bind_cancellation_slot(stop_.emplace_back().slot(), [this, &why](std::exception_ptr e) {
                    why = to_error(e);
                    ++ended_;
                }));
        }
    }
    bool none_lost() const noexcept { return ended_ == 0; }
    /// Ends them; all have to end by that.
    asio::awaitable<void> end(client& c) {
        auto body = [&]() -> asio::awaitable<void> {
            for (asio::cancellation_signal& s : stop_) s.emit(asio::cancellation_type::terminal);
            while (ended_ < lost_.size()) (void)co_await core_of(c).sleep(1ms);
        };
        co_await asio::co_spawn(core_of(c).executor(), std::move(body), asio::use_awaitable);
        for (const error& e : lost_) CHECK(e == asio::error::operation_aborted);
    }

private:
    std::vector<error> lost_;
    std::deque<asio::cancellation_signal> stop_;
    std::size_t ended_ = 0;
};

}  // namespace

TEST_CASE("lease keeper: the leases of a client are one request, whose connection ends with it", "[lease_keeper]") {
    fake_gateway gateway;
    gateway.on(keep_alive_path, kept_alive);
    const int count = GENERATE(1, 50);
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        keeping all(c, count, 2s);
        co_await until([&] { return gateway.count(keep_alive_path) >= 3; });
        CHECK(all.none_lost());
        co_await all.end(c);
    });
    const std::vector<gateway_request> requests = gateway.requests(keep_alive_path);
    for (const gateway_request& r : requests) {
        std::vector<lease_id> ids = ids_of(r);
        std::sort(ids.begin(), ids.end());
        CHECK(ids.size() == static_cast<std::size_t>(count));
        CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
        // Go's server may throw away the later messages of a body, but not on a connection that ends.
        CHECK(r.has("Connection: close") == (count > 1));
    }
    // At the end there may be one more whose request was not sent any more.
    CHECK(gateway.connections() >= (count > 1 ? requests.size() : 1));
    CHECK(gateway.connections() <= (count > 1 ? requests.size() + 1 : 1));
}

TEST_CASE("lease keeper: a try that was too slow goes on elsewhere, and the member stays in use for all others", "[lease_keeper]") {
    const bool by_the_server = GENERATE(false, true);
    INFO(by_the_server);
    fake_gateway slow, other;
    slow.on(keep_alive_path, [&](const auto&) { return by_the_server ? json(fault(4, "context deadline exceeded"), 504) : silence(); });
    slow.on(range_path, empty_range);
    slow.on(status_path, healthy_status);
    other.on(keep_alive_path, kept_alive);
    other.on(range_path, empty_range);
    with_client(options_for({slow.url(), other.url()}), [&](client& c) -> asio::awaitable<void> {
        keeping all(c, 3, 2s);
        co_await until([&] { return other.count(keep_alive_path) >= 3; });
        CHECK(all.none_lost());
        kv store(c);
        co_await read_once(store);
        co_await all.end(c);
    });
    CHECK(slow.count(keep_alive_path) == 1);   // and it is not asked again for leases
    CHECK(slow.count(range_path) == 1);
    CHECK(slow.count(status_path) == 0);       // nobody took it for one that is down
}

TEST_CASE("lease keeper: the time counts from the request, not from its answer", "[lease_keeper]") {
    std::chrono::steady_clock::time_point arrived;
    fake_gateway gateway;
    gateway.on(keep_alive_path, [&](const gateway_request& r) {
        if (r.number > 1) return silence();
        arrived = std::chrono::steady_clock::now();
        const std::string kept = "{\"result\":{" + header(5) + ",\"ID\":\"100\",\"TTL\":\"4\"}}";
        return stream({kept}, then::next_request).after(1s);
    });
    with_core(options_for({gateway.url()}), [&](etcd::client_core& core) -> asio::awaitable<void> {
        etcd::kept_lease lease(core.shared_from_this(), 100, policy::lease_clock(4s, std::chrono::steady_clock::now() - 1s));
        const auto granted_until = lease.safe_until();
        co_await until([&] { return lease.safe_until() != granted_until; });
        CHECK(lease.safe_until() > granted_until);
        CHECK(lease.safe_until() <= arrived + 4s - 400ms);   // etcd may end it then, but for a tenth
        const error why = co_await lease.until_lost();
        CHECK(why == errc::lease_unreachable);
    });
}

TEST_CASE("lease keeper: a member that refuses is left out for all", "[lease_keeper]") {
    fake_gateway bad, good;
    bad.on(keep_alive_path, no_leader);
    bad.on(status_path, no_leader);
    good.on(keep_alive_path, kept_alive);
    good.on(range_path, empty_range);
    with_client(options_for({bad.url(), good.url()}), [&](client& c) -> asio::awaitable<void> {
        keeping all(c, 3, 2s);
        co_await until([&] { return good.count(keep_alive_path) >= 2; });
        CHECK(all.none_lost());
        kv store(c);
        co_await read_once(store);
        co_await all.end(c);
    });
    CHECK(bad.count(keep_alive_path) == 1);
    CHECK(good.count(range_path) == 1);
}

TEST_CASE("lease keeper: where some answers are missing the rest is asked for again", "[lease_keeper]") {
    fake_gateway gateway;
    gateway.on(keep_alive_path, [](const gateway_request& r) {
        if (r.number > 1) return kept_alive(r);
        gateway_request first = r;
        first.body.resize(first.body.find('}') + 1);
        return kept_alive(first);
    });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        keeping all(c, 3, 2s);
        co_await until([&] { return gateway.count(keep_alive_path) >= 3; });
        CHECK(all.none_lost());
        co_await all.end(c);
    });
    const std::vector<gateway_request> requests = gateway.requests(keep_alive_path);
    CHECK(ids_of(requests[0]).size() == 3);
    CHECK(ids_of(requests[1]).size() == 2);
}
