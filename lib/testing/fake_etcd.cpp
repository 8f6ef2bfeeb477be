#include <dynconf/testing/simulated_world.hpp>

#include "testing/fake_etcd_impl.hpp"
#include "testing/simulation.hpp"
#include "transport/socket_stream.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <sys/socket.h>

namespace dynconf::testing {

namespace {

/// A connection of the system that can be reset.
member_server::connection over(tcp::socket socket) {
    const int native = socket.native_handle();
    return {transport::make_stream(std::move(socket)), [native](transport::byte_stream&) {
                const linger at_once{1, 0};
                ::setsockopt(native, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            }};
}

}  // namespace

void fake_etcd::impl::accept(const std::shared_ptr<tcp::acceptor>& from, const std::shared_ptr<member_server>& to) {
    from->async_accept([from, to](const boost::system::error_code& ec, tcp::socket socket) {
        if (ec) return;
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        to->serve(over(std::move(socket)));
        accept(from, to);
    });
}

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
        m.server->came = nullptr;
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
        impl_->stir();
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

fake_backup fake_etcd::backup() const {
    return impl_->in_place([&] {
        fake_backup taken;
        taken.held_ = std::make_shared<const cluster_backup>(impl_->etcd->back_up());
        return taken;
    });
}

void fake_etcd::restore(const fake_backup& older) {
    impl_->in_place([&] {
        impl_->etcd->restore(*older.held_);
        impl_->restored();
    });
}

void fake_etcd::restore_as_another(const fake_backup& older) {
    impl_->in_place([&] {
        impl_->etcd->restore(*older.held_, impl_->other_cluster());
        impl_->restored();
    });
}

void fake_etcd::replace() {
    impl_->in_place([&] { impl_->etcd->replace(impl_->other_cluster()); });
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
