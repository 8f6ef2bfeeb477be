#include "etcd/watch_hub.hpp"

#include "etcd/spawn.hpp"
#include "policy/retry.hpp"
#include "wire/overloaded.hpp"
#include "wire/requests.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::etcd {

namespace {

policy::watch_plan::options plan_of(const client_core& core) {
    const client_options& o = core.options();
    return {o.backoff, o.rotate_after, o.slow_retry, o.max_staleness / 2, o.max_staleness / 4, o.max_staleness, core.endpoint_count()};
}

wire::watch_create create_of(const watch_subscription& s, std::size_t place, bool in_pieces) {
    const watch_options& o = s.options();
    wire::watch_create create{s.range()};
    create.watch_id = static_cast<std::int64_t>(place);
    // One before what is wanted, which the cursor passes over: at the very revision of a compaction etcd before 3.4.37 and 3.5.16
    // serves a watch without the deletions of that revision. It refuses one from below.
    create.start_revision = s.resume() > 1 ? s.resume() - 1 : s.resume();
    create.progress_notify = o.progress_notify;
    create.prev_kv = o.prev_kv;
    create.fragment = o.fragment || in_pieces;
    create.no_put = o.no_put;
    create.no_delete = o.no_delete;
    return create;
}

}  // namespace

watch_hub::watch_hub(client_core& core)
    : core_(core), plan_(plan_of(core), core.random()), moved_(core.executor()) {}

// The watches

void watch_hub::add(watch_subscription& s) {
    subscriptions_.push_back(&s);
    told_ = false;
    changed();
    if (std::exchange(running_, true)) return;
    auto life = [core = core_.shared_from_this(), this]() -> asio::awaitable<void> {
        const std::shared_ptr<client_core> keep = core;
        co_await run();
    };
    asio::co_spawn(core_.executor(), std::move(life), asio::detached);
}

void watch_hub::remove(watch_subscription& s) {
    subscriptions_.remove(&s);
    std::replace(asked_.begin(), asked_.end(), &s, static_cast<watch_subscription*>(nullptr));
    forget(s);
    abandon_if_unwanted();
    // The server goes on sending what nobody wants; not worth a new stream for each that leaves.
    plan_.change(clock::now() + std::chrono::seconds(5));
    moved_.notify_all();
}

void watch_hub::restarted(watch_subscription& s) {
    forget(s);
    abandon_if_unwanted();
    changed();
}

void watch_hub::changed() {
    plan_.change_soon(clock::now());
    moved_.notify_all();
}

void watch_hub::probe_soon() {
    plan_.probe_soon(clock::now());
    moved_.notify_all();
}

watch_hub::clock::time_point watch_hub::distrust(const error& why) {
    const auto now = clock::now();
    const auto last = plan_.distrust(now);
    if (last == now) {
        core_.log(log_level::warning, "watch_distrusted", why.message(), {{"cause", why.message()}});
        moved_.notify_all();
    }
    return last;
}

void watch_hub::forget(const watch_subscription& s) noexcept {
    for (const shared_link& l : {serving_, coming_}) {
        if (!l) continue;
        const auto at = std::find(l->watches.begin(), l->watches.end(), &s);
        if (at != l->watches.end()) forget(*l, static_cast<std::size_t>(at - l->watches.begin()));
    }
    see_if_caught_up();
}

void watch_hub::forget(link& l, std::size_t which) noexcept {
    l.watches[which] = nullptr;
    l.meaning.forget(which);
}

void watch_hub::abandon_if_unwanted() {
    if (!coming_ || wanted(*coming_)) return;
    close(coming_);
    if (opening_) stop_opening_.emit(asio::cancellation_type::terminal);   // open() tells the plan
    else plan_.abandoned();
}

void watch_hub::see_if_caught_up() noexcept {
    if (serving_ && serving_->meaning.behind() == 0) plan_.caught_up();
}

// The stream

asio::awaitable<void> watch_hub::run() {
    do {
        co_await serve_all();
        plan_.closed();
        close(serving_);
        close(coming_);
        stop_opening_.emit(asio::cancellation_type::terminal);
        stop_probing_.emit(asio::cancellation_type::terminal);
        while (opening_ || probing_) co_await moved_.wait();
    } while (!subscriptions_.empty());   // there are new ones by now
    running_ = false;
}

asio::awaitable<void> watch_hub::serve_all() {
    if (!subscriptions_.empty()) changed();
    while (!subscriptions_.empty()) {
        const auto now = clock::now();
        switch (plan_.next(now)) {
            case policy::watch_plan::action::open:
                start_opening();
                continue;
            case policy::watch_plan::action::probe: {
                plan_.probing(now);
                probing_ = true;
                run_until(core_.executor(), stop_probing_, core_.shared_from_this(), [this] { return probe(); });
                continue;
            }
            case policy::watch_plan::action::rest: break;
        }
        co_await moved_.wait(plan_.wake_at());
    }
}

