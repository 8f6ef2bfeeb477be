#pragma once

#include <dynconf/endpoint.hpp>
#include <dynconf/error.hpp>
#include <dynconf/log.hpp>
#include <dynconf/options.hpp>

#include "etcd/credential_keeper.hpp"
#include "etcd/reply.hpp"
#include "etcd/spawn.hpp"
#include "policy/backoff.hpp"
#include "policy/endpoint_health.hpp"
#include "policy/event_log.hpp"
#include "policy/retry.hpp"
#include "policy/retry_budget.hpp"
#include "policy/srv_records.hpp"
#include "policy/token_state.hpp"
#include "transport/condition.hpp"
#include "transport/session_pool.hpp"
#include "transport/srv_lookup.hpp"
#include "wire/messages.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf::etcd {

class lease_keeper;
class watch_hub;

/// What the core has to know about a call apart from its body.
struct call {
    std::string_view name;     ///< For messages: "range".
    std::string_view path;
    policy::safety safety = policy::safety::repeatable;
    bool needs_leader = true;  ///< False for what one member may answer alone.
    bool authenticated = true;
    /// Asked by the library itself, which can wait: one try at each endpoint that is up, none when all are down, no
    /// pauses. until_reachable() says when to ask again.
    bool background = false;
    /// There is another way to ask, and that one decides: the failure of this one says nothing about the member.
    bool tentative = false;
    /// It asks whether the member lives: to be late says that it does not. The timeout of any other call does so only when it
    /// had half of the usual time: less may be too little for a member that has much to do.
    bool sign_of_life = false;
    /// Several messages in one body, answered one by one. Go's HTTP server throws away what it has not yet read of a body
    /// when it begins to answer (up to 256 KiB), so that the later ones would now and then be lost; not on a connection
    /// that is to be closed afterwards.
    bool many_messages = false;
    /// When it has to be done with all its tries; none: client_options::total_timeout from its start.
    std::optional<std::chrono::steady_clock::time_point> due = std::nullopt;
    /// One try may take all of that time: the member itself has much to do.
    bool long_running = false;
    /// The same for work that goes on at the member when nobody waits for it any more: as long as the member gives signs of
    /// life it is waited for, and to be late says nothing against the member.
    bool patient = false;
    /// A GET without a body, of what etcd itself serves beside the gateway.
    bool get = false;
    /// What of the body nobody may see: taken out of the words of an error. The request is wiped once it was sent.
    std::string_view secret = {};
};

/// Says which call of whom failed.
error in_context(error e, const call& what, const std::string& where);

/// The shared heart of a client: endpoints, sessions, token, retries. All members but make(), executor() and options()
/// are for coroutines on its strand.
class client_core : public std::enable_shared_from_this<client_core> {
public:
    using clock = transport::clock;

    /// std::invalid_argument for endpoints or credentials that cannot work.
    static std::shared_ptr<client_core> make(const asio::any_io_executor& executor, client_options options);

    const strand& executor() const noexcept { return strand_; }
    const client_options& options() const noexcept { return options_; }

    template <class Message>
    asio::awaitable<result<Message>> unary(call what, std::string_view body) {
        message_reply<Message> answer;
        auto done = co_await perform(what, body, answer);
        if (!done) co_return done.error();
        co_return std::move(answer.message);
    }

    /// The same, one try at one endpoint, no longer than `limit`; only a token may be renewed on the way.
    template <class Message>
    asio::awaitable<result<Message>> unary_at(std::size_t index, call what, std::string_view body,
                                              std::chrono::milliseconds limit) {
        message_reply<Message> answer;
        auto done = co_await perform_at(index, what, body, answer, clock::now() + limit);
        if (!done) co_return done.error();
        co_return std::move(answer.message);
    }

    /// The same for what is no message. `what`, `body` and `answer` have to live until it is done.
    asio::awaitable<result<void>> perform(const call& what, std::string_view body, reply& answer);
    asio::awaitable<result<void>> perform_at(std::size_t index, const call& what, std::string_view body, reply& answer,
                                             clock::time_point due);

    /// One try, no longer than `limit`, at the endpoint to choose: after a failure that is another one, if one is up.
    asio::awaitable<result<void>> try_once_at_best(const call& what, std::string_view body, reply& answer,
                                                   std::chrono::milliseconds limit);

