#include "etcd/vigil.hpp"

#include "crypto/hide.hpp"
#include "crypto/wiped.hpp"
#include "etcd/lease_keeper.hpp"
#include "etcd/watch_hub.hpp"
#include "policy/longest_wait.hpp"
#include "transport/tls.hpp"
#include "wire/requests.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

namespace dynconf::etcd {

namespace {

/// The server ends a call a little earlier than we do: then its reason is heard, and nothing goes on without us.
std::chrono::milliseconds server_limit(std::chrono::milliseconds limit) {
    return std::max(std::chrono::milliseconds(1), limit - std::max(limit / 20, std::chrono::milliseconds(1)));
}

/// A call may see its token refused because it expired and once more because users changed meanwhile.
constexpr unsigned most_refreshes = 3;

/// How long a first login is waited for.
constexpr int patience_in_request_timeouts = 4;

struct named_timeout {
    std::string_view name;
    std::chrono::milliseconds client_options::*value;
};

constexpr named_timeout timeouts[] = {
    {"connect_timeout", &client_options::connect_timeout}, {"tls_timeout", &client_options::tls_timeout},
    {"request_timeout", &client_options::request_timeout}, {"total_timeout", &client_options::total_timeout},
    {"created_timeout", &client_options::created_timeout}, {"slow_retry", &client_options::slow_retry},
};

/// What is longer than anybody waits, as long as can be added to a time.
client_options within_the_clock(client_options o) {
    for (std::chrono::milliseconds* d :
         {&o.connect_timeout, &o.tls_timeout, &o.request_timeout, &o.total_timeout, &o.created_timeout, &o.max_staleness, &o.rotate_after,
          &o.verify_every, &o.slow_retry, &o.idle_timeout, &o.discovery.refresh, &o.backoff.first, &o.backoff.most, &o.backoff.healthy})
        *d = policy::within_the_clock(*d);
    return o;
}

/// The names to look up have to be names.
void require_domain_name(const discovery_options& how) {
    if (how.srv.empty()) {
        if (!how.srv_name.empty()) throw std::invalid_argument("dynconf: discovery.srv_name without discovery.srv");
        return;
    }
    const std::string name = policy::srv_names(how.srv, how.srv_name).secure;
    const auto parsed = endpoint::parse(name);
    if (!parsed || parsed->host() != name || how.srv_name.find('.') != std::string::npos)
        throw std::invalid_argument("dynconf: discovery.srv '" + (how.srv.find('@') == std::string::npos ? how.srv : "...")
                                    + "' with the service name '" + how.srv_name + "' is no domain name");
}

}  // namespace

error in_context(error e, const call& what, const std::string& where) {
    std::string detail = std::string(what.name) + " at " + where;
    if (!e.detail.empty()) detail += ": " + e.detail;
    if (e.in_doubt) detail += " (it may have been executed)";
    return {e.code, std::move(detail), e.in_doubt};
}

std::shared_ptr<client_core> client_core::make(const asio::any_io_executor& executor, client_options options) {
    std::vector<endpoint> endpoints;
    if (!options.endpoints.empty()) {
        // As one list: what stands between two commas may be a part of a password, which the whole shows and no part does.
        std::string all;
        for (const std::string& text : options.endpoints) all += (&text == &options.endpoints.front() ? "" : ",") + text;
        auto parsed = endpoint::parse_list(all);
        wipe(all);
        if (!parsed) throw std::invalid_argument("dynconf: " + parsed.error().message());
        endpoints = std::move(*parsed);
    }
    if (endpoints.empty() && options.discovery.srv.empty()) throw std::invalid_argument("dynconf: no endpoint was given");
    require_domain_name(options.discovery);
    transport::require_usable(options.tls);
    if (const auto fixed = detail::credentials_access::fixed(options.auth); fixed && fixed->username.empty())
        throw std::invalid_argument("dynconf: credentials without a user name");
    if (options.page_size < 1) throw std::invalid_argument("dynconf: page_size must be positive");
    if (options.discovery.refresh <= std::chrono::milliseconds(0))
        throw std::invalid_argument("dynconf: discovery.refresh must be positive");
    if (options.max_staleness < std::chrono::seconds(1)) throw std::invalid_argument("dynconf: max_staleness must be 1 s or more");
    for (const named_timeout& t : timeouts)
        if (options.*t.value <= std::chrono::milliseconds(0)) throw std::invalid_argument("dynconf: " + std::string(t.name) + " must be positive");
    if (options.max_connections == 0) throw std::invalid_argument("dynconf: max_connections must be positive");
    if (options.rotate_after < std::chrono::milliseconds(0)) throw std::invalid_argument("dynconf: rotate_after must not be negative");
    auto made = std::make_unique<client_core>(made_by_make{}, executor, within_the_clock(std::move(options)), std::move(endpoints));
    const strand on = made->executor();   // before `made` is moved from
    return owned_by(on, std::move(made));
}

client_core::client_core(made_by_make, const asio::any_io_executor& executor, client_options options, std::vector<endpoint> endpoints)
    : strand_(asio::make_strand(executor)), options_(std::move(options)),
      connector_(transport::make_connector(strand_, options_)), configured_(endpoints.size()), random_(transport::chance()),
      health_(endpoints.size(), options_.backoff, random_), retries_(options_.retry_budget),
      tokens_(options_.auth.has_value(), patience_in_request_timeouts * options_.request_timeout), login_(strand_, options_.auth),
      token_changed_(strand_), health_changed_(strand_), events_(options_.log),
      look_up_pauses_(options_.backoff, random_) {
    for (endpoint& e : endpoints)
        pools_.push_back(std::make_shared<transport::session_pool>(strand_, connector_, std::move(e), options_));
    watches_ = std::make_unique<watch_hub>(*this);
    leases_ = std::make_unique<lease_keeper>(*this);
}

client_core::~client_core() = default;

void client_core::log(log_level level, std::string_view event, std::string text, std::initializer_list<log_field> fields) {
    events_.write(level, event, std::move(text), fields, clock::now());
}

std::vector<std::size_t> client_core::endpoints() const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < pools_.size(); ++i)
        if (!health_.is_retired(i)) all.push_back(i);
    return all;
}

