#include <dynconf/config/manager.hpp>

#include "config/manager_impl.hpp"
#include "etcd/spawn.hpp"

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dynconf {

namespace {

std::shared_ptr<source> source_for(const boost::asio::any_io_executor& executor, const settings& from, client_options options,
                                   const log_sink& log) {
    if (from.is_local()) return nullptr;
    options.endpoints = from.endpoints.value_or(std::vector<std::string>());
    if (options.endpoints.empty() && options.discovery.srv.empty())
        throw std::invalid_argument("dynconf: no etcd endpoint: set EtcdSettings__HostName or settings::endpoints, "
                                    "or USE_LOCAL_CONFIG=true");
    // One without the other is no login, as it always was with these variables.
    if (from.username && !from.username->empty()) {
        if (from.password && !from.password->empty()) options.auth = credentials{*from.username, *from.password};
        else if (from.password_file && !from.password_file->empty())
            options.auth = credentials_source::file(*from.username, *from.password_file);
    }
    if (from.ca_cert_path && !from.ca_cert_path->empty()) options.tls.ca_file = *from.ca_cert_path;
    if (from.cert_path && !from.cert_path->empty()) options.tls.cert_file = *from.cert_path;
    if (from.key_path && !from.key_path->empty()) options.tls.key_file = *from.key_path;
    if (from.key_password && !from.key_password->empty()) options.tls.key_password = *from.key_password;
    if (!options.log) options.log = log;
    return etcd_source(client(executor, std::move(options)));
}

}  // namespace

config_manager::config_manager(boost::asio::any_io_executor executor, std::shared_ptr<const schema> what, const settings& from,
                               manager_options options)
    : config_manager(executor, std::move(what), source_for(executor, from, options.client, options.log), options) {}

config_manager::config_manager(boost::asio::any_io_executor executor, std::shared_ptr<const schema> what,
                               std::shared_ptr<source> from, manager_options options) {
    if (!what) throw std::invalid_argument("dynconf: a manager without a schema");
    if (!options.cache.path.empty() && !options.cache.path.has_filename())
        throw std::invalid_argument("dynconf: cache_options::path names no file");
    // A program that changes its directory later (a daemon) keeps its file.
    if (!options.cache.path.empty()) options.cache.path = std::filesystem::absolute(options.cache.path);
    impl_ = std::make_shared<impl>(executor, std::move(what), std::move(from), std::move(options));
}

config_manager::~config_manager() {
    if (impl_) impl_->abandon();
}

snapshot config_manager::current() const { return impl_->current(); }
dynconf::status config_manager::status() const { return impl_->status(); }

subscription config_manager::subscribe(change_callback f) { return impl_->on_change.add(std::move(f)); }

subscription config_manager::subscribe(std::string name, value_callback f) {
    return impl_->on_change.add([name = std::move(name), f = std::move(f)](const snapshot& before, const snapshot& after) {
        static const value none;
        const value* old = before.find(name);
        const value* now = after.find(name);
        if (old == now || (old && now && *old == *now)) return;
        f(old ? *old : none, now ? *now : none);
    });
}

subscription config_manager::subscribe_status(status_callback f) { return impl_->on_status.add(std::move(f)); }
subscription config_manager::subscribe_rejections(rejection_callback f) { return impl_->on_rejection.add(std::move(f)); }

void config_manager::begin_start(std::shared_ptr<impl> i, detail::erased_handler<start_report> h) {
    const etcd::strand on = i->strand;
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<start_report>> { co_return co_await self->start(); };
    etcd::spawn<start_report>(on, std::move(i), std::move(h), etcd::cancels::terminal_only, run);
}

void config_manager::begin_get_all(std::shared_ptr<impl> i, detail::erased_handler<snapshot> h) {
    const etcd::strand on = i->strand;
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<snapshot>> { co_return co_await self->get_all(); };
    etcd::spawn<snapshot>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

void config_manager::begin_changed_since(std::shared_ptr<impl> i, revision_t revision, detail::erased_handler<snapshot> h) {
    const etcd::strand on = i->strand;
    auto run = [revision](std::shared_ptr<impl> self) -> asio::awaitable<result<snapshot>> {
        co_return co_await self->changed_since(revision);
    };
    etcd::spawn<snapshot>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

void config_manager::begin_state_other_than(std::shared_ptr<impl> i, config_state state, detail::erased_handler<dynconf::status> h) {
    const etcd::strand on = i->strand;
    auto run = [state](std::shared_ptr<impl> self) -> asio::awaitable<result<dynconf::status>> {
        co_return co_await self->state_other_than(state);
    };
    etcd::spawn<dynconf::status>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

void config_manager::begin_stop(std::shared_ptr<impl> i, detail::erased_handler<void> h) {
    const etcd::strand on = i->strand;
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<void>> { co_return co_await self->stop(); };
    etcd::spawn<void>(on, std::move(i), std::move(h), etcd::cancels::terminal_only, run);
}

boost::asio::awaitable<snapshot> config_manager::get_all_now(std::shared_ptr<impl> i) {
    if (snapshot now = i->at_hand(); now.origin() != origin::none) co_return now;
    // Named and moved: g++ 12 destroys the capture of a lambda in an expression with a co_await twice.
    auto begin = [i](detail::erased_handler<snapshot> h) { begin_get_all(i, std::move(h)); };
    co_return co_await detail::initiate<snapshot>(default_token{}, std::move(begin));
}

}  // namespace dynconf
