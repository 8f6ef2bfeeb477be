#include "etcd/watch_hub.hpp"

#include "etcd/kv_calls.hpp"
#include "policy/retry.hpp"
#include "wire/requests.hpp"

#include <algorithm>
#include <utility>

// The sign of life that the hub asks of the member which serves its stream: a linearizable read on another connection. It
// carries the looks of those whose keys rest while the store moves on.

namespace dynconf::etcd {

asio::awaitable<void> watch_hub::probe() {
    const shared_link asked = serving_;
    if (!asked || subscriptions_.empty()) {
        probing_ = false;
        moved_.notify_all();
        co_return;
    }
    const auto began = clock::now();
    const auto limit = core_.options().max_staleness / 4;
    const std::size_t member = asked->io.index;
    // Of a watch that is served: a key that may not be read is no probe.
    const auto served = std::find_if(asked->watches.begin(), asked->watches.end(), [](const watch_subscription* s) { return s != nullptr; });
    const watch_subscription* any = served != asked->watches.end() ? *served : *subscriptions_.begin();
    const std::string key = any->range().first();

    // Half of the time, so that there is some left to ask without looks.
    std::optional<proof> with_looks = co_await probe_with_looks(member, began + limit / 2);
    result<proof> answer = error{asio::error::operation_aborted, {}};
    if (with_looks) answer = *with_looks;
    else if (!co_await transport::was_cancelled()) answer = co_await probe_alone(member, key, began + limit);
    sharing_.ended(answer.has_value());
    const bool outdated = serving_ && serving_->io.session && serving_->io.session->outdated();
    if (outdated) plan_.change(clock::now());
    probing_ = false;
    moved_.notify_all();
    if (serving_ != asked && serving_ != nullptr && !answer) {   // it was about a stream that was replaced meanwhile
        plan_.probe_outlived();
        co_return;
    }
    if (!answer) {
        if (co_await transport::was_cancelled()) co_return;
        const std::string why = answer.error().message();
        core_.log(log_level::warning, "probe_failed", why, {{"cause", why}});
        plan_.probe_failed(clock::now());
        // With the certificates of now one side does not accept the other: what was opened with those before has to end.
        if (outdated && serving_ == asked && policy::trust_was_refused(answer.error().code)) failed(asked, answer.error());
        co_return;
    }
    plan_.probe_answered();
    for (watch_subscription* s : subscriptions_)
        if (!looked_.contains(s)) s->on_probed(answer->header, answer->sent);
}

asio::awaitable<result<watch_hub::proof>> watch_hub::probe_alone(std::size_t member, std::string key, clock::time_point due) {
    range_options count;
    count.count_only = true;
    const std::string body = wire::range_request(key_range::key(std::move(key)), count);
    call what;
    what.name = "probe";
    what.path = "/v3/kv/range";
    what.sign_of_life = true;
    const auto left = [due] { return std::chrono::duration_cast<std::chrono::milliseconds>(due - clock::now()); };
    const auto sent = clock::now();
    auto answer = co_await core_.unary_at<range_response>(member, what, body, left());
    if (!answer && policy::token_was_refused(answer.error().code))   // it has expired: with a new one, at once
        answer = co_await core_.unary_at<range_response>(member, what, body, left());
    if (!answer) co_return answer.error();
    co_return proof{answer->header, sent};
}

/// The first answer, where there was one. Looks that were not answered are left to their owners, who get that one, too.
asio::awaitable<std::optional<watch_hub::proof>> watch_hub::probe_with_looks(std::size_t member, clock::time_point due) {
    std::vector<std::size_t> operations;
    asked_.clear();
    looked_.clear();
    for (watch_subscription* s : subscriptions_) {
        const auto wanted = s->wanted_look();
        if (!wanted) continue;
        asked_.push_back(s);
        operations.push_back(wanted->ranges->size());
    }
    sharing_.begin(std::move(operations));
    call what;
    what.name = "probe";
    what.path = "/v3/kv/txn";
    what.tentative = true;
    std::optional<proof> first;
    while (const auto part = sharing_.next()) {
        // Only reads and no condition: linearizable as a range is, and all at the revision of the header.
        txn reads;
        std::vector<asked_look> looks;
        for (const std::size_t i : *part) {
            if (!asked_[i]) continue;
            const auto wanted = asked_[i]->wanted_look();
            if (!wanted) continue;
            for (const key_range& r : *wanted->ranges) reads.then(op::range(r, changed_after(wanted->after)));
            looks.push_back({i, wanted->ranges->size(), wanted->after});
        }
        if (looks.empty()) continue;
        const std::string body = wire::txn_request(reads);
        const auto sent = clock::now();
        auto answer = co_await core_.unary_at<txn_response>(member, what, body, std::chrono::duration_cast<std::chrono::milliseconds>(due - sent));
        if (answer && !take_looks(*answer, looks, sent)) answer = error{errc::malformed_response, "probe: not what was asked"};
        if (!answer) {
            if (co_await transport::was_cancelled()) break;
            const std::string why = answer.error().message();
            core_.log(log_level::debug, "looks_not_shared", why, {{"cause", why}});
            sharing_.failed(answer.error().code);
        } else if (!first) {
            first = proof{answer->header, sent};
        }
    }
    asked_.clear();
    co_return first;
}

bool watch_hub::take_looks(const txn_response& answer, const std::vector<asked_look>& asked, clock::time_point sent) {
    std::vector<policy::look> seen;
    auto response = answer.responses.begin();
    for (const asked_look& a : asked) {
        policy::look& look = seen.emplace_back();
        look.after = a.after;
        for (std::size_t n = 0; n < a.ranges; ++n, ++response) {
            const auto* range = response != answer.responses.end() ? std::get_if<range_response>(&*response) : nullptr;
            if (!range) return false;
            look.changed = look.changed || !range->kvs.empty();
            look.count += range->count;
        }
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
        watch_subscription* s = asked_[asked[i].place];
        if (!s) continue;
        looked_.insert(s);
        s->on_probed(answer.header, sent, seen[i]);
    }
    return true;
}

}  // namespace dynconf::etcd
