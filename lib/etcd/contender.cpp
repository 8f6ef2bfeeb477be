#include "etcd/contender.hpp"

#include "etcd/kv_calls.hpp"
#include "etcd/lease_calls.hpp"
#include "etcd/watch_subscription.hpp"

#include <charconv>
#include <utility>
#include <variant>

namespace dynconf::etcd {

using policy::safety;
using namespace std::chrono_literals;

namespace {

constexpr auto pause_after_failure = 100ms;

std::string queue_of(std::string_view name) { return std::string(name) + "/"; }

std::string hex(lease_id id) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<std::uint64_t>(id), 16).ptr;
    return {digits, end};
}

range_options oldest(std::int64_t limit) {
    range_options o;
    o.order = sort_order::ascend;
    o.target = sort_target::create;
    o.limit = limit;
    return o;
}

range_options newest_before(revision_t create_revision) {
    range_options o;
    o.order = sort_order::descend;
    o.target = sort_target::create;
    o.max_create_revision = create_revision - 1;
    o.limit = 1;
    o.keys_only = true;
    return o;
}

const key_value* first_of(txn_response& answer, std::size_t which) {
    const auto* range = answer_to<range_response>(answer, which);
    return range && !range->kvs.empty() ? &range->kvs[0] : nullptr;
}

/// Every transaction here may be executed twice: the second time finds what the first one did.
asio::awaitable<result<txn_response>> ask(const view& through, std::string_view name, const txn& what) {
    co_return co_await commit(through, what, {.name = name, .how = safety::repeatable});
}

}  // namespace

contender::contender(const view& through, std::string_view name, std::string value)
    : through_(through), prefix_(queue_of(name)), value_(std::move(value)) {}

asio::awaitable<result<void>> contender::enter(std::chrono::milliseconds ttl, clock::time_point due) {
    auto done = co_await get_lease(ttl, due);
    if (!done) co_return done.error();
    auto first = co_await join_queue(due);
    if (!first) done = first.error();
    else if (!*first) done = co_await wait_for_turn(due);
    if (done && kept_->loss()) done = *kept_->loss();   // the answer was a long time coming
    if (!done) co_await give_up();
    co_return done;
}

asio::awaitable<result<bool>> contender::try_enter(std::chrono::milliseconds ttl) {
    auto done = co_await get_lease(ttl, clock::time_point::max());
    if (!done) co_return done.error();
    put_options with_lease;
    with_lease.lease = lease_;
    const txn what = txn()
        .if_(create_revision_of(key_range::prefix(prefix_)) == 0)
        .then(op::put(key_, value_, with_lease))
        .else_(op::range(key_range::key(key_)));
    auto answer = co_await ask(through_, "try_lock", what);
    if (answer && answer->succeeded) token_ = answer->header.revision;
    else if (answer)
        if (const key_value* mine = first_of(*answer, 0)) token_ = mine->create_revision;   // by a try whose answer was lost
    const std::optional<error> lost = token_ != 0 ? kept_->loss() : std::nullopt;
    if (token_ != 0 && !lost) co_return true;
    co_await give_up();
    if (lost) co_return *lost;
    if (!answer) co_return answer.error();
    co_return false;
}

asio::awaitable<result<void>> contender::get_lease(std::chrono::milliseconds ttl, clock::time_point due) {
    auto granted = co_await grant_lease(through_, ttl, 0, due);
    if (!granted) co_return granted.error();
    lease_ = granted->id;
    key_ = prefix_ + hex(lease_);
    kept_ = std::make_unique<kept_lease>(core(), lease_, clock_of(*granted));
    co_return result<void>();
}

asio::awaitable<result<bool>> contender::join_queue(clock::time_point due) {
    put_options with_lease;
    with_lease.lease = lease_;
    const op first = op::range(key_range::prefix(prefix_), oldest(1));
    const txn what = txn()
        .if_(create_revision_of(key_) == 0)
        .then(op::put(key_, value_, with_lease)).then(first)
        .else_(op::range(key_range::key(key_))).else_(first);
    const view in_time = through_.until(due);
    auto answer = co_await ask(in_time, "lock", what);
    if (!answer) co_return answer.error();
    const key_value* mine = answer->succeeded ? nullptr : first_of(*answer, 0);
    const key_value* head = first_of(*answer, 1);
    if ((!answer->succeeded && !mine) || !head) co_return unfit_answer("a transaction of a lock or election", false);
    token_ = mine ? mine->create_revision : answer->header.revision;
    co_return head->create_revision == token_;
}