void watch_hub::start_opening() {
    const auto now = clock::now();
    plan_.opening(now);
    std::vector<watch_subscription*> wanted;
    std::vector<policy::watch_cursor> starts;
    std::vector<wire::watch_create> creates;
    auto retry_at = clock::time_point::max();
    for (watch_subscription* s : subscriptions_) {
        if (!s->wanted(now)) {
            retry_at = std::min(retry_at, s->retry_at());
            continue;
        }
        creates.push_back(create_of(*s, wanted.size(), in_pieces_));
        wanted.push_back(s);
        starts.emplace_back(s->resume(), s->range());
    }
    if (retry_at != clock::time_point::max()) plan_.change(retry_at);
    if (wanted.empty()) return serve_nobody();
    auto made = std::make_shared<link>(std::move(wanted), std::move(starts), core_.options());
    made->in_pieces = std::exchange(in_pieces_, false);
    coming_ = made;
    opening_ = true;
    run_until(core_.executor(), stop_opening_, core_.shared_from_this(),
              [this, made = std::move(made), body = wire::watch_request(creates)] { return open(made, body); });
}

asio::awaitable<void> watch_hub::open(shared_link l, std::string body) {
    call what;
    what.name = "watch";
    what.path = "/v3/watch";
    what.many_messages = true;
    // Others may have found out before: then nobody has told the watches yet.
    if (!serving_ && core_.all_endpoints_down() && !std::exchange(told_, true))
        for (watch_subscription* s : subscriptions_) s->on_interrupted(core_.last_failure(), core_.next_try_in());
    const bool reachable = co_await core_.until_reachable();
    if (serving_) core_.return_to_first_endpoint();   // a rotation is the time to go back to it
    result<client_core::stream> opened = error{asio::error::operation_aborted, {}};
    if (reachable) opened = co_await core_.open_stream(what, body, l->sink);
    opening_ = false;
    moved_.notify_all();
    if (l->closed) {   // nobody wants it any more
        plan_.abandoned();
        co_return;
    }
    if (!opened) {
        failed(l, opened.error());
        co_return;
    }
    l->io = std::move(*opened);
    auto life = [core = core_.shared_from_this(), this, l]() -> asio::awaitable<void> {
        const std::shared_ptr<client_core> keep = core;
        co_await read(l);
    };
    asio::co_spawn(core_.executor(), std::move(life), asio::detached);
}

asio::awaitable<void> watch_hub::read(shared_link l) {
    while (!l->closed) {
        auto complete = co_await l->io.session->read_some();
        if (l->closed) break;
        if (complete && *complete) l->sink.on_end();
        route(l);
        if (l->closed) break;
        if (complete && !*complete) {
            if (l != serving_) continue;   // created_timeout is its limit
            if (const auto due = l->pace.due(l->sink.ended(), l->sink.unfinished(), clock::now())) l->io.session->expires_at(*due);
            else l->io.session->no_deadline();
            continue;
        }
        error why = complete ? error{errc::watch_ended, "the server ended the stream"} : complete.error();
        if (const auto& known = l->sink.failure()) why = *known;   // says more than "malformed"
        if (why.code == errc::deadline_exceeded && l == serving_)
            why.detail = "a message of the watch stopped half way";
        else if (why.code == errc::deadline_exceeded)
            why = error{errc::not_acknowledged, "no confirmation within " + std::to_string(core_.options().created_timeout.count()) + " ms"};
        failed(l, std::move(why));
    }
    l->io.session.reset();
}

void watch_hub::route(const shared_link& l) {
    while (auto message = l->sink.pop()) {
        auto item = l->meaning.on(std::move(*message));
        if (!item) continue;
        auto* const b = std::get_if<policy::watch_cursor::broken>(&item->step);
        if (b) core_.hide_secrets(b->why.detail, l->io.authorization);
        if (b && !policy::will_not_heal(b->why.code))
            return failed(l, std::move(b->why));
        if (l->watches[item->watch]) deliver(*l, item->watch, std::move(item->step));
        see_if_caught_up();
        if (l == serving_ && !coming_ && !opening_ && !wanted(*l)) {
            serve_nobody();   // all its owners are behind, or gone: what came now would be thrown away
            return;
        }
        if (coming_ == l) {
            if (l->meaning.answered()) serve(l);
            else l->io.session->expires_at(clock::now() + core_.options().created_timeout);   // many watches take their time
        }
        if (l->closed) return;
    }
}

bool watch_hub::wanted(const link& l) noexcept {
    return std::any_of(l.watches.begin(), l.watches.end(), [](const watch_subscription* s) { return s != nullptr; });
}

