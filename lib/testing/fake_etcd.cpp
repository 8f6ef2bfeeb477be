#include <dynconf/testing/fake_etcd.hpp>

#include <dynconf/testing/simulated_world.hpp>

#include "testing/gateway.hpp"
#include "testing/member_server.hpp"
#include "testing/simulation.hpp"
#include "transport/clock.hpp"
#include "transport/socket_stream.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <sys/socket.h>

#include <future>
#include <map>
#include <thread>
#include <utility>

namespace dynconf::testing {

using asio::ip::tcp;
using transport::clock;

namespace {

/// What is refused here was asked for by the test.
template <class F>
auto told(F&& what) {
    try {
        return what();
    } catch (const refusal& why) {
        throw exception(error{why.status(), why.words()});
    }
}

/// A connection of the system that can be reset.
member_server::connection over(tcp::socket socket) {
    const int native = socket.native_handle();
    return {transport::make_stream(std::move(socket)), [native](transport::byte_stream&) {
                const linger at_once{1, 0};
                ::setsockopt(native, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            }};
}

}  // namespace

struct fake_etcd::impl {
    struct one {
        std::unique_ptr<testing::gateway> gateway;
        std::shared_ptr<member_server> server;
        std::string url;
        std::shared_ptr<tcp::acceptor> acceptor;   // on loopback, while it listens
        tcp::endpoint address;
        bool stopped = false;
    };
    struct breakage {
        std::string path;
        exchange_fault how;
        std::size_t left;
    };