asio::awaitable<result<void>> contender::wait_for_turn(clock::time_point due) {
    const txn question = txn()
        .then(op::range(key_range::prefix(prefix_), newest_before(token_)))
        .then(op::range(key_range::key(key_)));
    for (;;) {
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "lock"};
        if (kept_->loss()) co_return *kept_->loss();
        if (clock::now() >= due) co_return error{errc::not_acquired, prefix_};
        const view in_time = through_.until(due);
        auto answer = co_await ask(in_time, "lock", question);
        if (!answer) {
            if (policy::will_not_heal(answer.error().code)) co_return answer.error();
            co_await core()->sleep(pause_after_failure);
            continue;
        }
        const key_value* mine = first_of(*answer, 1);
        if (!mine || mine->create_revision != token_) co_return error{errc::not_held, key_ + " was deleted"};
        const key_value* before = first_of(*answer, 0);
        if (!before) co_return result<void>();
        const std::string key = before->key;
        auto waited = co_await wait_for_end_of(key, answer->header.revision, due);
        if (!waited) co_return waited;
    }
}

asio::awaitable<result<void>> contender::wait_for_end_of(const std::string& key, revision_t revision, clock::time_point due) {
    watch_options deletions;
    deletions.start_revision = revision + 1;
    deletions.no_put = true;
    watch_subscription news(through_, key_range::key(key), deletions);
    struct waking {
        waking(kept_lease& l, watch_subscription& n) : lease(l) {
            lease.on_lost([&n] { n.on_interrupted(error{errc::not_held, {}}, 0ms); });
        }
        waking(const waking&) = delete;
        waking& operator=(const waking&) = delete;
        ~waking() { lease.on_lost({}); }
        kept_lease& lease;
    };
    const waking on_loss(*kept_, news);
    for (;;) {
        std::optional<watch_subscription::step> step = co_await news.next(due);
        if (!step || std::holds_alternative<watch_subscription::batch>(*step)
            || std::holds_alternative<watch_subscription::history_lost>(*step) || kept_->loss())
            co_return result<void>();
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "lock"};
        const auto* down = std::get_if<watch_subscription::interrupted>(&*step);
        if (down && policy::will_not_heal(down->why.code)) co_return down->why;
    }
}

comparison contender::held() const {
    comparison mine = create_revision_of(through_.keys().to_etcd(key_)) == token_;
    mine.absolute = true;   // what it guards may be in another view
    return mine;
}

asio::awaitable<void> contender::give_up() {
    left_ = true;
    kept_->end();
    co_await drop_lease(*core(), lease_);
}

asio::awaitable<result<void>> contender::proclaim(std::string value) {
    if (left_) co_return error{errc::not_held, key_};
    put_options with_lease;
    with_lease.lease = lease_;
    const txn what = txn().if_(create_revision_of(key_) == token_).then(op::put(key_, std::move(value), with_lease));
    auto answer = co_await commit(through_, what, {.name = "proclaim"});
    if (!answer) co_return answer.error();
    if (!answer->succeeded) co_return error{errc::not_held, key_};
    co_return result<void>();
}

asio::awaitable<result<void>> contender::leave() {
    if (std::exchange(left_, true)) co_return result<void>();
    std::optional<error> before = kept_->loss();
    const bool again = before && before->code == errc::not_held;   // told by this, which could not reach etcd
    if (again) before.reset();
    const auto safe_until = kept_->safe_until();
    kept_->end();
    auto done = co_await revoke_lease(through_, lease_);   // it may live on even when it was lost to us
    if (before) co_return *before;
    if (done) co_return result<void>();
    if (done.error().code == server_errc::lease_not_found) {
        // Before its time, and not by this: somebody else had ended it.
        if (!again && clock::now() < safe_until) co_return error{errc::lease_revoked, key_};
        co_return result<void>();
    }
    left_ = false;   // may be tried again
    co_return done.error();
}

std::shared_ptr<contender> contender::share(std::unique_ptr<contender> made) {
    const strand on = made->core()->executor();
    // The dropping is begun only by what runs on the strand, not when the io_context is destroyed.
    return {made.release(), [on](contender* last) {
        asio::dispatch(on, [on, owned = std::unique_ptr<contender>(last)]() mutable {
            if (owned->left_ || owned->lease_ == 0) return;
            auto drop = [rest = std::shared_ptr<contender>(std::move(owned))]() -> asio::awaitable<void> {
                const std::shared_ptr<contender> self = rest;
                co_await self->give_up();
            };
            asio::co_spawn(on, std::move(drop), asio::detached);
        });
    }};
}

asio::awaitable<result<range_response>> range_queue(const view& through, std::string_view name, std::int64_t limit) {
    const key_range keys = key_range::prefix(queue_of(name));
    const range_options options = oldest(limit);
    co_return co_await range_once(through, keys, options);
}

asio::awaitable<result<std::optional<key_value>>> head_of_queue(const view& through, std::string_view name) {
    auto found = co_await range_queue(through, name, 1);
    if (!found) co_return found.error();
    std::optional<key_value> head;
    if (!found->kvs.empty()) head = std::move(found->kvs[0]);
    co_return head;
}

}  // namespace dynconf::etcd
