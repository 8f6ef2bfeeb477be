#include "config/manager_impl.hpp"

#include "policy/longest_wait.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace dynconf {

using clock = transport::clock;

config_manager::impl::impl(const asio::any_io_executor& executor, std::shared_ptr<const dynconf::schema> what,
                           std::shared_ptr<source> where, manager_options how)
    : strand(asio::make_strand(executor)), schema(std::move(what)), from(std::move(where)), options(std::move(how)),
      disk(from && !options.cache.path.empty() ? std::make_unique<detail::disk_cache>(strand, options.cache, options.log)
                                                 : nullptr),
      events_(options.log), moved_(strand) {}

snapshot config_manager::impl::current() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

snapshot config_manager::impl::at_hand() const {
    const std::lock_guard lock(mutex_);
    return status_.state == config_state::stopped ? snapshot() : current_;
}

dynconf::status config_manager::impl::status() const {
    const std::lock_guard lock(mutex_);
    dynconf::status now = status_;
    if (disk) now.cache = disk->status();
    // True also while the executor is too busy to say so.
    const bool bounded = now.good_until != clock::time_point{};
    if (now.state == config_state::live && bounded && clock::now() >= now.good_until) {
        now.state = config_state::stale;
        now.since = now.good_until;
        now.cause = error{errc::not_current, {}};
    }
    return now;
}

void config_manager::impl::log(log_level level, std::string_view event, std::string text, std::initializer_list<log_field> fields) {
    events_.write(level, event, std::move(text), fields, clock::now());
}

void config_manager::impl::log_exception(std::string_view where, const std::exception_ptr& thrown) {
    const std::string why = to_error(thrown).message();
    log(log_level::error, "callback_threw", std::string(where) + ": " + why, {{"callback", std::string(where)}, {"cause", why}});
}

template <class Callbacks, class... Args>
void config_manager::impl::tell(Callbacks& whom, std::string_view what, const Args&... args) {
    ++callbacks_running_;
    whom.call([&](const std::exception_ptr& e) { log_exception(what, e); }, args...);
    --callbacks_running_;
}

/// What a callback calls on the strand would otherwise run within it, in the midst of a publication.
asio::awaitable<void> config_manager::impl::after_callbacks() {
    if (callbacks_running_ != 0) co_await asio::post(strand, asio::use_awaitable);
}

// Starting

asio::awaitable<result<start_report>> config_manager::impl::start() {
    co_await after_callbacks();
    if (phase_ != phase::idle) co_return error{errc::already_running, {}};
    auto compiled = detail::compiled_schema::compile(schema);
    if (!compiled) co_return compiled.error();
    content_.emplace(std::move(*compiled), options.look_up);
    phase_ = phase::starting;
    starter_waits_ = true;
    result<start_report> report = co_await run_first_load();
    starter_waits_ = false;
    moved_.notify_all();
    if (phase_ != phase::starting) co_return error{errc::not_running, "stopped while starting"};
    if (report) {
        phase_ = phase::running;
        co_return report;
    }
    phase_ = phase::stopping;
    ++ends_;
    co_await end_follow();
    co_return report;
}

/// A source or an environment of the user's may throw; start() has to clean up after it all the same.
asio::awaitable<result<start_report>> config_manager::impl::run_first_load() {
    std::exception_ptr thrown;
    try {
        co_return co_await first_load();
    } catch (...) {
        thrown = std::current_exception();
    }
    co_return to_error(thrown);
}

/// Not in local mode, nor when every setting comes from the environment alone.
bool config_manager::impl::follows_etcd() const noexcept { return from && !content_->schema().ranges().empty(); }

asio::awaitable<result<start_report>> config_manager::impl::first_load() {
    loaded_ = connected_ = false;
    interruption_ = {};
    start_rejections_.clear();
    enter(config_state::starting, {});
    error cause;
    if (follows_etcd()) {
        const std::optional<known_content> known = co_await restore();
        if (phase_ == phase::starting) cause = co_await settle(known ? &*known : nullptr);
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "start"};
        const bool stopped = phase_ != phase::starting;
        if (!loaded_ && !stopped && !options.strict) fall_back(cause);
        if (loaded_ && !connected_ && !stopped) enter(config_state::stale, cause);
    } else {
        publish(content_->load_local(current(), options.look_up));
        enter(config_state::local, {});
    }
    co_return finish_start(std::move(cause));
}

/// Begins to follow and waits until the first attempt has worked or failed. What hindered it, if anything.
asio::awaitable<error> config_manager::impl::settle(const known_content* known) {
    from->open(content_->schema().ranges(), known);
    begin_keeping();
    following_ = true;
    auto run = [self = shared_from_this()]() -> asio::awaitable<void> {
        const std::shared_ptr<impl> me = self;
        co_await me->follow();
    };
    auto ended = [self = shared_from_this()](const std::exception_ptr& thrown) { self->follow_ended(thrown); };
    asio::co_spawn(strand, std::move(run), asio::bind_cancellation_slot(cancel_.slot(), std::move(ended)));

    const auto limit = clock::now() + policy::within_the_clock(options.start_timeout);
    for (;;) {
        if (connected_ || !following_ || phase_ != phase::starting) break;
        if (interruption_.code || co_await transport::was_cancelled()) break;
        co_await moved_.wait(limit);
        if (clock::now() >= limit && !connected_ && !interruption_.code)
            co_return error{errc::deadline_exceeded,
                "etcd did not answer within " + std::to_string(options.start_timeout.count()) + " ms"};
    }
    co_return connected_ ? error{} : interruption_;
}

