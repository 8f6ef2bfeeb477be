#include <dynconf/maintenance.hpp>

#include "etcd/capabilities.hpp"
#include "etcd/each_endpoint.hpp"
#include "etcd/kv_calls.hpp"
#include "etcd/snapshot.hpp"
#include "etcd/start_call.hpp"
#include "wire/requests.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::cancels;
using etcd::client_core;
using policy::safety;

namespace {

using clock = client_core::clock;
using time_limit = std::optional<clock::time_point>;

constexpr unsigned most_leaders = 3;   // that are asked to give their place away, when it changes meanwhile

etcd::call status_call() {
    etcd::call what{"status", "/v3/maintenance/status"};
    what.needs_leader = false;
    return what;
}

/// Until when one endpoint may take, so that one that is silent does not cost the whole time of the call.
clock::time_point one_try(const client_core& core, const time_limit& due) {
    const auto at_most = clock::now() + core.options().request_timeout;
    return due ? std::min(*due, at_most) : at_most;
}

clock::time_point whole_call(const client_core& core, const time_limit& due) {
    return due.value_or(clock::now() + core.options().total_timeout);
}

template <class Message>
asio::awaitable<result<Message>> ask_at(client_core& core, std::size_t index, etcd::call what, const std::string& body,
                                        clock::time_point due) {
    etcd::message_reply<Message> answer;
    auto done = co_await core.perform_at(index, what, body, answer, due);
    if (!done) co_return done.error();
    co_return std::move(answer.message);
}

asio::awaitable<result<cluster_status>> status_at_each(client_core& core, const time_limit& due) {
    const clock::time_point limit = one_try(core, due);
    const std::string body = "{}";
    auto ask = [&](std::size_t index) { return ask_at<status_response>(core, index, status_call(), body, limit); };
    auto answers = co_await etcd::ask_each_endpoint<status_response>(core, "status of each endpoint", limit, ask);
    if (!answers) co_return answers.error();
    cluster_status all;
    for (auto& a : *answers) all.endpoints.push_back({std::move(a.endpoint), std::move(a.answer)});
    co_return all;
}

/// An unhealthy member says why with status 503.
class health_reply final : public etcd::reply {
public:
    wire::health_response message;

private:
    bool takes(unsigned status) const noexcept override { return status == 200 || status == 503; }
    void restart() override { decoder_ = wire::decoder<wire::health_response>(); }
    bool write(std::string_view piece) override { return decoder_.write(piece); }
    result<void> take() override {
        auto r = decoder_.finish();
        if (!r) return r.error();
        message = std::move(*r);
        return {};
    }

