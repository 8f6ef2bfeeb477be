#pragma once

// A run of random calls against the model of etcd, in simulated time: right by construction.

#include "support/random_calls.hpp"
#include "testing/kv_model.hpp"
#include "unit/testing/runs.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::test {

struct random_run {
    unsigned clients = 8;
    std::size_t calls = 10'000;
    unsigned keys = 6;
    unsigned unknown_per_mille = 30;
    bool watched = false;
    std::uint64_t seed = 1;

    history make() const {
        std::mt19937_64 random(seed);
        const auto below = [&](std::uint64_t n) { return random() % n; };
        random_calls draw(random, keys);
        history h;
        struct moment { int at; std::size_t call; };
        std::vector<moment> executions;
        std::vector<int> clock(clients, 0);
        for (std::size_t i = 0; i < calls; ++i) {
            const auto c = static_cast<unsigned>(std::min_element(clock.begin(), clock.end()) - clock.begin());
            const int called = clock[c] + static_cast<int>(below(5));
            const int executed = called + static_cast<int>(below(12));
            const int returned = executed + static_cast<int>(below(8));
            const std::string value = "v" + std::to_string(i);
            h.operations.push_back({c, draw.next(value), book_time(called), book_time(returned), write_state::executed, {}});
            if (below(1000) < unknown_per_mille) {
                h.operations.back().state = write_state::unknown;
                clock[c] = called + 30;
                if (below(2) == 0) executions.push_back({called + static_cast<int>(below(below(4) == 0 ? 400 : 40)), i});
            } else {
                clock[c] = returned + 1;
                executions.push_back({executed, i});
            }
        }
        std::stable_sort(executions.begin(), executions.end(), [](const moment& a, const moment& b) { return a.at < b.at; });
        kv_model etcd(h.start);
        observer w;
        w.name = "watch";
        w.ranges.push_back(key_range::all());
        w.prev_kv = true;
        w.seen.push_back(run_book::started(0, 2));
        for (const moment& m : executions) {
            auto step = etcd.execute(h.operations[m.call].what);
            if (step.changed) {
                sight s = run_book::batch(m.at + 5, etcd.changes(etcd.revision()));
                w.seen.push_back(std::move(s));
            }
            if (h.operations[m.call].state == write_state::executed) h.operations[m.call].answer = std::move(step.answer);
        }
        if (watched) h.observers.push_back(std::move(w));
        return h;
    }

private:
    static time_point book_time(int ms) { return run_book::at(ms); }
};

}  // namespace dynconf::test
