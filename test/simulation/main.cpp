// Many small worlds, each drawn from its seed. See scripts/simulate.

#include "simulation/stage.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace dynconf::simulation_test;

namespace {

struct settings {
    std::uint64_t from = 1;
    std::uint64_t seeds = 1'000;
    std::optional<std::uint64_t> one;
    unsigned threads = std::max(1U, std::thread::hardware_concurrency());
    std::uint64_t most_failures = 10;
    bool digests = false;   // to be compared with those of another run
};

constexpr const char* usage = "usage: simulate [--seeds N] [--from N] [--threads N] [--most-failures N] [--digests] | --seed N\n";

settings parse(int argc, char** argv) {
    settings s;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--digests") {
            s.digests = true;
            --i;
            continue;
        }
        if (i + 1 == argc) throw std::invalid_argument(std::string(name) + " needs a value");
        const std::uint64_t value = std::stoull(argv[i + 1]);
        if (name == "--seeds") s.seeds = value;
        else if (name == "--from") s.from = value;
        else if (name == "--seed") s.one = value;
        else if (name == "--threads") s.threads = std::max(1U, static_cast<unsigned>(value));
        else if (name == "--most-failures") s.most_failures = value;
        else throw std::invalid_argument(std::string(name) + " is not known");
    }
    return s;
}

/// What each thread is at, for the case that the process ends there.
struct desk {
    std::atomic<std::uint64_t> seed{0};
    std::atomic<std::int64_t> since{0};
};
std::vector<desk>* desks = nullptr;

std::int64_t seconds_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

extern "C" void say_where(int number) {
    for (const desk& d : *desks)
        if (d.seed != 0) std::fprintf(stderr, "\nsignal %d while at seed %llu\n", number, static_cast<unsigned long long>(d.seed.load()));
    std::signal(number, SIG_DFL);
    std::raise(number);
}

int run_one(std::uint64_t seed) {
    const auto say = [](const std::string& line) { std::cout << line << '\n'; };
    stage s(seed, say);
    const verdict v = s.play();
    std::cout << "seed " << seed << ": " << v.operations << " operations, " << v.sights << " sights, " << v.troubles << " troubles in "
              << static_cast<double>(v.simulated.count()) / 1000 << " s: " << (v.faults.empty() ? "well\n" : "NOT well\n");
    for (const std::string& f : v.faults) std::cout << "  " << f << '\n';
    return v.faults.empty() ? 0 : 1;
}

int run_many(const settings& how) {
    const auto began = std::chrono::steady_clock::now();
    std::atomic<std::uint64_t> next{how.from};
    std::atomic<std::uint64_t> failed{0}, done{0}, operations{0}, sights{0}, troubles{0}, simulated{0};
    std::mutex printing;
    std::vector<desk> all(how.threads);
    desks = &all;
    for (const int number : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS}) std::signal(number, say_where);
    const auto work = [&](desk& here) {
        for (;;) {
            const std::uint64_t seed = next++;
            if (seed >= how.from + how.seeds || failed >= how.most_failures) break;
            here.since = seconds_now();
            here.seed = seed;
            verdict v;
            try {
                stage s(seed, nullptr);
                v = s.play();
            } catch (const std::exception& e) {
                v.faults.push_back(std::string("threw: ") + e.what());
            }
            here.seed = 0;
            ++done;
            operations += v.operations;
            sights += v.sights;
            troubles += v.troubles;
            simulated += static_cast<std::uint64_t>(v.simulated.count());
            if (!v.faults.empty()) ++failed;
            const std::lock_guard lock(printing);
            if (how.digests) std::cout << seed << ' ' << std::hex << v.digest << std::dec << '\n';
            if (v.faults.empty()) continue;
            std::cout << "seed " << seed << " is NOT well (./scripts/simulate --seed " << seed << "):\n";
            for (std::size_t i = 0; i < v.faults.size() && i < 3; ++i) std::cout << "  " << v.faults[i] << '\n';
            std::cout << std::flush;
        }
    };
    std::atomic<bool> over{false};
    std::thread guard([&] {
        while (!over) {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            for (const desk& d : all)
                if (d.seed != 0 && seconds_now() - d.since > 60) {
                    std::cout << "seed " << d.seed << " does not come to an end" << std::endl;
                    std::abort();
                }
        }
    });
    std::vector<std::thread> threads;
    for (desk& d : all) threads.emplace_back(work, std::ref(d));
    for (std::thread& t : threads) t.join();
    over = true;
    guard.join();
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    std::printf("%llu seeds from %llu: %llu not well; %llu operations, %llu sights, %llu troubles, %.1f h of simulated time in %.1f s\n",
                static_cast<unsigned long long>(done.load()), static_cast<unsigned long long>(how.from), static_cast<unsigned long long>(failed.load()),
                static_cast<unsigned long long>(operations.load()), static_cast<unsigned long long>(sights.load()),
                static_cast<unsigned long long>(troubles.load()),
                static_cast<double>(simulated.load()) / 3.6e6, took);
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const settings how = parse(argc, argv);
        return how.one ? run_one(*how.one) : run_many(how);
    } catch (const std::exception& e) {
        std::cerr << "simulate: " << e.what() << '\n' << usage;
        return 2;
    }
}
