#include "support/random_faults.hpp"

#include "support/etcd_admin.hpp"

#include <exception>
#include <limits>
#include <utility>

namespace dynconf::test {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

random_faults::random_faults(etcd_cluster& cluster, std::uint64_t seed, int pace)
    : cluster_(cluster), random_(seed), pace_(pace), next_(clock::now() + 1s / pace) {
    for (std::size_t i = 0; i < cluster.size(); ++i) {
        target t;
        t.wire = std::make_unique<relay>(cluster[i].port());
        targets_.push_back(std::move(t));
    }
}

std::vector<std::string> random_faults::endpoints() const {
    std::vector<std::string> all;
    for (const target& t : targets_) all.push_back(t.wire->endpoint());
    return all;
}

milliseconds random_faults::between(int least, int most) {
    return milliseconds(std::uniform_int_distribution<int>(least, most)(random_)) / pace_;
}

void random_faults::step(clock::time_point now, std::int64_t revision, const compacting& told) {
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        target& t = targets_[i];
        if (t.wire_until && now >= *t.wire_until) {
            t.wire->mend();
            t.wire_until.reset();
        }
        if (t.process_until && now >= *t.process_until) undo_process(i);
    }
    if (now < next_) return;
    next_ = now + between(300, 2'500);
    const auto kind = random_() % 20;
    if (kind < 3) {
        compact(revision, told);
    } else if (kind == 3) {   // all wires at once, and history gone meanwhile: only then is a resync due
        for (target& t : targets_) harm_wire(t, now + between(2'000, 4'000));
        compact(revision, told);
    } else if (kind == 4) {   // a minority is left
        const std::size_t spared = random_() % targets_.size();
        const auto until = now + between(5'000, 8'000);
        for (std::size_t i = 0; i < targets_.size(); ++i)
            if (i != spared) harm_process(i, until);
    } else if (kind == 5) {   // the clients reach one member, and that one alone
        const std::size_t spared = random_() % targets_.size();
        for (std::size_t i = 0; i < targets_.size(); ++i) {
            if (i == spared) continue;
            targets_[i].wire->black_hole();
            targets_[i].wire_until = now + between(2'000, 6'000);
        }
        ++done_["all but one out of reach"];
    } else if (kind < 13) {
        harm_wire(targets_[random_() % targets_.size()], now + between(300, 5'000));
    } else {
        harm_process(random_() % targets_.size(), now + between(500, 5'000));
    }
}

void random_faults::harm_wire(target& t, clock::time_point until) {
    t.wire_until = until;
    switch (random_() % 12) {
        case 0: t.wire->cut(); ++done_["cut"]; break;
        case 1: t.wire->cut(relay::reach::open); ++done_["cut what is open"]; break;
        case 2: t.wire->refuse(); ++done_["refuse"]; break;
        case 3: t.wire->delay(between(20, 700), between(0, 300)); ++done_["delay"]; break;
        case 4: t.wire->black_hole(); ++done_["black hole"]; break;
        case 5: t.wire->black_hole(relay::reach::open); ++done_["black hole for what is open"]; break;
        case 6: t.wire->pause(relay::way::answer); ++done_["pause answers"]; break;
        case 7: t.wire->pause(relay::way::request); ++done_["pause requests"]; break;
        case 8: t.wire->throttle(2'000 + random_() % 100'000); ++done_["throttle"]; break;
        case 9: t.wire->delay(25ms, 100ms); ++done_["delay of 75 ± 50 ms"]; break;
        case 10:
            t.wire->cut_after([draw = std::mt19937_64(random_())]() mutable { return draw() % 2 == 0 ? std::size_t{0} : std::numeric_limits<std::size_t>::max(); });
            t.wire->cut(relay::reach::open);
            ++done_["every second connection dropped"];
            break;
        default: {
            const auto way = random_() % 2 == 0 ? relay::way::request : relay::way::answer;
            t.wire->cut_after(way, 1 + random_() % 3'000);
            t.wire->cut(relay::reach::open);
            ++done_["cut at a byte"];
        }
    }
}

void random_faults::harm_process(std::size_t i, clock::time_point until) {
    target& t = targets_[i];
    if (t.process_until) return;
    t.process_until = until;
    const auto kind = random_() % 4;
    t.stopped = kind < 2;
    if (t.stopped) {
        cluster_[i].pause();
        ++done_["SIGSTOP"];
    } else if (kind == 2) {
        cluster_[i].kill();
        ++done_["kill -9"];
    } else {
        cluster_[i].begin_terminate();
        ++done_["SIGTERM"];
    }
}

void random_faults::undo_process(std::size_t i) {
    target& t = targets_[i];
    if (!t.stopped && cluster_[i].running()) return;   // still ending
    if (t.stopped) cluster_[i].resume();
    else cluster_[i].launch();
    t.process_until.reset();
}

void random_faults::compact(std::int64_t revision, const compacting& told) {
    if (revision == 0) return;
    told(clock::now(), revision);   // first: it may be executed whatever comes back
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        if (targets_[i].process_until) continue;
        try {
            etcd_admin(cluster_[i], 1s).compact(revision);
            ++done_["compaction"];
            return;
        } catch (const std::exception&) {}
    }
}

void random_faults::heal() {
    for (target& t : targets_) {
        t.wire->mend();
        t.wire_until.reset();
    }
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        if (targets_[i].process_until && !targets_[i].stopped) (void)cluster_[i].terminate();
        if (targets_[i].process_until) undo_process(i);
    }
    for (std::size_t i = 0; i < targets_.size(); ++i) cluster_[i].await_health();
}

}  // namespace dynconf::test