/// etcd was not reached: the last good copy of an earlier start, in memory or on disk, else the environment.
void config_manager::impl::fall_back(const error& cause) {
    const snapshot now = current();
    if (now.origin() == origin::etcd || now.origin() == origin::disk) {
        missing_.clear();
        for (const std::string& name : content_->schema().names()) {   // as of now: it has changed since it was loaded
            const auto had = now.info(name);
            if (!had || had->from == origin::none || had->from == origin::defaults) missing_.push_back(name);
        }
        enter(config_state::stale, cause);
        return;
    }
    publish(content_->load_local(current(), options.look_up));
    enter(config_state::local, cause);
}

result<start_report> config_manager::impl::finish_start(error cause) {
    start_report report;
    const snapshot now = current();
    report.origin = now.origin();
    report.revision = now.revision();
    report.missing = missing_;
    report.rejected = std::exchange(start_rejections_, {});
    tell_of_cache(report);
    for (const std::string& name : content_->schema().names()) {
        const value* v = now.find(name);
        if (content_->schema().traits(name).required && (!v || v->is_null())) report.missing_required.push_back(name);
    }
    if (options.strict) {
        if (cause.code) return cause;
        if (!report.missing_required.empty()) return error{errc::required_missing, report.missing_required.front()};
        if (!report.rejected.empty()) return report.rejected.front().reason;
    }
    report.cause = std::move(cause);
    report.state = status().state;
    return report;
}

// Following

void config_manager::impl::follow_ended(const std::exception_ptr& thrown) {
    following_ = false;
    connected_ = false;
    from->close();
    const error why = to_error(thrown);
    // One that nobody here has asked for is a failure as any other.
    if (why.code != asio::error::operation_aborted || phase_ != phase::stopping) {
        log(log_level::error, "source_failed", why.message(), {{"cause", why.message()}});
        interruption_ = why;
        forget_endpoint();
        if (loaded_) enter(config_state::stale, why);
        else if (phase_ == phase::running) enter(status().state, why);
    }
    moved_.notify_all();
}

void config_manager::impl::forget_endpoint() {
    const std::lock_guard lock(mutex_);
    status_.endpoint.clear();
}

asio::awaitable<void> config_manager::impl::follow() {
    for (;;) {
        mirror_step step = co_await from->next();
        take(std::move(step));
        moved_.notify_all();
    }
}

void config_manager::impl::take(mirror_step step) {
    switch (step.what) {
        case mirror_step::kind::snapshot:
        case mirror_step::kind::resync:
        case mirror_step::kind::update: {
            const bool whole = step.what == mirror_step::kind::snapshot;
            const snapshot base = current();
            auto outcome = whole ? content_->load(base, step.content, step.revision)
                                 : content_->apply(base, step.events, step.revision);
            loaded_ = true;
            keep(step, outcome.rejected);
            publish(std::move(outcome), &step);
            // It is etcd's content now, although no watch is confirmed yet.
            if (!connected_ && status().state == config_state::local) enter(config_state::stale, interruption_);
            return;
        }
        case mirror_step::kind::connected: {
            connected_ = true;
            interruption_ = {};
            keep_proof(step);
            confirm(step);
            {
                const std::lock_guard lock(mutex_);
                status_.endpoint = std::move(step.endpoint);
            }
            enter(config_state::live, {});
            return;
        }
        case mirror_step::kind::verified:
            keep_proof(step);
            confirm(step);
            return;
        case mirror_step::kind::interrupted: {
            connected_ = false;
            interruption_ = std::move(step.cause);
            {
                const std::lock_guard lock(mutex_);
                status_.endpoint.clear();
                ++status_.interruptions;
            }
            if (loaded_) enter(config_state::stale, interruption_);
            else if (phase_ == phase::running)
                enter(status().state, interruption_);  // still local or stale, perhaps for another cause
            return;
        }
    }
}

void config_manager::impl::keep_proof(const mirror_step& step) {
    const std::lock_guard lock(mutex_);
    status_.as_of = step.as_of;
    status_.good_until = step.good_until;
}