std::optional<std::size_t> client_core::find_endpoint(std::string_view text) const {
    const auto wanted = endpoint::parse(text);
    if (!wanted) return std::nullopt;
    for (const std::size_t i : endpoints())
        if (pools_[i]->to() == *wanted) return i;
    return std::nullopt;
}

asio::awaitable<bool> client_core::sleep(std::chrono::milliseconds d) {
    if (co_await transport::was_cancelled()) co_return false;
    transport::timer sleeper(strand_, clock::now() + d);
    co_await sleeper.async_wait(transport::as_result);
    co_return !co_await transport::was_cancelled();
}

std::string client_core::request(const call& what, std::string_view body, const endpoint& to, const secret& token,
                                 std::chrono::milliseconds limit) const {
    std::string text;
    const std::string authority = to.authority();
    text.reserve(320 + what.path.size() + authority.size() + token.size() + body.size());   // no second one, which nobody would wipe
    text.append(what.get ? "GET " : "POST ").append(what.path).append(" HTTP/1.1\r\nHost: ").append(authority);
    text.append("\r\nContent-Type: application/json\r\nContent-Length: ").append(std::to_string(body.size()));
    if (!token.empty()) text.append("\r\nAuthorization: ").append(token.reveal());   // bare: "Bearer" is refused before 3.5.32
    if (what.many_messages) text.append("\r\nConnection: close");
    if (what.needs_leader && options_.require_leader) text.append("\r\nGrpc-Metadata-hasleader: true");
    if (limit.count() > 0) text.append("\r\nGrpc-Timeout: ").append(std::to_string(server_limit(limit).count())).append("m");
    text.append("\r\n\r\n").append(body);
    return text;
}

asio::awaitable<boost::system::result<void, client_core::failure>> client_core::attempt(
    const call& what, std::string_view body, reply& answer, std::size_t index, const secret& token, time_point due) {
    using policy::stage;
    auto session = co_await pools_[index]->place(due);
    if (!session) co_return failure{stage::not_sent, session.error(), true};
    auto connected = co_await pools_[index]->connect(*session, due);
    if (!connected) co_return failure{stage::not_sent, connected.error()};
    transport::http_session& http = **session;

    const clock::duration left = due - clock::now();
    const auto limit = what.long_running || what.patient ? left : std::min<clock::duration>(options_.request_timeout, left);
    const auto limit_ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit);
    if (limit_ms.count() <= 0) co_return failure{stage::not_sent, {errc::deadline_exceeded, {}}};
    http.expires_at(clock::now() + limit);
    std::optional<vigil> watching;
    if (what.patient) watching.emplace(*this, index, http);
    answer.expect(options_.max_response_bytes);
    std::string text = request(what, body, pools_[index]->to(), token, limit_ms);
    const wiped at_end{text};
    result<void> sent = co_await http.send(text, answer, options_.max_response_bytes);
    if (!sent) co_return failure{http.request_left() ? stage::sent : stage::not_sent, sent.error()};
    for (;;) {
        result<bool> complete = co_await http.read_some();
        if (!complete) {
            // Where the decoder stopped the exchange it knows best what was wrong.
            if (answer.refused())
                if (auto why = answer.finish(); !why) co_return failure{stage::sent, why.error()};
            co_return failure{stage::sent, complete.error()};
        }
        if (*complete) break;
        // The cancellation may have met this very read, which it can then no longer end.
        if (co_await transport::was_cancelled()) {
            http.close();
            co_return failure{stage::sent, {asio::error::operation_aborted, {}}};
        }
    }
    http.no_deadline();
    auto taken = answer.finish();
    if (!taken) co_return failure{stage::answered, taken.error()};
    co_return boost::system::result<void, failure>();
}

