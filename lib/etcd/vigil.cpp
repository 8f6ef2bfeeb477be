#include "etcd/vigil.hpp"

#include "policy/signs_of_life.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <variant>

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
    const client_options& options = core->options_;
    policy::signs_of_life signs(clock::now(), options.request_timeout, options.total_timeout);
    while (of->http) {
        const auto step = signs.next(clock::now(), core->uses_ != 0);
        if (const auto* pause = std::get_if<policy::signs_of_life::wait>(&step)) {
            if (!co_await core->sleep(std::chrono::ceil<std::chrono::milliseconds>(pause->until - clock::now()))) co_return;
        } else if (const auto* question = std::get_if<policy::signs_of_life::ask>(&step)) {
            const time_point asked = clock::now();
            message_reply<status_response> reply;
            const secret token = core->tokens_.at_hand().token;
            auto answer = co_await core->attempt(what, body, reply, index, token, question->due);
            const bool alive = answer || !policy::member_is_unfit(answer.error().why.code);
            signs.answered(asked, clock::now(), alive, core->tokens_.may_be_lost());
        } else {
            if (std::get<policy::signs_of_life::give_up>(step).lost) core->tokens_.lost();
            of->http->expires_at(clock::now());
            co_return;
        }
    }
}

}  // namespace dynconf::etcd
