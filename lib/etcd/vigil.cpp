#include "etcd/vigil.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <string>

namespace dynconf::etcd {

client_core::vigil::vigil(client_core& core, std::size_t index, transport::http_session& http)
    : strand_(core.strand_), state_(std::make_shared<state>(&http)) {
    auto run = [self = core.shared_from_this(), index, of = state_]() -> asio::awaitable<void> {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await keep(self, index, of);
    };
    asio::co_spawn(core.strand_, std::move(run), asio::bind_cancellation_slot(state_->over.slot(), asio::detached));
}

client_core::vigil::~vigil() {
    state_->http = nullptr;
    // Posted: the signal has to outlive what it sets off, and whoever ends this may be a frame that is being destroyed.
    asio::post(strand_, [ended = state_] { ended->over.emit(asio::cancellation_type::terminal); });
}

asio::awaitable<void> client_core::vigil::keep(std::shared_ptr<client_core> core, std::size_t index, std::shared_ptr<state> of) {
    call what;
    what.name = "sign of life";
    what.path = "/v3/maintenance/status";
    const std::string body = "{}";
    // A member with a thousand logins to do is slow, too: it has all the time of any call.
    const auto limit = core->options_.request_timeout;
    const time_point began = clock::now();
    time_point now = began;
    time_point sign_at = now + limit / 2;
    // Without a use behind nobody waits longer than this, and the io_context is to run out of work.
    const time_point enough = now + core->options_.total_timeout;
    while (of->http) {
        const time_point wake = now < enough ? std::min(sign_at, enough) : sign_at;
        if (!co_await core->sleep(std::chrono::ceil<std::chrono::milliseconds>(wake - now)) || !of->http) co_return;
        now = clock::now();
        if (now >= enough && core->uses_ == 0) break;
        if (now < sign_at) continue;
        message_reply<status_response> reply;
        const secret token = core->tokens_.at_hand();
        auto alive = co_await core->attempt(what, body, reply, index, token, now + limit);
        if (!of->http) co_return;
        if (!alive && policy::member_is_unfit(alive.error().why.code)) break;
        const bool quick = clock::now() - now < limit / 16;
        now = clock::now();
        sign_at = now + limit / 2;
        if (quick && now - began >= limit && core->tokens_.may_be_lost()) {
            core->tokens_.lost();
            break;
        }
    }
    if (of->http) of->http->expires_at(clock::now());
}

}  // namespace dynconf::etcd