    wire::decoder<wire::health_response> decoder_;
};

asio::awaitable<result<wire::health_response>> health_at(client_core& core, std::size_t index, clock::time_point due) {
    etcd::call what{"health", "/health"};
    what.get = true;
    what.needs_leader = false;
    what.authenticated = false;
    health_reply answer;
    const std::string none;
    auto done = co_await core.perform_at(index, what, none, answer, due);
    if (!done) co_return done.error();
    co_return std::move(answer.message);
}

error cause_of(const result<wire::health_response>& answer, const std::string& endpoint) {
    if (!answer) return answer.error();
    if (answer->health == "true") return {};
    std::string why = "health at " + endpoint;
    if (!answer->reason.empty()) why += ": " + answer->reason;
    return {server_errc::unhealthy, std::move(why)};
}

asio::awaitable<result<std::vector<endpoint_health>>> health_at_each(client_core& core, const time_limit& due) {
    const clock::time_point limit = one_try(core, due);
    auto ask = [&](std::size_t index) { return health_at(core, index, limit); };
    auto answers = co_await etcd::ask_each_endpoint<wire::health_response>(core, "health of each endpoint", limit, ask);
    if (!answers) co_return answers.error();
    std::vector<endpoint_health> all;
    for (auto& a : *answers) {
        error cause = cause_of(a.answer, a.endpoint);
        all.push_back({std::move(a.endpoint), std::move(cause)});
    }
    co_return all;
}

asio::awaitable<result<std::vector<endpoint_hash>>> hash_at_each(client_core& core, etcd::call what, std::string body, const time_limit& due) {
    const clock::time_point limit = whole_call(core, due);
    what.needs_leader = false;
    what.long_running = true;
    auto ask = [&](std::size_t index) { return ask_at<hash_kv_response>(core, index, what, body, limit); };
    auto answers = co_await etcd::ask_each_endpoint<hash_kv_response>(core, "hash of each endpoint", limit, ask);
    if (!answers) co_return answers.error();
    std::vector<endpoint_hash> all;
    for (auto& a : *answers) all.push_back({std::move(a.endpoint), std::move(a.answer)});
    co_return all;
}

/// Only the leader can give its place away.
error why_no_leader(const cluster_status& all) {
    std::string causes;
    for (const endpoint_status& e : all.endpoints) {
        if (e.status) return {server_errc::not_leader, "move leader: no endpoint is the leader's"};
        causes += (causes.empty() ? "" : "; ") + e.status.error().message();
    }
    return {errc::no_endpoint_available, "move leader: " + causes};
}

asio::awaitable<result<void>> move_leader_to(client_core& core, std::uint64_t target_id, const time_limit& due) {
    const clock::time_point limit = whole_call(core, due);
    etcd::call what{"move leader", "/v3/maintenance/transfer-leadership", safety::at_most_once};
    const std::string body = wire::move_leader_request(target_id);
    for (unsigned tries = 1;; ++tries) {
        auto status = co_await status_at_each(core, limit);
        if (!status) co_return status.error();
        const endpoint_status* leader = status->leader_endpoint();
        if (!leader) co_return why_no_leader(*status);
        const auto index = core.find_endpoint(leader->endpoint);
        if (!index) co_return error{errc::no_endpoint_available, "move leader: " + leader->endpoint};
        auto done = co_await ask_at<wire::header_only_response>(core, *index, what, body, limit);
        if (done) co_return result<void>();
        if (done.error().code != server_errc::not_leader || tries == most_leaders) co_return done.error();
    }
}

etcd::call downgrade_call(safety how) {
    etcd::call what{"downgrade", "/v3/maintenance/downgrade", how};
    what.long_running = true;
    return what;
}

asio::awaitable<result<downgrade_response>> downgrade(client_core& core, std::string_view action, std::string version, safety how, const time_limit& due) {
    etcd::call what = downgrade_call(how);
    what.due = due;
    const std::string body = wire::downgrade_request(action, version);
    co_return co_await core.unary<downgrade_response>(what, body);
}

/// etcd 3.5 executes it, tells nobody, and gives up waiting for that.
bool perhaps_executed(const result<downgrade_response>& answer) { return !answer && answer.error().in_doubt; }

asio::awaitable<result<downgrade_response>> enable_downgrade(client_core& core, std::string version, const time_limit& due) {
    auto done = co_await downgrade(core, "ENABLE", version, safety::at_most_once, due);
    if (!perhaps_executed(done)) co_return done;
    auto now = co_await downgrade(core, "VALIDATE", version, safety::repeatable, due);
    if (!now && now.error().code == server_errc::downgrade_in_process) co_return downgrade_response{};
    co_return done;
}

asio::awaitable<result<downgrade_response>> cancel_downgrade(client_core& core, const time_limit& due) {
    auto done = co_await downgrade(core, "CANCEL", {}, safety::at_most_once, due);
    if (!perhaps_executed(done)) co_return done;
    auto again = co_await downgrade(core, "CANCEL", {}, safety::at_most_once, due);
    if (again) co_return again;   // the first one was not executed
    if (again.error().code == server_errc::no_inflight_downgrade) co_return downgrade_response{};
    co_return done;
}

result<std::vector<member_alarm>> alarms_of(wire::alarm_response message) {
    std::vector<member_alarm> all;
    for (const wire::alarm_entry& a : message.alarms) {
        member_alarm found;
        found.member_id = a.member_id;
        if (a.alarm == "NOSPACE") found.type = alarm_type::no_space;
        else if (a.alarm == "CORRUPT") found.type = alarm_type::corrupt;
        else if (a.alarm.empty()) continue;   // NONE
        else return error{errc::malformed_response, "an alarm of an unknown type"};
        all.push_back(found);
    }
    return all;
}

}  // namespace

std::uint64_t cluster_status::leader() const noexcept {
    std::uint64_t leader = 0, term = 0;
    for (const endpoint_status& e : endpoints)
        if (e.status && e.status->leader != 0 && e.status->raft_term >= term) {
            leader = e.status->leader;
            term = e.status->raft_term;
        }
    return leader;
}

const endpoint_status* cluster_status::leader_endpoint() const noexcept {
    const std::uint64_t id = leader();
    for (const endpoint_status& e : endpoints)
        if (id != 0 && e.status && e.status->header.member_id == id) return &e;
    return nullptr;
}

maintenance::maintenance(const client& c) : facet(c) {}

void maintenance::start_status(origin from, detail::erased_handler<status_response> h) {
    etcd::start_call(from, status_call(), std::string("{}"), cancels::total, std::move(h));
}

void maintenance::start_status_of_each(origin from, detail::erased_handler<cluster_status> h) {
    auto run = [](client_core& core, const time_limit& due) { return status_at_each(core, due); };
    etcd::start<cluster_status>(from, cancels::total, std::move(h), run);
}

void maintenance::start_health_of_each(origin from, detail::erased_handler<std::vector<endpoint_health>> h) {
    auto run = [](client_core& core, const time_limit& due) { return health_at_each(core, due); };
    etcd::start<std::vector<endpoint_health>>(from, cancels::total, std::move(h), run);
}

void maintenance::start_probe(origin from, detail::erased_handler<capability_report> h) {
    auto run = [](client_core& core, const time_limit& due) { return etcd::probe_each(core, one_try(core, due)); };
    etcd::start<capability_report>(from, cancels::total, std::move(h), run);
}