class client_core::trial {
public:
    explicit trial(client_core& core) noexcept : core_(core) {}
    trial(const trial&) = delete;
    trial& operator=(const trial&) = delete;
    ~trial() {
        if (!index_) return;
        core_.on_trial_.erase(*index_);
        core_.health_changed_.notify_all();
    }
    void begin(std::size_t index) {
        core_.on_trial_.insert(index);
        index_ = index;
    }

private:
    client_core& core_;
    std::optional<std::size_t> index_;
};

asio::awaitable<result<client_core::tried>> client_core::try_once(std::optional<std::size_t> only, const call& what,
                                                                  std::string_view body, reply& answer, time_point due) {
    if (!only) {
        auto have = co_await have_endpoint(what.name, what.background, due);
        if (!have) co_return have.error();
    }
    for (unsigned refreshes = 0;;) {
        policy::token_state::send use{{}, 0};
        if (what.authenticated) {
            auto got = co_await token(due, what.background);
            if (!got) co_return got.error();
            use = std::move(*got);
        }
        if (!only && what.background && health_.all_down()) co_return unreachable(what);
        tried done{only ? *only : health_.choose(), std::nullopt};
        const std::string where = pools_[done.index]->to().to_string();
        // Where nothing has worked yet one goes ahead: a hundred mirrors that load must not be a hundred connections to
        // a cluster that is away.
        trial alone(*this);
        if (what.background && !only && !health_.is_proven(done.index)) {
            if (on_trial_.contains(done.index)) {
                co_await health_changed_.wait(due);
                if (co_await transport::was_cancelled()) co_return in_context({asio::error::operation_aborted, {}}, what, where);
                if (clock::now() >= due) co_return in_context({errc::deadline_exceeded, {}}, what, where);
                continue;
            }
            alone.begin(done.index);
        }
        const time_point began = clock::now();
        auto outcome = co_await attempt(what, body, answer, done.index, use.token, due);
        if (outcome) {
            if (const std::uint64_t id = answer.cluster_id()) cluster_id_ = id;
            if (what.needs_leader) report_success(done.index, began);
            else health_.answered(done.index);
            co_return done;
        }
        failure failed = outcome.error();
        if (failed.why.detail != failed.why.code.message()) {   // etcd's own words, which may be a bad password, too
            hide_secrets(failed.why.detail, use.token);
            crypto::hide(failed.why.detail, {what.secret});
        }
        failed.why.in_doubt = policy::leaves_in_doubt(what.safety, failed.how_far, failed.why.code);
        if (co_await transport::was_cancelled())
            co_return in_context({asio::error::operation_aborted, {}, failed.why.in_doubt}, what, where);

        done.verdict = policy::decide(what.safety, failed.how_far, failed.why.code);
        // Beside a client certificate etcd takes a request without a token for one of a user without name and rights.
        const bool came_as_nobody = what.authenticated && use.token.empty() && failed.why.code == server_errc::permission_denied;
        if (came_as_nobody && tokens_.has_credentials()) done.verdict = policy::verdict::refresh_token;
        if (done.verdict == policy::verdict::refresh_token) {
            tokens_.refused(use.number);
            if (what.authenticated && tokens_.has_credentials() && ++refreshes <= most_refreshes) continue;
            done.verdict = policy::verdict::give_up;
        }
        if (may_be_held_up(failed)) question_token(done.index, std::move(use));
        const error_code code = failed.why.code;
        failed.why = in_context(std::move(failed.why), what, where);
        const bool too_short = had_too_little_time(code, what, due - began);
        const bool at_work = policy::ran_out_of_time(code) && what.patient && clock::now() >= due;
        if (policy::member_is_unfit(code) && !what.tentative && !too_short && !at_work && !failed.ours) report_failure(done.index, began, failed.why);
        done.failed = std::move(failed);
        co_return done;
    }
}

