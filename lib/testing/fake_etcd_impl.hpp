#pragma once

#include <dynconf/testing/fake_etcd.hpp>

#include "testing/electorate.hpp"
#include "testing/gateway.hpp"
#include "testing/member_server.hpp"
#include "transport/clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <future>
#include <map>
#include <thread>
#include <utility>

namespace dynconf::testing {

using asio::ip::tcp;
using transport::clock;

/// What is refused here was asked for by the test.
template <class F>
auto told(F&& what) {
    try {
        return what();
    } catch (const refusal& why) {
        throw exception(error{why.status(), why.words()});
    }
}

struct fake_etcd::impl {
    struct one {
        std::unique_ptr<testing::gateway> gateway;
        std::shared_ptr<member_server> server;
        std::string url;
        std::shared_ptr<tcp::acceptor> acceptor;   // on loopback, while it listens
        tcp::endpoint address;
        bool stopped = false, paused = false, isolated = false;
    };
    struct breakage {
        std::string path;
        exchange_fault how;
        std::size_t left;
    };

    impl(asio::any_io_executor on, const fake_etcd_options& o)
        : executor(std::move(on)), random(o.seed), voters(std::max<std::size_t>(o.members, 1)) {
        cluster_options together;
        together.members = o.members;
        together.seed = random.bits();
        etcd = std::make_shared<cluster>(together);
        gateway_options each;
        each.server_version = o.version;
        each.tokens = o.tokens;
        each.auth_token_ttl = o.token_ttl;
        each.progress_notify_interval = o.progress_notify_interval;
        for (std::size_t i = 0; i < o.members; ++i) {
            one m;
            m.gateway = std::make_unique<testing::gateway>(etcd, etcd->members()[i].id, each);
            m.server = std::make_shared<member_server>(executor, *m.gateway, "member " + std::to_string(i), random.branch());
            members.push_back(std::move(m));
            members.back().server->plan = [this, i](const request& r) { return plan(i, r); };
            members.back().server->came = [this](const request& r) { ++requests[r.path]; };
        }
        if (o.root_password.empty()) return;
        auth_store& auth = etcd->auth();
        auth.add_user("root", o.root_password, false);
        auth.add_role("root");
        auth.grant_role("root", "root");
        auth.enable();
    }

    /// Runs it where the members live.
    template <class F>
    auto in_place(F&& what) -> decltype(what()) {
        if (!thread.joinable()) return told(what);
        std::packaged_task<decltype(what())()> task([&what] { return told(what); });
        auto done = task.get_future();
        asio::post(executor, [&task] { task(); });
        return done.get();
    }
    template <class F>
    void each(std::size_t member, F&& what) {
        in_place([&] {
            if (member != every_member) return what(members.at(member));
            for (one& m : members) what(m);
        });
    }

    void add(const fault::rule& rule, std::size_t member) {
        each(member, [&](one& m) { m.gateway->faults().add(rule); });
    }
    std::uint64_t other_cluster() noexcept { return random.bits() | 1; }
    /// Under its new leader each lease begins anew.
    void restored() {
        etcd->store().extend_leases(clock::now(), std::chrono::milliseconds(0));
        stir();
    }
    /// The time that members wait for may be another one.
    void stir() {
        for (one& m : members)
            if (m.gateway->on_change) m.gateway->on_change();
    }

    exchange_fault plan(std::size_t member, const request& r) {
        for (breakage& b : breakages[member]) {
            if (b.left == 0 || !r.path.starts_with(b.path)) continue;
            --b.left;
            return b.how;
        }
        return {};
    }

    /// After members went, came, or lost each other.
    void see_who_leads() {
        for (std::size_t i = 0; i < members.size(); ++i)
            voters.set_in_touch(i, !members[i].stopped && !members[i].paused && !members[i].isolated);
        if (leaderless) {
            // Nobody leads until somebody is told to.
        } else if (!voters.has_majority()) {
            electing.reset();
            if (etcd->leader() != 0) etcd->lose_leader();
            voters.set_leaderless();
        } else if (voters.lacks_leader() && members.size() == 1) {
            lead(0);
        } else if (voters.lacks_leader() && !electing) {
            electing = std::make_shared<int>();
            const auto time = random.between(std::chrono::milliseconds(1000), std::chrono::milliseconds(2000));
            asio::co_spawn(executor, elect(*this, executor, electing, time), asio::detached);
        }
        for (one& m : members) pause(m);
    }
    void lead(std::size_t member) {
        electing.reset();
        leaderless = false;
        voters.set_leader(member);
        etcd->elect(members.at(member).gateway->id(), clock::now());
        for (one& m : members) pause(m);
        stir();
    }
    /// Whoever has asked waits while there is an election.
    void pause(one& m) { m.server->pause(m.paused || (electing && !m.isolated)); }
    static asio::awaitable<void> elect(impl& self, asio::any_io_executor on, std::weak_ptr<int> still, std::chrono::milliseconds time) {
        transport::timer sleeper(on, clock::now() + time);
        co_await sleeper.async_wait(transport::as_result);
        if (still.lock()) self.lead(self.voters.next_leader());
    }

    void listen(one& m) {
        if (m.stopped || !m.server->accepts()) {
            if (const auto open = std::exchange(m.acceptor, nullptr)) open->close();
            return;
        }
        if (m.acceptor || !io) return;
        m.acceptor = std::make_shared<tcp::acceptor>(*io, m.address.port() != 0 ? m.address : tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        m.address = m.acceptor->local_endpoint();
        accept(m.acceptor, m.server);
    }
    static void accept(const std::shared_ptr<tcp::acceptor>& from, const std::shared_ptr<member_server>& to);
    void set_link(one& m, link_faults f) {
        f.refuse |= m.stopped;
        m.server->set_faults(f);
        listen(m);
    }

    std::unique_ptr<asio::io_context> io;   // on loopback
    asio::any_io_executor executor;
    std::thread thread;                     // on loopback
    seeded_random random;
    std::shared_ptr<cluster> etcd;
    std::vector<one> members;
    electorate voters;
    std::shared_ptr<int> electing;   // while there is an election
    bool leaderless = false;         // until somebody is told to lead
    std::map<std::size_t, std::vector<breakage>> breakages;   // by member
    std::map<std::string, std::size_t, std::less<>> requests;
};

}  // namespace dynconf::testing
