#pragma once

#include <dynconf/endpoint.hpp>
#include <dynconf/error.hpp>
#include <dynconf/log.hpp>
#include <dynconf/options.hpp>

#include "etcd/reply.hpp"
#include "etcd/spawn.hpp"
#include "policy/backoff.hpp"
#include "policy/endpoint_rotation.hpp"
#include "policy/retry.hpp"
#include "policy/token_state.hpp"
#include "transport/condition.hpp"
#include "transport/session_pool.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::etcd {

class watch_hub;

/// What the core has to know about a call apart from its body.
struct call {
    std::string_view name;     ///< For messages: "range".
    std::string_view path;
    policy::safety safety = policy::safety::repeatable;
    bool needs_leader = true;  ///< False for what one member may answer alone.
    bool authenticated = true;
};

/// The shared heart of a client: endpoints, sessions, token, retries. All members but make(), executor() and options()
/// are for coroutines on its strand.
class client_core : public std::enable_shared_from_this<client_core> {
public:
    using clock = std::chrono::steady_clock;

    /// std::invalid_argument for endpoints or credentials that cannot work.
    static std::shared_ptr<client_core> make(const asio::any_io_executor& executor, client_options options);

    const strand& executor() const noexcept { return strand_; }
    const client_options& options() const noexcept { return options_; }

    template <class Message>
    asio::awaitable<result<Message>> unary(call what, const std::string& body) {
        message_reply<Message> answer;
        auto done = co_await perform(what, body, answer);
        if (!done) co_return done.error();
        co_return std::move(answer.message);
    }

    /// One try at one endpoint, with a token but without a repetition.
    template <class Message>
    asio::awaitable<result<Message>> unary_at(std::size_t index, call what, const std::string& body, std::chrono::milliseconds limit) {
        message_reply<Message> answer;
        auto done = co_await perform_at(index, what, body, answer, limit);
        if (!done) co_return done.error();
        co_return std::move(answer.message);
    }

    /// A stream that is open: its request was sent, its answer goes to the sink it was opened with.
    struct stream {
        std::unique_ptr<transport::http_session> session;
        std::string endpoint;
        std::size_t index = 0;
        policy::token_state::generation token = 0;
    };
    /// One try at the current endpoint; the session's deadline is created_timeout from now.
    asio::awaitable<result<stream>> open_stream(call what, const std::string& body, transport::response_sink& sink);

    /// What a stream learned about its endpoint and token.
    void endpoint_failed(std::size_t index) noexcept { rotation_.failed(index); }
    void token_refused(policy::token_state::generation number) noexcept { tokens_.refused(number); }
    bool has_credentials() const noexcept { return tokens_.has_credentials(); }
    std::size_t endpoint_count() const noexcept { return pools_.size(); }

    /// The stream that serves all watches.
    watch_hub& watches() noexcept { return *watches_; }

    /// Waits; false when cancelled.
    asio::awaitable<bool> sleep(std::chrono::milliseconds d);
    const policy::random_source& random() const noexcept { return random_; }
    void log(log_level level, std::string_view event, std::string text) const;

private:
    struct made_by_make {};
    using time_point = clock::time_point;

public:
    client_core(made_by_make, const asio::any_io_executor& executor, client_options options, std::vector<endpoint> endpoints);
    ~client_core();

private:
    struct failure {
        policy::stage how_far;
        error why;
    };

    asio::awaitable<result<void>> perform(const call& what, const std::string& body, reply& answer);
    asio::awaitable<boost::system::result<void, failure>> attempt(const call& what, const std::string& body, reply& answer, std::size_t index,
                                                   std::string_view token, time_point due);
    asio::awaitable<result<void>> perform_at(std::size_t index, const call& what, const std::string& body, reply& answer,
                                             std::chrono::milliseconds limit);
    asio::awaitable<result<policy::token_state::send>> token(time_point due);
    asio::awaitable<void> fetch_token();
    std::string request(const call& what, std::string_view body, const endpoint& to, std::string_view token,
                        std::chrono::milliseconds limit) const;

    strand strand_;
    client_options options_;
    std::vector<std::shared_ptr<transport::session_pool>> pools_;   // one for each endpoint
    policy::endpoint_rotation rotation_;
    policy::token_state tokens_;
    transport::condition token_changed_;
    policy::random_source random_;
    std::unique_ptr<watch_hub> watches_;   // uses all of the above
};

}  // namespace dynconf::etcd