void watch_hub::deliver(link& l, std::size_t which, policy::watch_cursor::step step) {
    watch_subscription& s = *l.watches[which];
    std::visit(wire::overloaded{
        [](policy::watch_cursor::nothing) {},
        [&](policy::watch_cursor::alive) { s.on_progress(l.meaning.next_revision(which)); },
        [&](policy::watch_cursor::confirmed& c) {
            s.on_start(l.meaning.next_revision(which));
            l.confirmed = c.header;
        },
        [&](policy::watch_cursor::apply& a) {
            s.on_batch(a.revision, std::move(a.events));
            if (!s.full()) return;
            // What it has no room for must not be followed by what comes later on the same stream: another one resumes.
            forget(s);
        },
        [&](policy::watch_cursor::history_lost h) {
            if (h.compact_revision == 0 || h.compact_revision >= s.resume()) return s.on_history_lost(h.compact_revision);
            forget(l, which);   // the stream before has brought all that was compacted since this one was asked for
            plan_.change(clock::now() + std::chrono::milliseconds(100));   // whatever the server thinks, in no tight loop
            moved_.notify_all();
        },
        [&](policy::watch_cursor::broken& b) {
            b.why.detail = "watch at " + l.io.endpoint + (b.why.detail.empty() ? "" : ": " + b.why.detail);
            s.on_refused(b.why, core_.options().slow_retry, clock::now());
            plan_.change(s.retry_at());
            moved_.notify_all();
            forget(s);   // it has no right any more to what the old stream still brings
        },
    }, step);
}

void watch_hub::serve(const shared_link& l) {
    coming_.reset();
    close(serving_);
    if (l->meaning.alive() == 0) {   // each was refused, and knows why
        shared_link none = l;
        close(none);
        serve_nobody();
    } else {
        l->io.session->no_deadline();
        serving_ = l;
        served_by_ = l->io.index;
        core_.endpoint_worked(l->io.index);
        told_ = false;
        plan_.opened(clock::now(), l->meaning.behind() > 0);
        for (std::size_t i = 0; i < l->watches.size(); ++i)
            if (l->watches[i] && l->meaning.serves(i) && !l->watches[i]->is_served_by(l->io.endpoint))
                l->watches[i]->on_connected(l->confirmed, l->io.endpoint);
    }
    moved_.notify_all();
}

void watch_hub::serve_nobody() noexcept {
    close(serving_);
    plan_.nothing_wanted();
    // One that was behind when this stream was asked for, and is not any more, has no part in it. Not at once: what a
    // server ends each time must not be asked for in a tight loop.
    auto at = clock::time_point::max();
    for (const watch_subscription* s : subscriptions_) at = std::min(at, s->retry_at());
    if (at != clock::time_point::max()) plan_.change(std::max(at, clock::now() + std::chrono::milliseconds(100)));
    moved_.notify_all();
}

void watch_hub::failed(const shared_link& l, error why) {
    const shared_link ended = l;   // `l` may be one of those that are reset here
    const bool served = serving_ == ended;
    if (ended->closed) {
        if (coming_ == ended) coming_.reset();
        return;
    }
    if (ended->io.session) {
        if (core_.has_credentials() && policy::token_was_refused(why.code)) core_.token_refused(ended->io.token);
        core_.hide_secrets(why.detail, ended->io.authorization);
        why.detail = "watch at " + ended->io.endpoint + (why.detail.empty() ? "" : ": " + why.detail);
        if (why.code == errc::not_acknowledged) core_.not_acknowledged(ended->io);
        if (policy::member_is_unfit(why.code)) core_.endpoint_failed(ended->io.index, why);
    }
    const bool of_a_message = ended->sink.failure().has_value();   // not the head of the answer, which smaller ones have, too
    if (why.code == errc::response_too_large && of_a_message && !ended->in_pieces) {
        in_pieces_ = true;
        why = error{errc::watch_ended, why.detail + ": past max_message_bytes; asking for it in pieces"};
    }
    if (coming_ == ended) coming_.reset();
    if (served) serving_.reset();
    shared_link gone = ended;
    close(gone);
    const auto now = clock::now();
    plan_.endpoints(core_.endpoint_count());
    const auto pause = served ? plan_.lost(now, why.code) : plan_.open_failed(now, why.code);
    moved_.notify_all();
    if (why.code == asio::error::operation_aborted) return;
    if (serving_) return core_.log(log_level::info, "watch_not_replaced", why.message(), {{"cause", why.message()}});
    const auto next_try = std::max(pause, core_.next_try_in());
    core_.log(log_level::warning, "watch_interrupted", why.message(),
              {{"cause", why.message()}, {"pause_ms", std::to_string(next_try.count())}});
    told_ = true;
    for (watch_subscription* s : subscriptions_) s->on_interrupted(why, next_try);
}

void watch_hub::close(shared_link& l) noexcept {
    if (!l) return;
    l->closed = true;
    if (l->io.session) l->io.session->close();   // its reader ends by that
    l.reset();
}

}  // namespace dynconf::etcd