    impl(asio::any_io_executor on, const fake_etcd_options& o) : executor(std::move(on)), random(o.seed) {
        cluster_options together;
        together.members = o.members;
        together.seed = random.bits();
        etcd = std::make_shared<cluster>(together);
        gateway_options each;
        each.server_version = o.version;
        each.auth_token_ttl = o.token_ttl;
        each.progress_notify_interval = o.progress_notify_interval;
        for (std::size_t i = 0; i < o.members; ++i) {
            one m;
            m.gateway = std::make_unique<testing::gateway>(etcd, etcd->members()[i].id, each);
            m.server = std::make_shared<member_server>(executor, *m.gateway, "member " + std::to_string(i), random.branch());
            members.push_back(std::move(m));
            members.back().server->plan = [this, i](const request& r) { return plan(i, r); };
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

    exchange_fault plan(std::size_t member, const request& r) {
        ++requests[r.path];
        for (breakage& b : breakages[member]) {
            if (b.left == 0 || !r.path.starts_with(b.path)) continue;
            --b.left;
            return b.how;
        }
        return {};
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
    static void accept(const std::shared_ptr<tcp::acceptor>& from, const std::shared_ptr<member_server>& to) {
        from->async_accept([from, to](const boost::system::error_code& ec, tcp::socket socket) {
            if (ec) return;
            boost::system::error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            to->serve(over(std::move(socket)));
            accept(from, to);
        });
    }
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
    std::map<std::size_t, std::vector<breakage>> breakages;   // by member
    std::map<std::string, std::size_t, std::less<>> requests;
};

fake_etcd::fake_etcd(fake_etcd_options options) {
    auto io = std::make_unique<asio::io_context>(1);
    impl_ = std::make_unique<impl>(io->get_executor(), options);
    impl_->io = std::move(io);
    for (impl::one& m : impl_->members) {
        impl_->listen(m);
        m.url = "http://127.0.0.1:" + std::to_string(m.address.port());
    }
    impl_->thread = std::thread([&on = *impl_->io] {
        const auto work = asio::make_work_guard(on);
        on.run();
    });
}

fake_etcd::fake_etcd(simulated_world& world, fake_etcd_options options)
    : impl_(std::make_unique<impl>(world.get_executor(), options)) {
    for (impl::one& m : impl_->members) {
        std::string authority;
        do authority = "etcd-" + std::to_string(impl_->random.below(1'000'000)) + ".test:2379";
        while (world.simulation_->network().find(authority));
        world.simulation_->network().listen(authority, m.server);
        m.url = "http://" + authority;
    }
}

fake_etcd::~fake_etcd() {
    impl_->each(every_member, [&](impl::one& m) {
        m.server->plan = nullptr;
        m.server->close();
        m.stopped = true;
        impl_->listen(m);
    });
    if (!impl_->thread.joinable()) return;
    impl_->io->stop();
    impl_->thread.join();
    impl_->io.reset();   // what is left of the connections uses the gateways
}

std::string fake_etcd::url(std::size_t member) const { return impl_->members.at(member).url; }
std::vector<std::string> fake_etcd::urls() const {
    std::vector<std::string> all;
    for (const impl::one& m : impl_->members) all.push_back(m.url);
    return all;
}

revision_t fake_etcd::put(std::string key, std::string value, lease_id lease) {
    return impl_->in_place([&] {
        put_request what;
        what.key = std::move(key);
        what.value = std::move(value);
        what.lease = lease;
        const revision_t at = impl_->etcd->store().put(what).revision;
        impl_->etcd->changed();
        return at;
    });
}

std::int64_t fake_etcd::erase(const key_range& keys) {
    return impl_->in_place([&] {
        delete_request what;
        what.key = keys.first();
        what.range_end = keys.range_end();
        const std::int64_t gone = impl_->etcd->store().erase(what).deleted;
        impl_->etcd->changed();
        return gone;
    });
}

std::optional<key_value> fake_etcd::get(std::string_view key) const {
    auto found = range(key_range::key(std::string(key)));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
}

std::vector<key_value> fake_etcd::range(const key_range& keys) const {
    return impl_->in_place([&] {
        range_request what;
        what.key = keys.first();
        what.range_end = keys.range_end();
        std::vector<key_value> all;
        for (const record& r : impl_->etcd->store().range(what).kvs) all.push_back(*r);
        return all;
    });
}

revision_t fake_etcd::revision() const {
    return impl_->in_place([&] { return impl_->etcd->store().revision(); });
}

void fake_etcd::compact(revision_t revision) {
    impl_->in_place([&] {
        impl_->etcd->store().compact(revision);
        impl_->etcd->changed();
    });
}

lease_id fake_etcd::grant(std::chrono::seconds ttl) {
    return impl_->in_place([&] {
        const lease_id id = impl_->etcd->store().grant(0, ttl.count(), clock::now()).id;
        impl_->etcd->changed();
        return id;
    });
}

void fake_etcd::revoke(lease_id lease) {
    impl_->in_place([&] {
        impl_->etcd->store().revoke(lease);
        impl_->etcd->changed();
    });
}

std::vector<lease_id> fake_etcd::leases() const {
    return impl_->in_place([&] {
        std::vector<lease_id> all;
        for (const auto& [id, lease] : impl_->etcd->store().leases()) all.push_back(id);
        return all;
    });
}

void fake_etcd::add_user(std::string name, std::string password) {
    impl_->in_place([&] {
        auth_store& auth = impl_->etcd->auth();
        const std::string role = "everything of " + name;
        auth.add_user(name, password, false);
        auth.add_role(role);
        auth.grant_permission(role, permission{permission_type::readwrite, std::string(1, '\0'), std::string(1, '\0')});
        auth.grant_role(name, role);
    });
}

void fake_etcd::replace() {
    impl_->in_place([&] { impl_->etcd->restore(etcd_store(), impl_->random.bits() | 1); });
}

void fake_etcd::set_link(const link_faults& faults, std::size_t member) {
    impl_->each(member, [&](impl::one& m) { impl_->set_link(m, faults); });
}

void fake_etcd::cut_connections(bool reset, std::size_t member) {
    impl_->each(member, [&](impl::one& m) { m.server->cut_connections(reset); });
}

void fake_etcd::break_exchanges(std::string path, const exchange_fault& how, std::size_t count, std::size_t member) {
    impl_->in_place([&] {
        for (std::size_t i = 0; i < impl_->members.size(); ++i)
            if (member == every_member || member == i) impl_->breakages[i].push_back({path, how, count});
    });
}

void fake_etcd::refuse(const fake_refusal& what, std::size_t member) {
    const refusal why(what.status, what.words);
    fault::rule rule{fault::refuse{why}, what.path, 1, what.skip, what.count};
    if (what.executed) rule.what = fault::refuse_after_commit{why};
    impl_->each(member, [&](impl::one& m) { m.gateway->faults().add(rule); });
}

void fake_etcd::stop(std::size_t member) {
    impl_->each(member, [&](impl::one& m) {
        m.stopped = true;
        impl_->set_link(m, m.server->faults());
        m.server->cut_connections(true);
    });
}

void fake_etcd::start(std::size_t member) {
    impl_->each(member, [&](impl::one& m) {
        link_faults f = m.server->faults();
        f.refuse = false;
        if (std::exchange(m.stopped, false)) m.gateway->forget_tokens();
        impl_->set_link(m, f);
    });
}

void fake_etcd::pause(bool paused, std::size_t member) {
    impl_->each(member, [&](impl::one& m) { m.server->pause(paused); });
}

void fake_etcd::isolate(std::size_t member) {
    impl_->each(member, [](impl::one& m) { m.gateway->isolate(); });
}
void fake_etcd::reconnect(std::size_t member) {
    impl_->each(member, [](impl::one& m) { m.gateway->reconnect(); });
}
void fake_etcd::hold_back(std::size_t member) {
    impl_->each(member, [](impl::one& m) { m.gateway->hold_back(); });
}
void fake_etcd::catch_up(std::size_t member) {
    impl_->each(member, [](impl::one& m) { m.gateway->catch_up(); });
}
void fake_etcd::freeze_progress(bool frozen, std::size_t member) {
    impl_->each(member, [frozen](impl::one& m) { m.gateway->freeze_progress(frozen); });
}
void fake_etcd::end_streams(std::size_t member) {
    impl_->each(member, [](impl::one& m) { m.gateway->end_streams(); });
}

void fake_etcd::lose_leader() {
    impl_->in_place([&] { impl_->etcd->lose_leader(); });
}

void fake_etcd::elect(std::size_t member) {
    impl_->in_place([&] { impl_->etcd->elect(impl_->members.at(member).gateway->id(), clock::now()); });
}

void fake_etcd::heal() {
    impl_->in_place([&] {
        impl_->breakages.clear();
        for (impl::one& m : impl_->members) {
            m.stopped = false;
            impl_->set_link(m, {});
            m.server->pause(false);
            m.gateway->faults().clear();
            m.gateway->reconnect();
            m.gateway->catch_up();
            m.gateway->freeze_progress(false);
        }
        if (impl_->etcd->leader() == 0) impl_->etcd->elect(impl_->members.front().gateway->id(), clock::now());
    });
}

std::size_t fake_etcd::requests(std::string_view path) const {
    return impl_->in_place([&] {
        const auto found = impl_->requests.find(path);
        return found == impl_->requests.end() ? std::size_t{0} : found->second;
    });
}

std::size_t fake_etcd::open_connections() const {
    return impl_->in_place([&] {
        std::size_t all = 0;
        for (const impl::one& m : impl_->members) all += m.server->open_connections();
        return all;
    });
}

std::size_t fake_etcd::open_streams() const {
    return impl_->in_place([&] {
        std::size_t all = 0;
        for (const impl::one& m : impl_->members) all += m.server->open_streams();
        return all;
    });
}

}  // namespace dynconf::testing