    /// `wish` while it is up, else the one to choose; and where to go on with what was too slow at `index`. Once
    /// have_endpoint() has found one.
    std::size_t best_endpoint(std::optional<std::size_t> wish) noexcept { return wish && health_.is_up(*wish) ? *wish : health_.choose(); }
    std::size_t endpoint_after(std::size_t index) const noexcept { return health_.next_after(index); }

    /// While one is held the client is in use in the background: endpoints that are down are probed. It does not keep
    /// the core alive.
    class in_use {
    public:
        in_use() = default;
        explicit in_use(client_core& core);
        in_use(in_use&& other) noexcept : core_(std::exchange(other.core_, {})) {}
        in_use& operator=(in_use&& other) noexcept {
            std::swap(core_, other.core_);
            return *this;
        }
        ~in_use();

    private:
        std::weak_ptr<client_core> core_;
    };

    /// A stream that is open: its request was sent, its answer goes to the sink it was opened with.
    struct stream {
        std::unique_ptr<transport::http_session> session;
        std::string endpoint;
        std::size_t index = 0;
        policy::token_state::generation token = 0;
        secret authorization;   ///< That token.
        in_use use;
    };
    /// One try at the current endpoint; the session's deadline is created_timeout from now, or `call::due` if that is before. A
    /// failure is reported by it, a success by whom it is confirmed to: endpoint_worked().
    asio::awaitable<result<stream>> open_stream(call what, std::string_view body, transport::response_sink& sink);

    /// What a stream learned about its endpoint and token.
    void endpoint_worked(std::size_t index) { report_success(index, clock::now()); }
    void endpoint_failed(std::size_t index, const error& why) { report_failure(index, clock::now(), why); }
    void token_refused(policy::token_state::generation number) noexcept { tokens_.refused(number); }
    void not_acknowledged(const stream& s) { question_token(s.index, {s.authorization, s.token}); }
    bool has_credentials() const noexcept { return tokens_.has_credentials(); }
    /// Takes the client's secrets out of words that a server wrote: it, or a proxy, may quote the request.
    void hide_secrets(std::string& words, const secret& token) const;
    /// What to log in with: what is known, else what the source says.
    asio::awaitable<result<credentials>> current_credentials();
    /// The number of endpoints in use; they are numbered from 0, but need not be consecutive.
    std::size_t endpoint_count() const noexcept { return health_.count(); }
    std::vector<std::size_t> endpoints() const;
    /// Looks the records up where no endpoint is usable. An error where there is none even then.
    asio::awaitable<result<void>> have_endpoint(std::string_view what_for, bool background, clock::time_point due);
    std::string endpoint_name(std::size_t index) const { return pools_[index]->to().to_string(); }
    /// Of those in use the one that is written so.
    std::optional<std::size_t> find_endpoint(std::string_view text) const;

    /// True at once unless all endpoints are down, else as soon as one is not; false when cancelled. Background work waits
    /// here instead of pausing, so that a cluster that is away sees the tries of one prober, however much waits for it.
    asio::awaitable<bool> until_reachable();
    /// False as long as nobody has looked for endpoints.
    bool all_endpoints_down() const noexcept { return health_.all_down() && (health_.count() != 0 || looked_up_ != 0); }
    /// How long until_reachable() waits at least.
    std::chrono::milliseconds next_try_in() const;
    /// Why an endpoint was last found unfit, or none was found; no code when all ever was well.
    const error& last_failure() const noexcept { return last_failure_; }
    /// The next call or stream goes to the first endpoint that is up: for a scheduled rotation.
    void return_to_first_endpoint() noexcept { health_.return_to_first(); }

    /// Where SRV records are asked for instead of the system's name servers. Before the first call.
    void ask_name_servers(transport::name_servers those) { name_servers_ = std::move(those); }

    /// The stream that serves all watches.
    watch_hub& watches() noexcept { return *watches_; }
    /// What keeps all leases alive.
    lease_keeper& leases() noexcept { return *leases_; }

