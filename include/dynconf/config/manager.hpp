#pragma once

#include <dynconf/client.hpp>
#include <dynconf/config/cache.hpp>
#include <dynconf/config/environment.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/config/settings.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/config/source.hpp>
#include <dynconf/config/status.hpp>
#include <dynconf/config/subscription.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/initiate.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace dynconf {

struct manager_options {
    /// `start()` fails when etcd is not reached (a copy on disk is no substitute), when a required setting is missing or
    /// when a value is refused. Otherwise it succeeds, and its report and `status()` say so.
    bool strict = false;
    /// How long `start()` waits for etcd before it serves the copy on disk or the environment instead. That copy is read
    /// first, in as much time again at most, but two seconds at least; a disk that is silent for two seconds is given up.
    std::chrono::milliseconds start_timeout{10'000};
    /// For the client that the manager makes of its settings. Its endpoints are those of the settings, whatever stands here;
    /// login, CA file, client certificate, key and key password are, where the settings name them. A certificate or key there
    /// beside a text here (`tls.cert_pem`, `tls.key_pem`) is refused as two. With `discovery.srv` the settings need no endpoint.
    client_options client;
    /// Where values come from in local mode and as a fallback.
    environment_lookup look_up = process_environment();
    /// A copy of etcd's content on disk; off unless it has a path. Not used in local mode.
    cache_options cache;
    log_sink log;
};

/// A configuration in memory that a watch keeps equal to etcd.
///
/// Not copyable; safe to use from any thread. `current()`, `status()` and every read of a snapshot return at once.
/// All else runs on a strand of the executor; only a copy on disk (`cache`) takes a thread, while it is read or written.
/// Destroying it ends everything without waiting (no callback begins any more); `stop()` waits. Operations complete with
/// `void(error_code, T)`, or throw `exception` with the default token; they take terminal cancellation.
class config_manager {
public:
    /// Follows the etcd that `from` names, or the environment in local mode. Throws std::invalid_argument when the
    /// settings cannot work: no endpoint (and no `discovery.srv`) or a nonsensical one.
    DYNCONF_API config_manager(boost::asio::any_io_executor executor, std::shared_ptr<const schema> what,
                               const settings& from = settings::from_environment(), manager_options options = {});

    /// The same for a schema that is given by value.
    template <std::derived_from<schema> Schema>
    config_manager(boost::asio::any_io_executor executor, Schema what, const settings& from = settings::from_environment(),
                   manager_options options = {})
        : config_manager(std::move(executor), std::make_shared<const Schema>(std::move(what)), from, std::move(options)) {}

    /// Follows any source; null: local mode.
    DYNCONF_API config_manager(boost::asio::any_io_executor executor, std::shared_ptr<const schema> what,
                               std::shared_ptr<source> from, manager_options options = {});

    config_manager(config_manager&&) noexcept = default;
    config_manager& operator=(config_manager&&) = delete;
    DYNCONF_API ~config_manager();

    /// Loads, checks, and follows until stop(). When etcd cannot be reached it serves the copy on disk, or else the
    /// environment and the defaults, says so, and changes over by itself as soon as etcd answers.
    /// Errors: errc::already_running, errc::schema_violation for a schema that contradicts itself; with
    /// `manager_options::strict` also what hindered the load. May be called again after stop().
    template <class Token = default_token>
    auto start(Token&& token = {}) {
        return detail::initiate<start_report>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<start_report> h) { begin_start(i, std::move(h)); });
    }

    /// The current snapshot. At once when there is one (with the default token without a turn through the executor),
    /// else when start() has one. Fails with errc::not_running before start() and after stop().
    template <class Token = default_token>
    auto get_all_configs(Token&& token = {}) {
        if constexpr (std::is_same_v<std::decay_t<Token>, default_token>)
            return get_all_now(impl_);
        else
            return detail::initiate<snapshot>(std::forward<Token>(token),
                [i = impl_](detail::erased_handler<snapshot> h) { begin_get_all(i, std::move(h)); });
    }

    /// The first snapshot in which a value differs from that at `revision`: at once when there is one by now, else when
    /// it is published. Steps in between are skipped. Also completes, perhaps without a difference, when the store has gone
    /// back to before `revision`, and at once for one that may be of a store before that, unless it is that of `current()`.
    /// Fails with errc::not_running when the manager is stopped.
    template <class Token = default_token>
    auto changed_since(revision_t revision, Token&& token = {}) {
        return detail::initiate<snapshot>(std::forward<Token>(token),
            [i = impl_, revision](detail::erased_handler<snapshot> h) { begin_changed_since(i, revision, std::move(h)); });
    }

    /// The status as soon as its state is another than `state`: at once when it is. Steps in between may be skipped. stop() is
    /// a change of state as any other; of a stopped manager `stopped` lasts until start(). Fails with errc::not_running when
    /// the manager is destroyed, and `state` is `stopped`.
    template <class Token = default_token>
    auto state_other_than(config_state state, Token&& token = {}) {
        return detail::initiate<dynconf::status>(std::forward<Token>(token),
            [i = impl_, state](detail::erased_handler<dynconf::status> h) { begin_state_other_than(i, state, std::move(h)); });
    }

    /// Ends the watch; completes when nothing is under way and no callback will be called any more. Never fails; a
    /// manager that does not run is stopped already. The last snapshot stays readable.
    template <class Token = default_token>
    auto stop(Token&& token = {}) {
        return detail::initiate<void>(std::forward<Token>(token),
            [i = impl_](detail::erased_handler<void> h) { begin_stop(i, std::move(h)); });
    }

    /// The latest snapshot; empty before the first. Costs a copy of one pointer under a mutex.
    DYNCONF_API snapshot current() const;
    DYNCONF_API dynconf::status status() const;

    /// Calls `f(before, after)` on the manager's strand for every published change of a value, until the subscription
    /// ends. An exception of `f` is logged and goes no further.
    using change_callback = std::function<void(const snapshot& before, const snapshot& after)>;
    [[nodiscard]] DYNCONF_API subscription subscribe(change_callback f);
    /// The same for one setting; null stands for a name that is not there.
    using value_callback = std::function<void(const value& before, const value& after)>;
    [[nodiscard]] DYNCONF_API subscription subscribe(std::string name, value_callback f);
    /// Calls `f` whenever the state or its cause changes.
    using status_callback = std::function<void(const dynconf::status&)>;
    [[nodiscard]] DYNCONF_API subscription subscribe_status(status_callback f);
    /// Calls `f` for every value that is refused while running; those of start() are in its report.
    using rejection_callback = std::function<void(const rejection&)>;
    [[nodiscard]] DYNCONF_API subscription subscribe_rejections(rejection_callback f);

    struct impl;

private:
    DYNCONF_API static void begin_start(std::shared_ptr<impl>, detail::erased_handler<start_report>);
    DYNCONF_API static void begin_get_all(std::shared_ptr<impl>, detail::erased_handler<snapshot>);
    DYNCONF_API static void begin_changed_since(std::shared_ptr<impl>, revision_t, detail::erased_handler<snapshot>);
    DYNCONF_API static void begin_state_other_than(std::shared_ptr<impl>, config_state, detail::erased_handler<dynconf::status>);
    DYNCONF_API static void begin_stop(std::shared_ptr<impl>, detail::erased_handler<void>);
    DYNCONF_API static boost::asio::awaitable<snapshot> get_all_now(std::shared_ptr<impl>);

    std::shared_ptr<impl> impl_;
};

}  // namespace dynconf