void config_manager::impl::publish(detail::content::outcome outcome, const mirror_step* by) {
    const snapshot before = current();
    const snapshot& after = outcome.next;
    const bool changed = outcome.difference == detail::edit::content;
    {
        const std::lock_guard lock(mutex_);
        current_ = after;
        status_.origin = after.origin();
        status_.revision = after.revision();
        status_.rejected += outcome.rejected.size();
        if (changed) ++status_.updates;
        if (by) {   // with the content that it is about: nobody reads the one without the other
            status_.as_of = by->as_of;
            status_.good_until = by->good_until;
            status_.cluster_id = by->cluster_id;
            if (by->what == mirror_step::kind::resync) ++status_.resyncs;
            if (by->why == mirror_step::reason::repaired) ++status_.repairs;
        }
    }
    const bool went_back = after.revision() < before.revision();
    if (went_back) replaced_up_to_ = std::max(replaced_up_to_, before.revision());
    if (changed || went_back) content_revision_ = after.revision();
    if (changed) ++content_changes_;
    if (outcome.whole) missing_ = std::move(outcome.missing);
    for (const rejection& r : outcome.rejected) {
        log(log_level::warning, "value_refused",
            r.reason.message() + " (revision " + std::to_string(r.revision) + "); the last good value stays",
            {{"name", r.name}, {"key", r.key}, {"cause", r.reason.message()}, {"revision", std::to_string(r.revision)}});
        if (phase_ == phase::starting) continue;   // start() reports it
        tell(on_rejection, "a rejection callback", r);
    }
    if (phase_ == phase::starting)
        start_rejections_.insert(start_rejections_.end(), outcome.rejected.begin(), outcome.rejected.end());
    if (changed) tell(on_change, "a change callback", before, after);
    moved_.notify_all();
}

void config_manager::impl::enter(config_state state, error cause) {
    dynconf::status now;
    {
        const std::lock_guard lock(mutex_);
        const bool same_state = status_.state == state;
        if (same_state && status_.cause.code == cause.code && status_.cause.detail == cause.detail) return;
        if (!same_state) status_.since = clock::now();
        status_.state = state;
        status_.cause = std::move(cause);
        now = status_;
    }
    if (disk) now.cache = disk->status();
    const std::string name(to_string(state));
    const std::string why = now.cause.code ? now.cause.message() : std::string();
    log(state == config_state::stale ? log_level::warning : log_level::info, "state", why.empty() ? name : name + ": " + why,
        {{"state", name}, {"cause", why}});
    tell(on_status, "a status callback", now);
    moved_.notify_all();
}

// Reading

asio::awaitable<result<snapshot>> config_manager::impl::get_all() {
    co_await after_callbacks();
    const std::uint64_t ends = ends_;
    while (phase_ == phase::starting && current().origin() == origin::none) {
        co_await moved_.wait();
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "get_all_configs"};
        if (ends_ != ends) co_return error{errc::not_running, {}};
    }
    if (phase_ == phase::idle || phase_ == phase::stopping) co_return error{errc::not_running, {}};
    co_return current();
}

asio::awaitable<result<snapshot>> config_manager::impl::changed_since(revision_t revision) {
    co_await after_callbacks();
    const std::uint64_t changes = content_changes_;
    const std::uint64_t ends = ends_;
    // Perhaps of a store before this one: its number says nothing. Not where it is that of the current snapshot, or who goes
    // on from each answer would get one after the other.
    const bool outdated = revision <= replaced_up_to_ && revision != current().revision();
    for (;;) {
        if (phase_ == phase::idle || phase_ == phase::stopping || ends_ != ends) co_return error{errc::not_running, {}};
        const snapshot now = current();
        const bool newer = content_revision_ > revision || content_changes_ != changes;
        const bool went_back = now.origin() == origin::etcd && now.revision() < revision;
        if (newer || went_back || outdated) co_return now;
        co_await moved_.wait();
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "changed_since"};
    }
}

asio::awaitable<result<dynconf::status>> config_manager::impl::state_other_than(config_state state) {
    co_await after_callbacks();
    for (;;) {
        dynconf::status now = status();
        if (now.state != state) co_return now;
        if (abandoned_) co_return error{errc::not_running, {}};
        co_await moved_.wait();
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "state_other_than"};
    }
}

// Stopping

asio::awaitable<void> config_manager::impl::end_follow() {
    stop_waiting_for_disk();
    cancel_.emit(asio::cancellation_type::terminal);
    while (following_ || starter_waits_) co_await moved_.wait();
    co_await end_keeping();
    forget_endpoint();
    enter(config_state::stopped, {});
    phase_ = phase::idle;
    moved_.notify_all();
}

asio::awaitable<result<void>> config_manager::impl::stop() {
    co_await after_callbacks();
    if (phase_ == phase::starting || phase_ == phase::running) {
        phase_ = phase::stopping;
        ++ends_;
        moved_.notify_all();
        co_await end_follow();
    } else {
        const std::uint64_t ends = ends_;
        while (phase_ == phase::stopping && ends_ == ends) co_await moved_.wait();   // somebody else's stop
    }
    co_return result<void>();
}

void config_manager::impl::abandon() {
    on_change.clear();
    on_status.clear();
    on_rejection.clear();
    auto run = [self = shared_from_this()]() -> asio::awaitable<void> {
        const std::shared_ptr<impl> me = self;
        co_await me->stop();
        me->abandoned_ = true;
        me->moved_.notify_all();
    };
    asio::co_spawn(strand, std::move(run), asio::detached);
}

}  // namespace dynconf