void maintenance::start_hash_kv_of_each(origin from, revision_t revision, detail::erased_handler<std::vector<endpoint_hash>> h) {
    auto run = [revision](client_core& core, const time_limit& due) {
        return hash_at_each(core, {"hash_kv", "/v3/maintenance/hashkv"}, wire::hash_kv_request(revision), due);
    };
    etcd::start<std::vector<endpoint_hash>>(from, cancels::total, std::move(h), run);
}

void maintenance::start_hash_of_each(origin from, detail::erased_handler<std::vector<endpoint_hash>> h) {
    auto run = [](client_core& core, const time_limit& due) { return hash_at_each(core, {"hash", "/v3/maintenance/hash"}, "{}", due); };
    etcd::start<std::vector<endpoint_hash>>(from, cancels::total, std::move(h), run);
}

void maintenance::start_key_count(origin from, key_range keys, detail::erased_handler<std::int64_t> h) {
    auto run = [keys = std::move(keys)](const etcd::view& through) -> asio::awaitable<result<std::int64_t>> {
        range_options options;
        options.count_only = true;
        auto answer = co_await etcd::range_once(through, keys, options);
        if (!answer) co_return answer.error();
        co_return answer->count;
    };
    etcd::start<std::int64_t>(from, cancels::total, std::move(h), std::move(run));
}

void maintenance::start_alarm_list(origin from, detail::erased_handler<std::vector<member_alarm>> h) {
    etcd::start_call<wire::alarm_response>(from, {"alarm list", "/v3/maintenance/alarm"}, wire::alarm_list_request(), cancels::total,
                                           std::move(h), alarms_of);
}

void maintenance::start_alarm_disarm(origin from, member_alarm which, detail::erased_handler<void> h) {
    const std::string_view type = which.type == alarm_type::corrupt ? "CORRUPT" : "NOSPACE";
    etcd::start_call<wire::alarm_response>(from, {"alarm disarm", "/v3/maintenance/alarm", safety::at_most_once},
                                           wire::alarm_disarm_request(which.member_id, type), cancels::terminal_only, std::move(h),
                                           [](wire::alarm_response) { return result<void>(); });
}

void maintenance::start_compact(origin from, revision_t revision, compact_options options, detail::erased_handler<void> h) {
    // At most once: a second execution would answer "compacted".
    etcd::call what{"compact", "/v3/kv/compaction", safety::at_most_once};
    what.long_running = options.physical;
    etcd::start_call(from, what, wire::compaction_request(revision, options.physical), cancels::terminal_only, std::move(h));
}

void maintenance::start_defragment(origin from, std::string endpoint, detail::erased_handler<void> h) {
    auto run = [endpoint = std::move(endpoint)](client_core& core, const time_limit& due) -> asio::awaitable<result<void>> {
        auto have = co_await core.have_endpoint("defragment", false, whole_call(core, due));
        if (!have) co_return have.error();
        const auto index = core.find_endpoint(endpoint);
        if (!index) co_return error{errc::invalid_argument, "defragment: not an endpoint of this client"};
        etcd::call what{"defragment", "/v3/maintenance/defragment", safety::at_most_once};
        what.needs_leader = false;
        what.long_running = true;
        const std::string body = "{}";
        auto done = co_await ask_at<wire::header_only_response>(core, *index, what, body, whole_call(core, due));
        if (!done) co_return done.error();
        co_return result<void>();
    };
    etcd::start<void>(from, cancels::terminal_only, std::move(h), std::move(run));
}

void maintenance::start_move_leader(origin from, std::uint64_t target_id, detail::erased_handler<void> h) {
    auto run = [target_id](client_core& core, const time_limit& due) { return move_leader_to(core, target_id, due); };
    etcd::start<void>(from, cancels::terminal_only, std::move(h), run);
}

void maintenance::start_downgrade_validate(origin from, std::string version, detail::erased_handler<downgrade_response> h) {
    auto run = [version = std::move(version)](client_core& core, const time_limit& due) {
        return downgrade(core, "VALIDATE", version, safety::repeatable, due);
    };
    etcd::start<downgrade_response>(from, cancels::total, std::move(h), std::move(run));
}

void maintenance::start_downgrade_enable(origin from, std::string version, detail::erased_handler<downgrade_response> h) {
    auto run = [version = std::move(version)](client_core& core, const time_limit& due) { return enable_downgrade(core, version, due); };
    etcd::start<downgrade_response>(from, cancels::terminal_only, std::move(h), std::move(run));
}

void maintenance::start_downgrade_cancel(origin from, detail::erased_handler<downgrade_response> h) {
    auto run = [](client_core& core, const time_limit& due) { return cancel_downgrade(core, due); };
    etcd::start<downgrade_response>(from, cancels::terminal_only, std::move(h), run);
}

void maintenance::start_snapshot(origin from, std::filesystem::path path, detail::erased_handler<snapshot_response> h) {
    auto run = [path = std::move(path)](client_core& core, const time_limit& due) { return etcd::take_snapshot(core, path, due); };
    etcd::start<snapshot_response>(from, cancels::total, std::move(h), std::move(run));
}

}  // namespace dynconf
