#include "etcd/watch_loop.hpp"

#include "wire/requests.hpp"

#include <iterator>
#include <utility>

namespace dynconf::etcd {

namespace {

template <class... Cases>
struct overloaded : Cases... { using Cases::operator()...; };
template <class... Cases> overloaded(Cases...) -> overloaded<Cases...>;

}  // namespace

watch_loop::watch_loop(std::shared_ptr<client_core> core, key_range range, watch_options options)
    : core_(std::move(core)), range_(std::move(range)), options_(options), cursor_(options.start_revision),
      backoff_(core_->options().backoff, core_->random()) {}

void watch_loop::restart(revision_t next) {
    stream_.reset();
    sink_.reset();
    ended_.reset();
    held_.reset();
    cursor_ = policy::watch_cursor(next);
}

asio::awaitable<watch_loop::step> watch_loop::next() {
    if (held_) co_return *std::exchange(held_, std::nullopt);
    for (;;) {
        if (stream_) {
            if (auto ready = take_messages()) co_return std::move(*ready);
            if (ended_) co_return fail(*std::exchange(ended_, std::nullopt));
            // A cancellation that met the end of a read cannot end the next one.
            if (co_await transport::was_cancelled()) co_return interrupted{{asio::error::operation_aborted, "watch"}, pause_};
            co_await read();
            continue;
        }
        if (pause_.count() > 0) {
            if (!co_await core_->sleep(pause_)) co_return interrupted{{asio::error::operation_aborted, "watch"}, pause_};
            pause_ = std::chrono::milliseconds(0);
        }
        // Others may have found out before: then nobody has told the caller yet.
        if (core_->all_endpoints_down() && !std::exchange(told_, true))
            co_return interrupted{core_->last_failure(), core_->next_try_in()};
        const bool reachable = co_await core_->until_reachable();
        if (!reachable) co_return interrupted{{asio::error::operation_aborted, "watch"}, pause_};
        auto opened = co_await open();
        if (!opened) co_return fail(opened.error());
    }
}

asio::awaitable<result<void>> watch_loop::open() {
    wire::watch_create create{range_};
    create.start_revision = cursor_.next_revision();
    create.progress_notify = options_.progress_notify;
    create.prev_kv = options_.prev_kv;
    create.fragment = options_.fragment;
    create.no_put = options_.no_put;
    create.no_delete = options_.no_delete;
    const std::string body = wire::watch_request({&create, 1});

    sink_ = std::make_unique<watch_sink>(core_->options().max_message_bytes);
    cursor_.stream_opened();
    call what;
    what.name = "watch";
    what.path = "/v3/watch";
    auto opened = co_await core_->open_stream(what, body, *sink_);
    if (!opened) co_return opened.error();
    stream_ = std::move(*opened);
    co_return result<void>();
}

asio::awaitable<void> watch_loop::read() {
    auto complete = co_await stream_->session->read_some();
    if (complete && !*complete) co_return;
    if (complete) sink_->on_end();
    if (const auto& known = sink_->failure()) {   // says more than "malformed"
        ended_ = *known;
        co_return;
    }
    ended_ = complete.error();
    if (ended_->code == errc::deadline_exceeded)
        ended_ = error{errc::not_acknowledged, "no confirmation within " + std::to_string(core_->options().created_timeout.count()) + " ms"};
}

std::optional<watch_loop::step> watch_loop::take_messages() {
    std::optional<batch> gathered;   // all that one read brought is one batch
    while (auto message = sink_->pop()) {
        std::optional<step> other;
        policy::watch_cursor::step meaning = cursor_.on(std::move(*message));
        std::visit(overloaded{
            [](policy::watch_cursor::nothing) {},
            [](policy::watch_cursor::alive) {},
            [&](policy::watch_cursor::confirmed& c) {
                stream_->session->no_deadline();
                confirmed_at_ = client_core::clock::now();
                backoff_.succeeded(*confirmed_at_);
                core_->endpoint_worked(stream_->index);
                told_ = false;
                other = connected{c.header, stream_->endpoint};
            },
            [&](policy::watch_cursor::apply& a) {
                if (!gathered) {
                    gathered = batch{a.revision, std::move(a.events)};
                    return;
                }
                gathered->revision = a.revision;
                gathered->events.insert(gathered->events.end(), std::make_move_iterator(a.events.begin()),
                                        std::make_move_iterator(a.events.end()));
            },
            [&](policy::watch_cursor::history_lost l) {
                stream_.reset();   // it would stay open and silent for ever
                other = history_lost{l.compact_revision};
            },
            [&](policy::watch_cursor::broken& b) { other = fail(std::move(b.why)); },
        }, meaning);
        if (other && !gathered) return other;
        if (other) {
            held_ = std::move(other);
            break;
        }
    }
    if (!gathered) return std::nullopt;
    return step(std::move(*gathered));
}

watch_loop::step watch_loop::fail(error why) {
    if (stream_) {
        if (core_->has_credentials() && policy::token_was_refused(why.code)) core_->token_refused(stream_->token);
        why.detail = "watch at " + stream_->endpoint + (why.detail.empty() ? "" : ": " + why.detail);
        if (policy::member_is_unfit(why.code)) core_->endpoint_failed(stream_->index, why);
        stream_.reset();
    }
    ended_.reset();
    told_ = true;
    pause_ = std::chrono::milliseconds(0);
    if (why.code == asio::error::operation_aborted) return interrupted{std::move(why), pause_};
    const auto now = client_core::clock::now();
    // A server that confirms each watch and then ends it must not be asked in a tight loop.
    if (confirmed_at_ && now - *confirmed_at_ >= core_->options().backoff.healthy) {
        failed_in_row_ = 0;
        token_renewed_ = false;
    }
    confirmed_at_.reset();
    // While all endpoints are down until_reachable() is the pause.
    if (policy::member_is_unfit(why.code) && core_->all_endpoints_down())
        return interrupted{std::move(why), core_->next_try_in()};
    // A fresh token deserves one try at once. Every endpoint gets one, too; after each round of them comes a pause.
    const bool renew = policy::token_was_refused(why.code) && core_->has_credentials() && !std::exchange(token_renewed_, true);
    const bool round_over = ++failed_in_row_ % core_->endpoint_count() == 0 || !policy::member_is_unfit(why.code);
    if (round_over && !renew) pause_ = backoff_.failed(now);
    return interrupted{std::move(why), pause_};
}

}  // namespace dynconf::etcd
