#include "simulation/stage.hpp"

#include <dynconf/kv.hpp>

#include "testing/check.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <map>

namespace dynconf::simulation_test {

scenario::scenario(std::uint64_t seed) : random(seed) {
    members = random.chance(0.5) ? 3 : 1;
    clients = 1 + random.below(3);
    length = random.between(20'000ms, 60'000ms);
    trouble = random.chance(0.1) ? 0 : 0.3 + static_cast<double>(random.below(30)) / 10;
    broken_exchanges = random.chance(0.3) ? 0 : static_cast<double>(random.below(15)) / 100;
    usual_options = random.chance(0.15);
    users = random.chance(0.3);

    client_options& o = options;
    o.endpoints.clear();
    if (!usual_options) {
        o.connect_timeout = 500ms;
        o.request_timeout = random.between(500ms, 2'000ms);
        o.total_timeout = random.between(2'000ms, 8'000ms);
        o.created_timeout = 1'500ms;
        o.max_staleness = random.between(1'500ms, 10'000ms);
        o.rotate_after = random.between(5'000ms, 60'000ms);
        o.verify_every = random.chance(0.3) ? 0ms : random.between(5'000ms, 60'000ms);
        o.slow_retry = 3'000ms;
        o.idle_timeout = random.between(1'000ms, 120'000ms);
        o.max_connections = 1 + random.below(16);
        o.retry_budget.most = random.chance(0.5) ? 1'000 : 5;
        if (random.chance(0.3)) o.page_size = 3;
        if (random.chance(0.3)) o.watch_buffer_bytes = 200;
        o.require_leader = random.chance(0.8);
        o.backoff.first = 100ms;
        o.backoff.most = random.between(500ms, 3'000ms);
    }
    // The longest pauses that a healthy cluster may have to be waited for, with one try in front of each.
    to_recover = 2 * (o.backoff.most + o.slow_retry) + 3 * (o.request_timeout + o.created_timeout + o.connect_timeout) + o.max_staleness;
}

class stage::witness final : public testing::cluster::listener {
public:
    explicit witness(stage& s) : stage_(s) {
        me_.name = "the store";
        me_.ranges.push_back(key_range::prefix(keys));
        me_.seen.push_back({.what = testing::sight::kind::started, .at = s.now(), .revision = reached_ + 1});
        s.cluster_->attach(*this);
    }
    testing::observer& seen() noexcept { return me_; }

    /// Values are unique, so what became of a write whose outcome its client does not know can be told, and nobody has to
    /// guess. `not_executed` is left to be judged.
    void tell_outcome(testing::operation& o) const {
        if (o.state != write_state::unknown) return;
        const auto find = [this](const std::vector<op>& of) -> const std::pair<revision_t, time_point>* {
            for (const op& each : of)
                if (const auto* put = std::get_if<op::put_op>(&each.what()))
                    if (const auto found = written_.find(put->value); found != written_.end()) return &found->second;
            return nullptr;
        };
        const auto puts = [](const std::vector<op>& of) {
            return std::any_of(of.begin(), of.end(), [](const op& each) { return std::holds_alternative<op::put_op>(each.what()); });
        };
        if (const auto* t = std::get_if<op::txn_op>(&o.what.what())) {
            const auto* then = find(t->what->success());
            const auto* otherwise = find(t->what->failure());
            if (then || otherwise) {
                txn_response said;
                said.succeeded = then != nullptr;
                said.header.revision = (then ? then : otherwise)->first;
                o.answer = op_response(std::move(said));
                o.returned = (then ? then : otherwise)->second;
                o.state = write_state::executed;
            } else if (puts(t->what->success()) && (t->what->compares().empty() || puts(t->what->failure()))) {
                o.state = write_state::not_executed;
            }
        } else if (const auto* p = std::get_if<op::put_op>(&o.what.what())) {
            o.state = write_state::not_executed;
            if (const auto found = written_.find(p->value); found != written_.end()) {
                put_options how = p->options;
                how.prev_kv = false;   // nobody was told of it
                op told = op::put(p->key, p->value, how);
                put_response said;
                said.header.revision = found->second.first;
                o.answer = op_response(std::move(said));
                o.returned = found->second.second;
                o.state = write_state::executed;
                o.what = std::move(told);
            }
        }
    }

    void on_commit() override {
        const testing::etcd_store& store = stage_.cluster_->store();
        for (; reached_ < store.revision(); ++reached_) {
            testing::sight now{.what = testing::sight::kind::batch, .at = stage_.now(), .revision = reached_ + 1};
            for (const testing::change& c : store.changes(now.revision)) {
                if (!me_.ranges.front().contains(c.kv->key)) continue;
                if (!c.erased()) written_.try_emplace(c.kv->value, now.revision, now.at);
                event& e = now.events.emplace_back();
                e.type = c.erased() ? event::kind::erase : event::kind::put;
                e.kv = *c.kv;
            }
            if (!now.events.empty()) me_.seen.push_back(std::move(now));
        }
    }
    void on_token(const std::string&, const testing::identity&, time_point) override {}
    void on_leader_lost() override {}
    void on_replaced() override {}

private:
    stage& stage_;
    testing::observer me_;
    std::map<std::string, std::pair<revision_t, time_point>> written_;   // by value
    revision_t reached_ = 1;
};

stage::stage(std::uint64_t seed, std::function<void(const std::string&)> say)
    : drawn_(seed), say_(std::move(say)), world_(std::make_unique<testing::simulation>(drawn_.random.bits())), began_(world_->now()) {
    testing::cluster_options together;
    together.members = drawn_.members;
    together.seed = drawn_.random.bits();
    cluster_ = std::make_shared<testing::cluster>(together);
    witness_ = std::make_unique<witness>(*this);
    static constexpr const char* versions[] = {"3.4.23", "3.5.16", "3.5.30", "3.5.33", "3.6.14", "3.7.1"};
    testing::gateway_options each;
    each.server_version = versions[drawn_.random.below(std::size(versions))];
    each.progress_notify_interval = drawn_.random.between(1'000ms, 10'000ms);
    if (drawn_.users) {
        enable_auth();
        each.tokens = drawn_.random.chance(0.7) ? testing::token_kind::simple : testing::token_kind::jwt;
        each.auth_token_ttl = std::chrono::seconds(1 + drawn_.random.below(30));
    }
    for (std::size_t i = 0; i < drawn_.members; ++i) {
        const std::string name = "m" + std::to_string(i);
        gateways_.push_back(std::make_unique<testing::gateway>(cluster_, cluster_->members()[i].id, each));
        gateways_.back()->faults().use([draws = drawn_.random.branch()]() mutable { return static_cast<double>(draws.bits() >> 11) * 0x1p-53; });
        servers_.push_back(std::make_shared<testing::member_server>(executor(), *gateways_.back(), name, drawn_.random.branch()));
        if (say_) servers_.back()->trace = [this](const std::string& words) { this->say([&] { return words; }); };
        world_->network().listen(name + ":2379", servers_.back());
        drawn_.options.endpoints.push_back("http://" + name + ":2379");
    }
    for (std::size_t i = 0; i < drawn_.clients; ++i) {
        client_options o = drawn_.options;
        std::rotate(o.endpoints.begin(), o.endpoints.begin() + static_cast<std::ptrdiff_t>(i % o.endpoints.size()), o.endpoints.end());
        if (say_) o.log = [this, i](const log_record& r) { this->say([&] { return "client " + std::to_string(i) + " logs " + std::string(r.event) + ": " + r.text; }); };
        if (drawn_.users) o.auth = credentials_source::provider([this] { return ask_for_credentials(); });
        clients_.emplace_back(executor(), std::move(o));
    }
    record_.foreign_writers = true;   // the keys of locks and elections
}

stage::~stage() {
    clients_.clear();
    world_.reset();   // where something was left behind it uses all of this
}

void stage::enable_auth() {
    testing::auth_store& auth = cluster_->auth();
    for (const std::string name : {"root", "app"}) {
        auth.add_user(name, password_, false);
        auth.add_role(name);
        auth.grant_role(name, name);
    }
    const std::string all(1, '\0');
    auth.grant_permission("app", testing::permission{testing::permission_type::readwrite, all, all});
    auth.enable();
}

void stage::change_password() {
    password_ = "password " + std::to_string(++passwords_);
    password_changed_ = now();
    cluster_->auth().change_password("app", password_);
}

asio::awaitable<credentials> stage::ask_for_credentials() {
    co_await sleep(20ms);
    co_return credentials{"app", password_};
}

verdict stage::play() {
    seeded_random& random = drawn_.random;
    begin_observers(*this, random);
    begin_writers(*this, random);
    begin_claims(*this, random);
    begin_troubles(*this, random);
    if (world_->run([] { return false; }, began_ + drawn_.length) == testing::simulation::stopped::stuck) fault("nothing is left that could happen");
    recover();
    close();
    judge();

    verdict v;
    v.faults = std::move(faults_);
    v.operations = record_.operations.size();
    for (const auto& o : record_.observers) v.sights += o.seen.size();
    v.troubles = troubles_;
    v.simulated = std::chrono::duration_cast<milliseconds>(now() - began_);
    const auto mix = [&v](auto number) { v.digest = (v.digest ^ static_cast<std::uint64_t>(number)) * 0x100000001b3; };
    for (const auto& o : record_.operations) {
        mix(o.called.time_since_epoch().count());
        mix(o.state);
    }
    for (const auto& o : record_.observers)
        for (const auto& each : o.seen) {
            mix(each.at.time_since_epoch().count());
            mix(each.revision);
        }
    return v;
}

void stage::recover() {
    over_ = true;
    say([] { return "all is over"; });
    heal(*this);
    wait_for([this] { return gone(stays::until_over); }, drawn_.options.total_timeout + drawn_.to_recover + 40s, "these have not ended");
    // Those of claims and writers that were given up end by their time.
    wait_for([this] { return cluster_->store().leases().empty(); }, 20s, "leases are left");
    rest();
    spawn("the last writer", write_last());
    wait_for([this] { return gone(stays::until_over); }, drawn_.to_recover, "nothing can be written any more");
    const auto has_it = [this](const progress& p) { return p.live && p.revision >= (p.no_put ? last_delete_ : last_put_); };
    wait_for([&] { return std::all_of(observers_.begin(), observers_.end(), has_it); }, drawn_.to_recover, "not everybody has recovered");
    for (const progress& p : observers_)
        if (!has_it(p)) fault(p.name + " is at " + std::to_string(p.revision) + (p.live ? "" : " and not live"));
}

/// What is wrong by now the last writes would cover up.
void stage::rest() {
    say([] { return "all is still"; });
    testing::lull still;
    do {   // what was under way may still arrive
        still = {now() + drawn_.to_recover, cluster_->store().revision()};
        (void)world_->run([] { return false; }, still.at + 1ms);   // what comes next is later
    } while (cluster_->store().revision() != still.revision);
    record_.lulls.push_back(still);
}

void stage::close() {
    record_.ended = now();   // those who look on go now
    closing_ = true;
    say([] { return "all is closed"; });
    for (asio::cancellation_signal& each : farewells_) each.emit(asio::cancellation_type::terminal);
    wait_for([this] { return gone(stays::until_closing); }, 20s, "these do not go");
    clients_.clear();
    const auto unused = [](const auto& server) { return server->open_connections() == 0; };
    wait_for([&] { return std::all_of(servers_.begin(), servers_.end(), unused); }, 10s, "connections are left");
    for (const auto& server : servers_) server->close();
    if (world_->run([] { return false; }, now() + 1h) != testing::simulation::stopped::stuck) fault("somebody still waits for a time");
    else if (!world_->io().stopped()) fault("somebody still waits for something");
}

bool stage::gone(stays those) const {
    return std::none_of(running_.begin(), running_.end(), [those](const auto& each) { return each.second == those; });
}

bool stage::wait_for(const std::function<bool()>& what, milliseconds most, const std::string& otherwise) {
    if (!faults_.empty()) return false;   // what comes after a fault says nothing new
    const time_point until = now() + most;
    while (world_->run(what, std::min(until, now() + 100ms)) != testing::simulation::stopped::done)
        if (now() >= until) {
            std::string words = otherwise;
            for (const auto& [name, how_long] : running_) words += "\n      " + name;
            for (const std::string& each : under_way_) words += "\n      under way: " + each;
            fault(std::move(words));
            return false;
        }
    return true;
}

/// A put and a delete for everybody, and then content to end with.
asio::awaitable<void> stage::write_last() {
    kv store(clients_.front());
    for (int step = 0, tries = 0; step < 3; ++tries) {
        txn what;
        if (step == 1) what.then(op::delete_range(key_range::prefix(keys)));
        else for (std::uint64_t k = 0; k < key_count; ++k) what.then(op::put(key(k), "last-" + std::to_string(tries)));
        const doing here(*this, "writing for the last time");
        const time_point called = now();
        auto done = co_await store.commit(what, as_outcome);
        note(99, op::txn(what), called, done);
        if (done.executed()) {
            (step == 1 ? last_delete_ : last_put_) = done.value().header.revision;
            ++step;
        } else {
            co_await sleep(100ms);
        }
    }
    for (;;) {
        const doing here(*this, "reading for the last time");
        const key_range all = key_range::all();
        const range_options newest;
        auto [ec, answer] = co_await store.range(all, newest, in_tuple);
        if (!ec) {
            record_.end.emplace();
            record_.end->revision = answer.header.revision;
            record_.end->kvs = std::move(answer.kvs);
            co_return;
        }
        co_await sleep(100ms);
    }
}

void stage::judge() {
    if (!faults_.empty()) return;   // who has not come to an end cannot be compared with it
    record_.observers.push_back(std::move(witness_->seen()));
    for (testing::operation& o : record_.operations) witness_->tell_outcome(o);
    testing::check_options how;
    how.max_staleness = drawn_.options.max_staleness;
    how.search_limit = 500'000;
    for (const testing::violation& v : testing::check(record_, how)) fault(std::string(name_of(v.broken)) + ": " + v.words);
}

asio::awaitable<void> stage::sleep(milliseconds d) {
    transport::timer sleeper(executor(), now() + d);
    co_await sleeper.async_wait(in_tuple);
}

void stage::say(const std::function<std::string()>& words) {
    if (!say_) return;
    char at[32];
    std::snprintf(at, sizeof at, "%9.3f ", std::chrono::duration<double>(now() - began_).count());
    say_(at + words());
}

void stage::fault(std::string words) {
    say([&] { return "FAULT " + words; });
    faults_.push_back(std::move(words));
}

void stage::spawn(std::string name, asio::awaitable<void> what, stays how_long) {
    const auto place = running_.insert(running_.end(), {std::move(name), how_long});
    asio::co_spawn(world_->io(), std::move(what), [this, place](std::exception_ptr thrown) {
        if (thrown) try {
                std::rethrow_exception(thrown);
            } catch (const std::exception& e) {
                fault(place->first + " threw: " + e.what());
            }
        running_.erase(place);
    });
}

std::shared_ptr<asio::cancellation_signal> stage::patience(seeded_random& random, double how_often) {
    auto signal = std::make_shared<asio::cancellation_signal>();
    if (random.chance(how_often))
        spawn("patience", [](stage& s, std::shared_ptr<asio::cancellation_signal> which, milliseconds time) -> asio::awaitable<void> {
            co_await s.sleep(time);
            which->emit(asio::cancellation_type::terminal);
        }(*this, signal, random.between(0ms, 2'000ms)));
    return signal;
}

testing::operation& stage::noted(std::size_t who, op what, time_point called, write_state state) {
    record_.operations.push_back(
        {.client = static_cast<unsigned>(who), .what = std::move(what), .called = called, .returned = now(), .state = state, .answer = std::nullopt});
    return record_.operations.back();
}

}  // namespace dynconf::simulation_test
