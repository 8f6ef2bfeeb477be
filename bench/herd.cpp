// What an etcd sees of many clients when it comes back, by the library's own decisions in simulated time:
// herd [CLIENTS [DOWN_SECONDS [LOGINS_PER_SECOND [PATIENCE_SECONDS]]]], by default 100000, 30, 160 and what the library
// does. Zero logins a second: nobody logs in.
//
// All lose their connection in the same moment. `policy::endpoint_health` says when each looks again. A login takes the
// server a fixed amount of work that it shares fairly among all it has begun, and finishes whether or not somebody waits;
// `policy::token_state` says how long each does.

#include "policy/endpoint_health.hpp"
#include "policy/token_state.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using policy::endpoint_health;
using policy::token_state;
using time_point = policy::backoff::time_point;

namespace {

constexpr time_point start = time_point() + 1h;

double seconds(time_point t) { return std::chrono::duration<double>(t - start).count(); }

/// How often something happened, by the tenth of a second.
class tally {
public:
    void count(time_point t) { ++tenths_[std::int64_t(seconds(t) * 10)]; }
    void print(const char* what) const {
        std::size_t all = 0, in_a_tenth = 0, in_a_second = 0;
        std::map<std::int64_t, std::size_t> by_second;
        for (const auto& [tenth, n] : tenths_) {
            all += n;
            in_a_tenth = std::max(in_a_tenth, n);
            in_a_second = std::max(in_a_second, by_second[tenth / 10] += n);
        }
        std::printf("  %-22s %9zu  at most %zu in a second, %zu in a tenth of one\n", what, all, in_a_second, in_a_tenth);
    }

private:
    std::map<std::int64_t, std::size_t> tenths_;
};

/// Work of size one each, begun together, shared fairly: what began first is done first.
class shared_server {
public:
    explicit shared_server(double per_second) : rate_(per_second) {}

    void begin(time_point now, std::size_t who, std::uint64_t number) {
        advance(now);
        jobs_.push({done_ + 1, who, number});
    }
    bool busy() const { return !jobs_.empty(); }
    time_point next() const {
        const double left = (jobs_.top().due - done_) * double(jobs_.size()) / rate_;
        return last_ + std::chrono::nanoseconds(std::int64_t(std::max(0.0, left) * 1e9) + 1);
    }
    struct finished { std::size_t who; std::uint64_t number; };
    finished finish(time_point now) {
        advance(now);
        const job j = jobs_.top();
        jobs_.pop();
        return {j.who, j.number};
    }

private:
    struct job {
        double due;   // in the work that each has got
        std::size_t who;
        std::uint64_t number;
        friend bool operator<(const job& a, const job& b) { return a.due > b.due; }
    };
    void advance(time_point now) {
        if (!jobs_.empty()) done_ += std::chrono::duration<double>(now - last_).count() * rate_ / double(jobs_.size());
        last_ = now;
    }

    double rate_;
    double done_ = 0;
    time_point last_ = start;
    std::priority_queue<job> jobs_;
};

struct instance {
    endpoint_health health;
    token_state token;
    std::uint64_t flight = 0;   // the login that is waited for
    bool live = false;
};

struct event {
    enum class kind : std::uint8_t { look, give_up } what;
    time_point at;
    std::size_t who;
    std::uint64_t number;
    friend bool operator<(const event& a, const event& b) { return a.at > b.at; }
};

}  // namespace

int main(int argc, char** argv) {
    const std::size_t clients = argc > 1 ? std::stoul(argv[1]) : 100'000;
    const auto down = std::chrono::milliseconds(std::int64_t((argc > 2 ? std::stod(argv[2]) : 30) * 1000));
    const double logins = argc > 3 ? std::stod(argv[3]) : 160;
    const auto fixed = std::chrono::seconds(argc > 4 ? std::stol(argv[4]) : 0);
    const time_point back = start + down;

    std::mt19937_64 generator(1);
    const policy::random_source chance = [&] { return std::uniform_real_distribution<double>()(generator); };
    const client_options defaults;
    std::vector<instance> all;
    all.reserve(clients);
    std::priority_queue<event> events;
    tally looks, lives, refused;
    std::size_t begun = 0, in_vain = 0, live = 0;
    shared_server server(logins);

    for (std::size_t i = 0; i < clients; ++i) {
        all.push_back({endpoint_health(1, defaults.backoff, chance), token_state(logins > 0, 4 * defaults.request_timeout)});
        all[i].health.failed(0, start, start);
        events.push({event::kind::look, all[i].health.next_probe()->when, i, 0});
    }

    const auto settle = [&](std::size_t i, time_point now) {
        all[i].live = true;
        ++live;
        lives.count(now);
    };
    const auto log_in = [&](std::size_t i, time_point now) {
        const token_state::answer a = all[i].token.next(now);
        if (std::holds_alternative<token_state::send>(a)) return settle(i, now);
        if (const auto* f = std::get_if<token_state::fetch>(&a)) {
            ++begun;
            const std::uint64_t number = ++all[i].flight;
            server.begin(now, i, number);
            events.push({event::kind::give_up, now + (fixed.count() > 0 ? std::chrono::milliseconds(fixed) : f->patience), i, number});
        } else {
            events.push({event::kind::look, now + 1s, i, 0});   // it cools off
        }
    };

    double median = 0;
    time_point now = start;
    while (live < clients) {
        const bool server_first = server.busy() && (events.empty() || server.next() < events.top().at);
        now = server_first ? server.next() : events.top().at;
        if (seconds(now) > 4 * 3600) break;
        if (server_first) {
            const auto done = server.finish(now);
            instance& x = all[done.who];
            if (x.live || done.number != x.flight) {
                ++in_vain;
                continue;
            }
            x.token.fetched("token");
            settle(done.who, now);
        } else {
            const event e = events.top();
            events.pop();
            instance& x = all[e.who];
            if (x.live) continue;
            if (e.what == event::kind::give_up) {
                if (e.number != x.flight) continue;
                ++x.flight;
                x.token.fetch_failed({errc::deadline_exceeded, {}}, true, now);
                events.push({event::kind::look, now + 1s, e.who, 0});
            } else if (now < back) {
                refused.count(now);
                x.health.probe_started(0, now);
                x.health.failed(0, now, now);
                events.push({event::kind::look, x.health.next_probe()->when, e.who, 0});
            } else {
                if (!x.health.is_up(0)) {
                    looks.count(now);
                    x.health.probe_worked(0, now, now);
                }
                log_in(e.who, now);
            }
        }
        if (median == 0 && live * 2 >= clients) median = seconds(now) - std::chrono::duration<double>(down).count();
    }

    std::printf("%zu clients, etcd away for %.0f s, %.0f logins a second\n", clients, std::chrono::duration<double>(down).count(), logins);
    refused.print("tries while it is away");
    looks.print("tries that find it");
    lives.print("live again");
    std::printf("  half of them live after %.1f s, %zu of %zu after %.1f s; %zu logins, %zu of them in vain\n", median, live, clients,
                seconds(now) - std::chrono::duration<double>(down).count(), begun, in_vain);
    return live == clients ? 0 : 1;
}
