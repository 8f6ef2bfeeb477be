#pragma once

#include <dynconf/config/manager.hpp>

#include "config/callbacks.hpp"
#include "config/content.hpp"
#include "config/disk_cache.hpp"
#include "etcd/spawn.hpp"
#include "policy/event_log.hpp"
#include "transport/condition.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf {

namespace asio = boost::asio;

/// The life of a manager. Coroutines run on `strand`.
struct config_manager::impl : std::enable_shared_from_this<config_manager::impl> {
    impl(const asio::any_io_executor& executor, std::shared_ptr<const dynconf::schema> what, std::shared_ptr<source> where,
         manager_options how);

    asio::awaitable<result<start_report>> start();
    asio::awaitable<result<snapshot>> get_all();
    asio::awaitable<result<snapshot>> changed_since(revision_t revision);
    asio::awaitable<result<dynconf::status>> state_other_than(config_state state);
    asio::awaitable<result<void>> stop();
    /// The manager object is gone: no callback begins any more, and everything ends by itself.
    void abandon();

    snapshot current() const;
    /// The same while running; empty when stopped.
    snapshot at_hand() const;
    dynconf::status status() const;

    // constant
    const etcd::strand strand;
    const std::shared_ptr<const dynconf::schema> schema;
    const std::shared_ptr<source> from;   // null: local mode
    const manager_options options;
    const std::unique_ptr<detail::disk_cache> disk;   // null: none is kept

    // their own locks
    detail::callbacks<const snapshot&, const snapshot&> on_change;
    detail::callbacks<const dynconf::status&> on_status;
    detail::callbacks<const rejection&> on_rejection;

private:
    enum class phase : std::uint8_t { idle, starting, running, stopping };

    asio::awaitable<result<start_report>> run_first_load();
    asio::awaitable<void> follow();
    void take(mirror_step step);
    void keep_proof(const mirror_step& step);
    /// `by`: the step of the source that brought it, if one did.
    void publish(detail::content::outcome outcome, const mirror_step* by = nullptr);
    void enter(config_state state, error cause);
    void fall_back(const error& cause);
    asio::awaitable<result<start_report>> first_load();
    asio::awaitable<error> settle(const known_content* known);
    asio::awaitable<void> end_follow();
    void follow_ended(const std::exception_ptr& thrown);
    void forget_endpoint();
    bool follows_etcd() const noexcept;
    result<start_report> finish_start(error cause);
    template <class Callbacks, class... Args>
    void tell(Callbacks& whom, std::string_view what, const Args&... args);
    asio::awaitable<void> after_callbacks();
    // manager_cache.cpp
    asio::awaitable<std::optional<known_content>> restore();
    void begin_keeping();
    asio::awaitable<void> end_keeping();
    void stop_waiting_for_disk();
    void keep(const mirror_step& step, const std::vector<rejection>& refused);
    void confirm(const mirror_step& step);
    void tell_of_cache(start_report& report) const;

    void log(log_level level, std::string_view event, std::string text, std::initializer_list<log_field> fields);
    void log_exception(std::string_view where, const std::exception_ptr& thrown);

    // strand
    phase phase_ = phase::idle;
    std::optional<detail::content> content_;
    asio::cancellation_signal cancel_;
    std::uint64_t ends_ = 0;            // times that stop() was called or start() failed; wakes who waited before
    unsigned callbacks_running_ = 0;
    bool starter_waits_ = false;        // start() is under way
    bool following_ = false;            // follow() is under way
    bool keeping_ = false;              // disk->run() is under way
    bool loaded_ = false;               // etcd's content was loaded since start()
    bool connected_ = false;            // a confirmed watch
    error interruption_;                // the last, while not connected
    std::vector<std::string> missing_;  // of the last whole load
    std::vector<rejection> start_rejections_;
    revision_t content_revision_ = 0;   // of the last publication that changed a value
    std::uint64_t content_changes_ = 0;
    revision_t replaced_up_to_ = 0;     // the last revision of a store that was followed by one that is behind it
    bool abandoned_ = false;
    policy::event_log events_;
    transport::condition moved_;        // whatever the coroutines here wait for

    // mutex
    mutable std::mutex mutex_;
    snapshot current_;
    dynconf::status status_;
};

}  // namespace dynconf
