#include <dynconf/election.hpp>

#include "etcd/contender.hpp"
#include "etcd/start_call.hpp"
#include "etcd/watch_subscription.hpp"
#include "transport/clock.hpp"

#include <stdexcept>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;
using leader_or_none = std::optional<key_value>;

void leadership::start_proclaim(std::shared_ptr<etcd::contender> i, std::string value, detail::erased_handler<void> h) {
    const etcd::strand on = i->core()->executor();
    auto run = [value = std::move(value)](std::shared_ptr<etcd::contender> self) -> asio::awaitable<result<void>> {
        co_return co_await self->proclaim(value);
    };
    etcd::spawn<void>(on, std::move(i), std::move(h), etcd::cancels::terminal_only, std::move(run));
}

election::election(const client& c, std::string name, claim_options options)
    : facet(c), name_(std::move(name)), options_(options) {
    if (name_.empty()) throw std::invalid_argument("dynconf: an election without a name");
}

void election::start_campaign(origin from, std::string name, std::string value, claim_options options, detail::erased_handler<leadership> h) {
    auto run = [name = std::move(name), value = std::move(value), options](const view& through) -> asio::awaitable<result<leadership>> {
        auto place = std::make_unique<etcd::contender>(through, name, value);
        auto entered = co_await place->enter(options.ttl, transport::clock::after(options.wait_timeout));
        if (!entered) co_return entered.error();
        co_return leadership(etcd::contender::share(std::move(place)));
    };
    etcd::start_waiting<leadership>(from, etcd::cancels::total, std::move(h), std::move(run));
}

void election::start_leader(origin from, std::string name, detail::erased_handler<leader_or_none> h) {
    auto run = [name = std::move(name)](const view& through) -> asio::awaitable<result<leader_or_none>> {
        co_return co_await etcd::head_of_queue(through, name);
    };
    etcd::start<leader_or_none>(from, etcd::cancels::total, std::move(h), std::move(run));
}

struct leader_observer::impl {
    impl(view v, std::string n) : through(std::move(v)), name(std::move(n)) {}

    const view through;
    const std::string name;

    asio::awaitable<result<leader_or_none>> next() {
        for (;;) {
            if (news_) {
                auto changed = co_await wait();
                if (!changed) co_return changed.error();
            }
            auto found = co_await etcd::range_queue(through, name, 1);
            if (!found) {
                if (policy::will_not_heal(found.error().code)) co_return found.error();
                if (!co_await through.core().sleep(std::chrono::milliseconds(100))) co_return error{asio::error::operation_aborted, "observe"};
                if (news_) unread_ = true;
                continue;
            }
            unread_ = false;
            if (!news_) {
                watch_options from;
                from.start_revision = found->header.revision + 1;
                news_.emplace(through, key_range::prefix(name + "/"), from);
            } else if (lost_) {
                news_->restart(found->header.revision + 1);
                lost_ = false;
            }
            leader_or_none now;
            if (!found->kvs.empty()) now = std::move(found->kvs[0]);
            if (std::exchange(told_, true) && last_ == now) continue;
            last_ = now;
            co_return now;
        }
    }

private:
    bool unread_ = false;   // something has changed, and could not be read yet
    bool lost_ = false;     // the history of news_
    bool told_ = false;
    leader_or_none last_;
    std::optional<etcd::watch_subscription> news_;   // the changes since the queue was read first

    asio::awaitable<result<void>> wait() {
        using etcd::watch_subscription;
        while (!unread_) {
            std::optional<watch_subscription::step> step = co_await news_->next();
            if (std::holds_alternative<watch_subscription::batch>(*step)) unread_ = true;
            if (std::holds_alternative<watch_subscription::history_lost>(*step)) unread_ = lost_ = true;
            const auto* down = std::get_if<watch_subscription::interrupted>(&*step);
            if (!down) continue;
            if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "observe"};
            if (policy::will_not_heal(down->why.code)) co_return down->why;
        }
        co_return result<void>();
    }
};

leader_observer::leader_observer(const client& c, std::string name) {
    const view through{detail::call_origin(c)};
    impl_ = etcd::owned_by(through.core().executor(), std::make_unique<impl>(through, std::move(name)));
}

void leader_observer::start_next(std::shared_ptr<impl> i, detail::erased_handler<leader_or_none> h) {
    const etcd::strand on = i->through.core().executor();
    auto run = [](std::shared_ptr<impl> self) -> asio::awaitable<result<leader_or_none>> { co_return co_await self->next(); };
    etcd::spawn<leader_or_none>(on, std::move(i), std::move(h), etcd::cancels::total, run);
}

}  // namespace dynconf
