#include "simulation/stage.hpp"

#include <string>
#include <string_view>
#include <utility>

// What goes wrong.

namespace dynconf::simulation_test {

namespace {

using testing::exchange_fault;
using testing::link_faults;

/// Of the bytes of an exchange.
exchange_fault draw(seeded_random& random) {
    exchange_fault f;
    f.reset = random.chance(0.5);
    switch (random.below(6)) {
    case 0: f.cut_request = random.below(400); break;
    case 1:
    case 2: f.cut_answer = random.below(600); break;
    case 3: f.delay = random.between(0ms, 3'000ms); break;
    case 4:
        if (random.chance(0.5)) f.bad_json = true;
        else f.wrong_length = random.chance(0.5) ? 7 : -7;
        break;
    default: f.connection_close = true; break;
    }
    return f;
}

/// Of what the member says.
void add_faults(testing::faults& to, double probability) {
    using testing::refusal;
    namespace fault = testing::fault;
    const refusal timed_out{grpc_errc::unavailable, "etcdserver: request timed out"};
    const refusal closing{grpc_errc::unavailable, "transport is closing"};
    const refusal leaderless{grpc_errc::unavailable, "etcdserver: no leader"};
    const refusal busy{grpc_errc::resource_exhausted, "etcdserver: too many requests"};
    const auto add = [&](fault::action what) { to.add({.what = std::move(what), .path = {}, .probability = probability / 8}); };
    add(fault::refuse_after_commit{timed_out});
    add(fault::refuse_after_commit{closing});
    add(fault::refuse{timed_out});
    add(fault::refuse{leaderless});
    add(fault::refuse{busy});
    add(fault::lose_request{});
    add(fault::lose_answer{});
    add(fault::slow{700ms});
    add(fault::end_stream{});
}

/// Somebody leads, again.
void lead(stage& s) {
    testing::cluster& all = s.cluster();
    if (all.leader() == 0) all.elect(all.members().front().id, s.now());
}

class trouble {
public:
    trouble(stage& s, seeded_random random) : stage_(s), random_(random) {}

    asio::awaitable<void> make() {
        const auto often = static_cast<std::int64_t>(6'000 / stage_.drawn().trouble);
        while (!stage_.over()) {
            const milliseconds pause = random_.between(0ms, milliseconds(2 * often));
            co_await stage_.sleep(pause);
            if (stage_.over()) break;
            stage_.trouble_counted();
            co_await one();
        }
    }

private:
    asio::awaitable<void> one() {
        const std::size_t which = random_.below(stage_.members().size());
        testing::member_server& server = *stage_.members()[which];
        const bool all = random_.chance(0.2);
        const milliseconds length = random_.chance(0.8) ? random_.between(10ms, 4'000ms) : random_.between(4'000ms, 15'000ms);
        link_faults f;
        const auto told = [&](std::string_view what) {
            stage_.say([&] { return "TROUBLE " + (all ? std::string("everywhere") : server.name()) + ": " + std::string(what) + " for " + std::to_string(length.count()) + " ms"; });
        };
        if (stage_.drawn().users && random_.chance(0.25)) {
            of_the_users(which);
            co_return;
        }
        switch (random_.below(12)) {
        case 0:
            told("refuses, and has dropped all");
            f.refuse = true;
            break;
        case 1:
            told("requests are held");
            f.hold_requests = true;
            break;
        case 2:
            told("answers are held");
            f.hold_answers = true;
            break;
        case 3:
            told("nothing gets through");
            f.hold_requests = f.hold_answers = true;
            break;
        case 4:
            told("the way is long");
            f.latency = random_.between(1ms, 400ms);
            f.jitter = random_.between(0ms, 400ms);
            break;
        case 5:
            told("answers drip");
            f.drip_bytes = 1 + random_.below(100);
            break;
        case 6:
            told("connections are dropped");
            f.drop_connections = 0.5;
            break;
        case 7:
            told("connections are cut");
            server.cut_connections(random_.chance(0.5));
            co_return;
        case 8:
            told("stands still");
            for (const auto& each : stage_.members())
                if (all || each.get() == &server) each->pause(true);
            co_await stage_.sleep(length);
            for (const auto& each : stage_.members())
                if (all || each.get() == &server) each->pause(false);
            co_return;
        case 9:
        case 10: compact(); co_return;
        default: co_await of_the_member(which, length); co_return;
        }
        for (const auto& each : stage_.members())
            if (all || each.get() == &server) {
                each->set_faults(f);
                if (f.refuse) each->cut_connections(random_.chance(0.5));
            }
        co_await stage_.sleep(length);
        for (const auto& each : stage_.members())
            if (all || each.get() == &server) each->set_faults({});
    }

    void of_the_users(std::size_t which) {
        testing::auth_store& auth = stage_.cluster().auth();
        switch (random_.below(3)) {
        case 0:
            stage_.say([] { return "TROUBLE the password is changed"; });
            stage_.change_password();
            break;
        case 1:
            stage_.say([&] { return "TROUBLE m" + std::to_string(which) + ": is started anew"; });
            stage_.gateway_of(which).forget_tokens();
            stage_.members()[which]->cut_connections(true);
            break;
        default:
            stage_.say([] { return "TROUBLE roles are changed"; });   // tokens of an older revision are refused for that
            auth.grant_permission("root", testing::permission{testing::permission_type::read, "k" + std::to_string(auth.revision()), {}});
            break;
        }
    }

    void compact() {
        const revision_t newest = stage_.cluster().store().revision();
        const revision_t at = newest - static_cast<revision_t>(random_.below(8));
        if (at <= stage_.cluster().store().compact_revision() || stage_.cluster().leader() == 0) return;
        stage_.say([&] { return "TROUBLE compaction at " + std::to_string(at); });
        stage_.record().compactions.push_back({.called = stage_.now(), .revision = at});
        stage_.cluster().store().compact(at);
        stage_.cluster().changed();
    }

    asio::awaitable<void> of_the_member(std::size_t which, milliseconds length) {
        testing::gateway& member = stage_.gateway_of(which);
        const auto told = [&](std::string_view what) {
            stage_.say([&] { return "TROUBLE m" + std::to_string(which) + ": " + std::string(what) + " for " + std::to_string(length.count()) + " ms"; });
        };
        switch (random_.below(5)) {
        case 0:
            told("has lost the others");
            member.isolate();
            co_await stage_.sleep(length);
            member.reconnect();
            break;
        case 1:
            told("lags");
            member.hold_back();
            co_await stage_.sleep(length);
            member.catch_up();
            break;
        case 2:
            told("tells no progress");
            member.freeze_progress(true);
            co_await stage_.sleep(length);
            member.freeze_progress(false);
            break;
        case 3:
            told("ends its streams");
            member.end_streams();
            break;
        default:
            told("nobody leads");
            stage_.cluster().lose_leader();
            co_await stage_.sleep(length);
            lead(stage_);
            break;
        }
    }

    stage& stage_;
    seeded_random random_;
};

asio::awaitable<void> make_trouble(stage& s, seeded_random random) {
    trouble t(s, random);
    co_await t.make();
}

}  // namespace

void begin_troubles(stage& s, seeded_random& random) {
    if (s.drawn().broken_exchanges > 0)
        for (std::size_t i = 0; i < s.members().size(); ++i) {
            add_faults(s.gateway_of(i).faults(), s.drawn().broken_exchanges);
            s.members()[i]->plan = [&s, draws = random.branch()](const testing::request&) mutable {
                if (s.over() || !draws.chance(s.drawn().broken_exchanges)) return exchange_fault{};
                s.trouble_counted();
                return draw(draws);
            };
        }
    if (s.drawn().trouble <= 0) return;
    const std::size_t makers = 1 + random.below(2);
    for (std::size_t i = 0; i < makers; ++i) s.spawn("trouble maker", make_trouble(s, random.branch()));
}

void heal(stage& s) {
    for (const auto& server : s.members()) {
        server->plan = nullptr;
        server->set_faults({});
        server->pause(false);
    }
    for (std::size_t i = 0; i < s.members().size(); ++i) {
        testing::gateway& member = s.gateway_of(i);
        member.faults().clear();
        member.reconnect();
        member.catch_up();
        member.freeze_progress(false);
    }
    lead(s);
}

}  // namespace dynconf::simulation_test
