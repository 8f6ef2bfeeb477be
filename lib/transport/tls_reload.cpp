#include "transport/tls_reload.hpp"

#include "policy/file_changes.hpp"
#include "transport/await.hpp"
#include "transport/condition.hpp"
#include "transport/offload.hpp"
#include "transport/thread_places.hpp"
#include "transport/tls_files.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace dynconf::transport {

namespace {

/// Where there is something to go on with.
constexpr std::chrono::seconds longest_look{1};
constexpr std::chrono::seconds look_again_after{10};
/// That may hang at the same time, as long as there is nothing to go on with.
constexpr long most_threads = 4;

/// What a thread has found.
struct look {
    policy::file_changes::stamps there;
    policy::file_changes::wall_time at{};
    std::optional<result<tls_reload::context>> made;   // none: nothing has changed
};

result<look> look_at(const tls_options& options, const policy::file_changes& changes) {
    look found;
    found.there = stamps_of(options);
    found.at = std::chrono::system_clock::now().time_since_epoch();
    if (changes.due(found.there, found.at)) found.made = tls_context::make(options);
    return found;
}

}  // namespace

struct tls_reload::state {
    state(const asio::any_io_executor& e, tls_options o, policy::event_log& l)
        : executor(e), options(std::make_shared<const tls_options>(std::move(o))), log(l), answered(e) {}

    result<context> take(look found) {
        using verdict = policy::file_changes::verdict;
        if (!found.made) return last;
        auto& made = *found.made;
        changes.reading(std::move(found.there), found.at);
        switch (changes.read(made.has_value())) {
        case verdict::fail: return made.error();
        case verdict::keep: return keep(made.error().message());
        case verdict::keep_still: return last;
        case verdict::replace:
            log.write(log_level::info, "tls_files_read", "new connections use what the changed files hold", {}, clock::now());
            break;
        case verdict::take: break;   // perhaps of files that were read too soon after a change
        }
        if (last) last->replaced();
        return last = std::move(*made);
    }

    context keep(const std::string& why) {
        log.write(log_level::warning, "tls_files_refused", "what was read before stays in use: " + why, {{"cause", why}}, clock::now());
        return last;
    }

    asio::any_io_executor executor;
    std::shared_ptr<const tls_options> options;
    policy::event_log& log;
    policy::file_changes changes;
    context last;
    condition answered;
    bool looking = false;
    clock::time_point look_again_at{};
    thread_places threads;
};

tls_reload::tls_reload(asio::any_io_executor executor, tls_options options, policy::event_log& log)
    : state_(std::make_shared<state>(executor, std::move(options), log)) {}

asio::awaitable<result<tls_reload::context>> tls_reload::current(clock::time_point due) { return current_of(state_, due); }

asio::awaitable<void> tls_reload::look_after_open(clock::time_point due) {
    if (!state_->last || !names_files(*state_->options) || clock::now() < state_->look_again_at) co_return;
    (void)co_await current_of(state_, due);
}

asio::awaitable<result<tls_reload::context>> tls_reload::current_of(std::shared_ptr<state> s, clock::time_point due) {
    if (s->last && !names_files(*s->options)) co_return s->last;
    const error late{errc::deadline_exceeded, "the files of TLS: the disk does not answer"};
    const auto until = s->last ? std::min(due, clock::now() + longest_look) : due;
    while (s->looking && clock::now() < until) {
        if (co_await was_cancelled()) co_return error{asio::error::operation_aborted, {}};
        co_await s->answered.wait(until);
    }
    auto place = s->threads.take(s->last ? 1 : most_threads);
    if (s->looking || !place) {
        if (s->last) co_return s->last;
        co_return late;
    }

    struct one_at_a_time {
        explicit one_at_a_time(state& of) : where(of) { where.looking = true; }
        one_at_a_time(const one_at_a_time&) = delete;
        ~one_at_a_time() {
            where.looking = false;
            where.answered.notify_all();
        }
        state& where;
    };
    const one_at_a_time now(*s);
    s->look_again_at = clock::now() + look_again_after;
    std::function<result<look>()> work = [place = std::move(place), options = s->options, changes = s->changes]() mutable {
        auto found = look_at(*options, changes);
        place.reset();   // before anybody hears of it
        return found;
    };
    std::function<clock::time_point()> limit = [until] { return until; };
    auto found = co_await offload<look>(s->executor, s->answered, std::move(work), std::move(limit), late.detail);
    if (found) co_return s->take(std::move(*found));
    if (co_await was_cancelled()) co_return error{asio::error::operation_aborted, {}};
    if (s->last) co_return s->keep(found.error().message());
    co_return found.error();
}

}  // namespace dynconf::transport