    /// Waits; false when cancelled.
    asio::awaitable<bool> sleep(std::chrono::milliseconds d);
    const policy::random_source& random() const noexcept { return random_; }
    void log(log_level level, std::string_view event, std::string text, std::initializer_list<log_field> fields = {});

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
        bool ours = false;   // the member had no part in it
    };

    /// What became of a try whose token was good, or no longer to be renewed.
    struct tried {
        std::size_t index;
        std::optional<failure> failed;
        policy::verdict verdict = policy::verdict::give_up;
    };
    /// At that endpoint, or else at the one to choose.
    asio::awaitable<result<tried>> try_once(std::optional<std::size_t> only, const call& what, std::string_view body,
                                            reply& answer, time_point due);
    /// Marks an endpoint as being tried, as long as it lives.
    class trial;
    /// Asks a member for signs of life while it is at work on a patient call.
    class vigil;
    void report_success(std::size_t index, time_point began);
    void readmitted(std::size_t index);
    void report_failure(std::size_t index, time_point began, const error& why);
    /// To have been late with that little time says nothing against a member.
    bool had_too_little_time(const error_code& code, const call& what, clock::duration had) const;
    error unreachable(const call& what) const;

    void start_prober();
    asio::awaitable<void> look_after_endpoints();
    /// When there is something to do next; none: not before an endpoint fails.
    std::optional<time_point> next_care() const;
    asio::awaitable<void> probe(std::size_t index);
    /// What a member says of itself; an error where it is not fit to serve.
    asio::awaitable<result<status_response>> status_of(std::size_t index, time_point due = time_point::max());

    asio::awaitable<void> learn_members();
    std::vector<endpoint> usable(const std::vector<member>& members) const;
    /// https is in use: no plain endpoint is taken up any more.
    bool is_secure() const;
    std::size_t number_of(const endpoint& e);
    /// Those of `listed` that are not in use yet are from now on, if they show to be of that cluster; false when cancelled or
    /// late.
    asio::awaitable<bool> admit(const std::vector<endpoint>& listed, std::uint64_t cluster_id, time_point due = time_point::max());
    void learned(std::size_t index);
    /// Retires what was found, and is in no list any more.
    void retire_unlisted();

    bool uses_srv() const noexcept { return !options_.discovery.srv.empty(); }
    /// For when nobody else does. `looked_up_` tells whether it came to an end.
    asio::awaitable<void> look_up(time_point due);
    /// An error where none of them can be used; then nothing has changed.
    result<void> take(const policy::srv_found& found);
    /// Admits what the records list where nobody is up who could say to which cluster it has to belong; the same.
    asio::awaitable<bool> admit_in_an_outage(time_point due);
    asio::awaitable<void> refresh_records();
    std::chrono::milliseconds refresh_in() const;

    asio::awaitable<boost::system::result<void, failure>> attempt(const call& what, std::string_view body, reply& answer, std::size_t index,
                                                   const secret& token, time_point due);
    asio::awaitable<result<policy::token_state::send>> token(time_point due, bool background);
    asio::awaitable<void> fetch_token(bool background, std::chrono::milliseconds patience);
    /// etcd, too, may be the one who says that it took too long.
    static bool may_be_held_up(const failure& f) noexcept { return f.how_far != policy::stage::not_sent && policy::ran_out_of_time(f.why.code); }
    /// A call with this token was late: looks in the background whether that is why, and then lets go of it.
    void question_token(std::size_t index, policy::token_state::send used);
    /// Whether the member answers without the token, and not with it.
    asio::awaitable<bool> is_held_up(std::size_t index, const secret& token);
    /// Holds the token: to be wiped.
    std::string request(const call& what, std::string_view body, const endpoint& to, const secret& token,
                        std::chrono::milliseconds limit) const;

    strand strand_;
    client_options options_;
    std::shared_ptr<transport::connector> connector_;
    std::vector<std::shared_ptr<transport::session_pool>> pools_;   // one for each endpoint, the configured ones first
    std::size_t configured_;
    policy::random_source random_;
    policy::endpoint_health health_;
    policy::retry_budget retries_;
    std::set<std::size_t> on_trial_;
    error last_failure_;
    std::uint64_t cluster_id_ = 0;   // that has answered last
    policy::token_state tokens_;
    credential_keeper login_;
    transport::condition token_changed_;
    transport::condition health_changed_;
    policy::event_log events_;
    std::size_t uses_ = 0;
    time_point learn_at_{};   // the list of members
    std::vector<endpoint> members_;   // the usable ones of that list
    transport::name_servers name_servers_;
    std::vector<policy::srv_record> records_;   // sorted
    std::vector<endpoint> from_srv_;            // those of them that can be used, in the order in which to try them
    time_point look_up_at_{};
    policy::backoff look_up_pauses_;
    bool looking_up_ = false;
    std::size_t looked_up_ = 0;
    std::shared_ptr<asio::cancellation_signal> prober_;   // ends look_after_endpoints(); null while that does not run
    std::unique_ptr<watch_hub> watches_;   // these use all of the above
    std::unique_ptr<lease_keeper> leases_;
};

}  // namespace dynconf::etcd
