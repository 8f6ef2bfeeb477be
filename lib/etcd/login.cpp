#include "etcd/client_core.hpp"

#include "crypto/hide.hpp"
#include "etcd/secret_body.hpp"
#include "wire/requests.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <utility>

// The part of the core that logs in, and lets go of tokens.

namespace dynconf::etcd {

namespace {

/// Longer than any token: each request would carry it.
constexpr std::size_t most_token = 64 * 1024;

constexpr std::chrono::milliseconds most_for_a_question{2'000};

}  // namespace

asio::awaitable<result<policy::token_state::send>> client_core::token(time_point due, bool background) {
    using policy::token_state;
    for (;;) {
        token_state::answer answer = tokens_.next(clock::now());
        if (auto* have = std::get_if<token_state::send>(&answer)) co_return std::move(*have);
        if (auto* no = std::get_if<token_state::refuse>(&answer)) co_return std::move(no->why);
        if (const auto* flight_of = std::get_if<token_state::fetch>(&answer)) {
            // On its own feet: that this caller is cancelled must not cost the others their token.
            auto flight = [self = shared_from_this(), background, patience = flight_of->patience]() -> asio::awaitable<void> {
                const std::shared_ptr<client_core> core = self;
                co_await core->fetch_token(background, patience);
            };
            auto ended = [self = shared_from_this()](const std::exception_ptr& thrown) {
                if (!thrown) return;
                self->tokens_.fetch_failed(to_error(thrown), false, clock::now());   // out of memory, say: the next one tries again
                self->token_changed_.notify_all();
            };
            asio::co_spawn(strand_, std::move(flight), std::move(ended));
            continue;   // it may have ended already, where there are no credentials
        }
        co_await token_changed_.wait(due);
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, "authenticate"};
        if (clock::now() >= due) co_return error{errc::deadline_exceeded, "authenticate"};
    }
}

asio::awaitable<void> client_core::fetch_token(bool background, std::chrono::milliseconds patience) {
    using policy::credential_state;
    credential_state::step step = login_.state.begin();
    time_point due = time_point::max();   // of the login
    while (!std::holds_alternative<credential_state::give_up>(step)) {
        if (std::holds_alternative<credential_state::ask>(step)) {
            auto given = co_await login_.ask();
            if (given) log(log_level::debug, "credentials_given", "for " + given->username, {{"user", given->username}});
            step = given ? login_.state.given(std::move(*given)) : login_.state.not_given(given.error());
            continue;
        }
        const credentials who = std::get<credential_state::use>(step).who;
        const secret body = as_secret(wire::authenticate_request(who.username, who.password.reveal()));
        call what;
        what.name = "authenticate";
        what.path = "/v3/auth/authenticate";
        what.authenticated = false;
        what.background = background;
        what.due = due = clock::now() + patience;
        what.patient = true;
        what.secret = who.password.reveal();
        auto answer = co_await unary<wire::authenticate_response>(what, body.reveal());
        if (answer && answer->token.size() > most_token)
            answer = error{errc::malformed_response, "authenticate: a token of " + std::to_string(answer->token.size()) + " bytes"};
        const error why = answer ? error{} : answer.error();
        if (answer || why.code == server_errc::auth_not_enabled) {
            login_.state.accepted();
            if (answer) {
                tokens_.fetched(as_secret(std::move(answer->token)));
                log(log_level::debug, "token_fetched", "authenticated as " + who.username, {{"user", who.username}});
            } else {
                tokens_.not_enabled();
                log(log_level::info, "auth_not_enabled", "credentials were given, but etcd has authentication switched off");
            }
            break;
        }
        if (why.code == server_errc::auth_failed) step = login_.state.refused(why);
        else step = credential_state::give_up{why};
    }
    if (const auto* failed = std::get_if<credential_state::give_up>(&step)) {
        const std::string why = failed->why.message();
        log(log_level::warning, "authenticate_failed", why, {{"cause", why}});
        const time_point now = clock::now();
        tokens_.fetch_failed(failed->why, now >= due && policy::ran_out_of_time(failed->why.code), now);
    }
    token_changed_.notify_all();
}

void client_core::question_token(std::size_t index, policy::token_state::send used) {
    if (!tokens_.is_to_be_questioned(used.number, clock::now())) return;
    auto run = [self = shared_from_this(), index, used = std::move(used)]() -> asio::awaitable<void> {
        const std::shared_ptr<client_core> core = self;
        const policy::token_state::send suspect = used;
        if (!co_await core->is_held_up(index, suspect.token)) co_return;
        core->tokens_.refused(suspect.number);
        core->log(log_level::info, "token_held_up", "etcd answers without the token, and not with it: another one is fetched");
    };
    const auto ended = [](const std::exception_ptr&) {};   // out of memory, say: the next late call asks again
    asio::co_spawn(strand_, std::move(run), ended);
}

asio::awaitable<bool> client_core::is_held_up(std::size_t index, const secret& token) {
    call what;
    what.name = "question";
    what.path = "/v3/kv/range";
    what.needs_leader = false;
    const range_options of_no_weight{.read = consistency::serializable, .count_only = true};
    const std::string body = wire::range_request(key_range::key(std::string(1, '\0')), of_no_weight);
    const auto limit = std::min(options_.request_timeout, most_for_a_question);
    message_reply<range_response> reply;
    auto with = co_await attempt(what, body, reply, index, token, clock::now() + limit);
    if (with || !may_be_held_up(with.error())) co_return false;
    const secret none;   // to be answered at once: a member that is merely slow is slow with both
    auto without = co_await attempt(what, body, reply, index, none, clock::now() + limit / 4);
    co_return without || (without.error().how_far == policy::stage::answered && !may_be_held_up(without.error()));
}

asio::awaitable<result<credentials>> client_core::current_credentials() {
    if (const credentials* known = login_.state.known()) co_return *known;
    co_return co_await login_.ask();
}

void client_core::hide_secrets(std::string& words, const secret& token) const {
    crypto::hide(words, {token.reveal()});
    login_.hide(words);
}

}  // namespace dynconf::etcd
