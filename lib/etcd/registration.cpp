#include <dynconf/registration.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/lease_calls.hpp"
#include "etcd/start_call.hpp"

#include <atomic>
#include <set>
#include <stdexcept>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;

struct registration::impl {
    impl(entries e, std::chrono::milliseconds t) : what(std::move(e)), ttl(t) {}

    const entries what;
    const std::chrono::milliseconds ttl;
    std::atomic<lease_id> published{0};

    asio::awaitable<result<void>> run(const view& through) {
        etcd::client_core& core = through.core();
        policy::backoff pauses(core.options().backoff, core.random());
        for (;;) {
            error why = co_await once(through, pauses);
            if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "registration"};
            if (policy::will_not_heal(why.code) && !is_loss(why.code)) co_return why;
            const auto pause = pauses.failed(etcd::client_core::clock::now());
            const std::string text = why.message();
            core.log(log_level::warning, "not_registered", text, {{"cause", text}, {"pause_ms", std::to_string(pause.count())}});
            co_await core.sleep(pause);
        }
    }

private:
    /// These heal by a new lease.
    static bool is_loss(const error_code& code) {
        return code == server_errc::lease_not_found || code == errc::lease_expired || code == errc::lease_revoked
            || code == errc::lease_unreachable;
    }

    /// From a new lease to its end.
    asio::awaitable<error> once(const view& through, policy::backoff& pauses) {
        auto granted = co_await etcd::grant_lease(through, ttl);
        if (!granted) co_return granted.error();
        const lease_id id = granted->id;
        error why;
        {
            etcd::kept_lease lease(through.shared_core(), id, etcd::clock_of(*granted));
            auto put = co_await publish(through, id);
            if (put) {
                pauses.succeeded(etcd::client_core::clock::now());
                published = id;
                why = co_await lease.until_lost();
                published = 0;
            } else {
                why = put.error();
            }
        }
        // One that is lost is gone, or will be; the keys are put again under another, which takes them from it.
        if (!is_loss(why.code)) co_await etcd::drop_lease(through.core(), id);
        co_return why;
    }

    asio::awaitable<result<void>> publish(const view& through, lease_id id) {
        put_options with_lease;
        with_lease.lease = id;
        txn all;
        for (const auto& [key, value] : what) all.then(op::put(key, value, with_lease));
        auto done = co_await etcd::commit(through, all, {.name = "register", .how = policy::safety::repeatable});
        if (!done) co_return done.error();
        co_return result<void>();
    }
};

registration::registration(const client& c, entries what, std::chrono::milliseconds ttl) : facet(c) {
    std::set<std::string> keys;
    for (const auto& [key, value] : what)
        if ((key.empty() && c.prefix().empty()) || !keys.insert(key).second)
            throw std::invalid_argument("dynconf: a registration with an empty key, or one twice");
    if (keys.empty()) throw std::invalid_argument("dynconf: a registration of nothing");
    if (ttl <= std::chrono::milliseconds(0)) throw std::invalid_argument("dynconf: a registration needs a positive TTL");
    impl_ = std::make_shared<impl>(std::move(what), ttl);
}

lease_id registration::lease() const noexcept { return impl_->published; }

void registration::start_run(detail::call_origin from, std::shared_ptr<impl> i, detail::erased_handler<void> h) {
    auto body = [i = std::move(i)](const view& through) { return i->run(through); };
    etcd::start_waiting<void>(from, etcd::cancels::total, std::move(h), std::move(body));
}

}  // namespace dynconf