asio::awaitable<result<void>> client_core::perform(const call& what, std::string_view body, reply& answer) {
    const time_point due = what.due.value_or(clock::now() + options_.total_timeout);
    policy::backoff pauses(options_.backoff, random_);
    std::map<std::size_t, std::string> causes;   // by endpoint, the last of each
    bool in_doubt = false;                       // one of the tries may have been executed
    for (std::size_t tries = 1;; ++tries) {
        auto outcome = co_await try_once(std::nullopt, what, body, answer, due);
        if (!outcome) {
            error why = outcome.error();
            why.in_doubt |= in_doubt;
            co_return why;
        }
        if (!outcome->failed) {
            if (tries == 1) retries_.first_try_worked();
            co_return result<void>();
        }
        error why = outcome->failed->why;
        why.in_doubt = in_doubt |= why.in_doubt;
        if (outcome->verdict == policy::verdict::give_up) co_return why;

        const std::size_t round = health_.count();
        if (what.background ? tries >= round || health_.all_down() : tries >= options_.max_rounds * round) {
            if (round == 1) co_return why;
            causes[outcome->index] = why.message();
            std::string all;
            for (const auto& [index, cause] : causes) all += (all.empty() ? "" : "; ") + cause;
            co_return error{errc::no_endpoint_available, std::move(all), in_doubt};
        }
        causes[outcome->index] = why.message();
        // Background work is bounded by the ejections.
        if (!what.background && !retries_.take()) {
            why.detail += " (not tried again: the retry budget is used up)";
            co_return why;
        }
        if (tries % round == 0) {
            const auto pause = pauses.failed(clock::now());
            if (clock::now() + pause >= due) co_return why;
            if (!co_await sleep(pause))
                co_return in_context({asio::error::operation_aborted, {}, in_doubt}, what, pools_[outcome->index]->to().to_string());
        }
    }
}

asio::awaitable<result<void>> client_core::perform_at(std::size_t index, const call& what, std::string_view body,
                                                      reply& answer, time_point due) {
    auto outcome = co_await try_once(index, what, body, answer, due);
    if (!outcome) co_return outcome.error();
    if (outcome->failed) co_return outcome->failed->why;
    co_return result<void>();
}

bool client_core::had_too_little_time(const error_code& code, const call& what, clock::duration had) const {
    return policy::ran_out_of_time(code) && !what.sign_of_life && had < std::min(options_.request_timeout, options_.total_timeout) / 2;
}

asio::awaitable<result<void>> client_core::try_once_at_best(const call& what, std::string_view body, reply& answer,
                                                            std::chrono::milliseconds limit) {
    const time_point due = clock::now() + limit;
    auto have = co_await have_endpoint(what.name, true, due);
    if (!have) co_return have.error();
    co_return co_await perform_at(health_.choose(), what, body, answer, due);
}

error client_core::unreachable(const call& what) const {
    return {errc::no_endpoint_available, std::string(what.name) + ": every endpoint is down; the last one: " + last_failure_.message()};
}

asio::awaitable<result<client_core::stream>> client_core::open_stream(call what, std::string_view body,
                                                                      transport::response_sink& sink) {
    stream opened;
    opened.use = in_use(*this);
    const time_point due = what.due.value_or(clock::now() + options_.total_timeout);
    auto have = co_await have_endpoint(what.name, true, due);
    if (!have) co_return have.error();
    auto use = co_await token(due, true);
    if (!use) co_return use.error();
    opened.index = health_.choose();
    opened.token = use->number;
    const endpoint& to = pools_[opened.index]->to();
    opened.endpoint = to.to_string();
    const time_point began = clock::now();
    const auto failed = [&](const error& cause) {
        error why = in_context(cause, what, opened.endpoint);
        if (policy::member_is_unfit(why.code) && !had_too_little_time(why.code, what, due - began)) report_failure(opened.index, began, why);
        return why;
    };
    const time_point until = what.due.value_or(time_point::max());
    auto session = co_await pools_[opened.index]->connect(until);
    if (!session) co_return failed(session.error());
    opened.session = std::move(*session);
    opened.session->expires_at(std::min(until, clock::now() + options_.created_timeout));
    std::string text = request(what, body, to, use->token, std::chrono::milliseconds(0));
    const wiped at_end{text};
    opened.authorization = std::move(use->token);
    auto sent = co_await opened.session->send(text, sink, transport::unlimited);
    if (!sent) co_return failed(sent.error());
    co_return opened;
}

}  // namespace dynconf::etcd
