#include "simulation/exchange_run.hpp"

#include <dynconf/kv.hpp>

#include "testing/refusal.hpp"
#include "transport/clock.hpp"

#include <boost/asio/co_spawn.hpp>

#include <exception>

namespace dynconf::simulation_test {

namespace {

client_options options_of(const exchange& what) {
    client_options o;
    o.endpoints = {"http://etcd.test:2379"};
    o.connect_timeout = 500ms;
    o.request_timeout = 1s;
    o.total_timeout = 6s;
    o.created_timeout = 1s;
    o.max_staleness = 4s;
    o.rotate_after = 20s;   // what alone has gone silent is left by then
    o.page_size = 2;
    o.slow_retry = 2s;
    o.backoff.first = 100ms;
    o.backoff.most = 1s;
    if (what.with_auth) o.auth = credentials{"app", "hunter2"};
    return o;
}

/// A call ends so soon after its cancellation: one that has to give something back may take two tries of it.
constexpr milliseconds patience = 2'500ms;

}  // namespace

exchange_run::exchange_run(const exchange& what, const mishap& wrong, std::optional<interruption> between, const std::filesystem::path& scratch)
    : what_(what), between_(between), untroubled_(wrong.what == mishap::kind::none && !between), scratch_(scratch / "run"),
      world_(std::make_unique<testing::simulation>(1)), cluster_(std::make_shared<testing::cluster>()), wire_(executor(), wrong) {
    testing::gateway_options how;
    how.progress_notify_interval = 1s;
    gateway_ = std::make_unique<testing::gateway>(cluster_, cluster_->members().front().id, how);
    server_ = std::make_shared<testing::member_server>(executor(), *gateway_, "m", testing::seeded_random(1));
    world_->network().listen("etcd.test:2379", server_);
    world_->network().between = [this](std::unique_ptr<testing::memory_stream> near) { return wire_.lay(std::move(near)); };
    std::filesystem::create_directory(scratch_);
    world_->after_each = [this] {
        if (!playing_) return;
        ++steps_;
        if (!between_ || steps_ != between_->after) return;
        interrupted_ = true;
        interrupted_at_ = world_->now();
        if (cancelled()) signal_.emit(asio::cancellation_type::terminal);
        else compact(put("/elsewhere", "x"));
    };
    if (what.with_auth) {
        testing::auth_store& auth = cluster_->auth();
        auth.add_user("root", "secret", false);
        auth.add_role("root");
        auth.grant_role("root", "root");
        auth.add_user("app", "hunter2", false);
        auth.grant_role("app", "root");
        auth.enable();
    }
    client_.emplace(executor(), options_of(what));
}

exchange_run::~exchange_run() {
    client_.reset();
    world_.reset();   // where something was left behind it uses all of this
}

std::vector<std::string> exchange_run::play() {
    playing_ = true;
    run_through(what_.play(*this), 60s, "it has not ended");
    playing_ = false;
    if (cancelled() && !what_.goes_on)
        expect(world_->now() - interrupted_at_ <= patience, "it did not end within " + std::to_string(patience.count()) + " ms of its cancellation");
    if (wrong_.empty()) {
        // Whatever went wrong, the next one goes well.
        run_through([](exchange_run& self) -> asio::awaitable<void> {
            kv store(self.etcd());
            auto [ec, found] = co_await store.get("/afterwards", {}, asio::as_tuple(asio::use_awaitable));
            self.expect(!ec, "the client does not go on: " + ec.message());
        }(*this), 8s, "the call after it has not ended");
    }
    client_.reset();
    wait_for([this] { return server_->open_connections() == 0; }, 10s, "connections are left");
    expect(server_->open_streams() == 0 && gateway_->open_watches() == 0, "watches are left");
    // Of an etcd that could not be told in time, leases end by themselves.
    wait_for([this] { return leases() == 0; }, 15s, "leases are left");
    if (wrong_.empty())
        for (const auto& look : at_the_end_) look();
    server_->close();
    if (world_->run([] { return false; }, world_->now() + 1h) != testing::simulation::stopped::stuck) expect(false, "somebody still waits for a time");
    else expect(world_->io().stopped(), "somebody still waits for something");
    return std::move(wrong_);
}

void exchange_run::run_through(asio::awaitable<void> what, milliseconds most, const std::string& otherwise) {
    const auto ended = std::make_shared<bool>(false);
    asio::co_spawn(executor(), std::move(what), [this, ended](std::exception_ptr thrown) {
        *ended = true;
        if (thrown) try {
                std::rethrow_exception(thrown);
            } catch (const std::exception& e) {
                expect(false, std::string("threw: ") + e.what());
            }
    });
    wait_for([ended] { return *ended; }, most, otherwise);
}

bool exchange_run::wait_for(const std::function<bool()>& what, milliseconds most, const std::string& otherwise) {
    if (what()) return true;
    const auto until = world_->now() + most;
    while (world_->run(what, std::min(until, world_->now() + 100ms)) != testing::simulation::stopped::done)
        if (world_->now() >= until) {
            expect(false, otherwise);
            return false;
        }
    return true;
}

void exchange_run::expect_truth(write_state told, std::function<bool()> happened, const std::string& of) {
    if (told == write_state::executed) expect(happened(), of + " is told to be executed, and is not");
    if (told == write_state::unknown) expect(!untroubled_, of + " is in doubt although nothing went wrong");
    at_the_end([this, told, happened = std::move(happened), of] {
        if (told == write_state::not_executed) expect(!happened(), of + " was told not to be executed, and is");
    });
}

asio::awaitable<void> exchange_run::sleep(milliseconds d) {
    transport::timer sleeper(executor(), world_->now() + d);
    co_await sleeper.async_wait(transport::as_result);
}

revision_t exchange_run::put(std::string key, std::string value) {
    testing::put_request what;
    what.key = std::move(key);
    what.value = std::move(value);
    const revision_t at = cluster_->store().put(what).revision;
    cluster_->changed();
    return at;
}

void exchange_run::erase(std::string key) {
    testing::delete_request what;
    what.key = std::move(key);
    cluster_->store().erase(what);
    cluster_->changed();
}

void exchange_run::compact(revision_t revision) {
    cluster_->store().compact(revision);
    cluster_->changed();
}

std::string exchange_run::value(std::string_view key) const {
    testing::range_request what;
    what.key = std::string(key);
    const auto found = cluster_->store().range(what);
    return found.kvs.empty() ? std::string() : found.kvs.front()->value;
}

lease_id exchange_run::grant(std::int64_t seconds) {
    const lease_id id = cluster_->store().grant(0, seconds, world_->now()).id;
    cluster_->changed();
    return id;
}

}  // namespace dynconf::simulation_test
