// What many managers cost an etcd, and whether they stay out of step: fleet [MANAGERS [MEMBERS [--no-auth]]], by default
// 1000 and 1. They start together, rest, live through a restart of the only member or the death of the leader, and rest
// again; each second the server's own counters are read.

#include "support/etcd_admin.hpp"
#include "support/etcd_process.hpp"

#include <dynconf/config/manager.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/config/settings.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

double cpu_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double resident_kib() {
    std::ifstream statm("/proc/self/statm");
    double size = 0, resident = 0;
    statm >> size >> resident;
    return resident * double(sysconf(_SC_PAGESIZE)) / 1024;
}

/// Calls of one method that the members have begun to serve since they started.
double started(test::etcd_cluster& cluster, std::string_view method) {
    double sum = 0;
    for (std::size_t i = 0; i < cluster.size(); ++i) {
        if (!cluster[i].running()) continue;
        std::string all;
        try {
            all = cluster[i].metrics();
        } catch (const std::exception&) {
            continue;   // on its way up or down
        }
        const std::string what = "\ngrpc_server_started_total{grpc_method=\"" + std::string(method) + "\"";
        for (auto at = all.find(what); at != std::string::npos; at = all.find(what, at + 1))
            sum += std::stod(all.substr(all.find("} ", at) + 2, 32));
    }
    return sum;
}

struct fleet {
    boost::asio::io_context io;
    std::vector<std::unique_ptr<config_manager>> managers;
    std::vector<subscription> followed;
    std::atomic<std::size_t> live{0};
    std::mutex mutex;
    std::vector<double> became_live;   // of this phase, in seconds
    steady::time_point phase = steady::now();

    void follow(config_manager& config) {
        auto before = std::make_shared<bool>(false);
        followed.push_back(config.subscribe_status([this, before](const status& s) {
            const bool now = s.state == config_state::live;
            if (now == *before) return;
            *before = now;
            if (!now) {
                --live;
                return;
            }
            ++live;
            const std::lock_guard lock(mutex);
            became_live.push_back(std::chrono::duration<double>(steady::now() - phase).count());
        }));
    }

    void begin() {
        const std::lock_guard lock(mutex);
        became_live.clear();
        phase = steady::now();
    }
};

/// Where most of them did the same thing: the most within 100 ms of each other, and the time it took all.
void tell_steps(fleet& f, std::size_t managers) {
    const std::lock_guard lock(f.mutex);
    auto& times = f.became_live;
    std::sort(times.begin(), times.end());
    if (times.empty()) return;
    std::size_t most = 0;
    for (std::size_t i = 0, j = 0; i < times.size(); ++i) {
        while (times[i] - times[j] > 0.1) ++j;
        most = std::max(most, i - j + 1);
    }
    std::printf("  live again: first %.2f s, median %.2f s, last %.2f s (%zu of %zu); at most %zu within 100 ms\n", times.front(),
                times[times.size() / 2], times.back(), times.size(), managers, most);
}

constexpr std::array methods{"Authenticate", "Range", "Txn", "Watch", "Status"};

/// Reads the counters each second until `done`, but not for longer than `limit`.
void watch_the_server(test::etcd_cluster& cluster, fleet& f, std::chrono::seconds limit, const std::function<bool()>& done) {
    std::array<double, methods.size()> last{}, peak{}, sum{};
    for (std::size_t m = 0; m < methods.size(); ++m) last[m] = started(cluster, methods[m]);
    const auto begin = steady::now();
    auto then = begin;
    while (!done() && steady::now() - begin < limit) {
        std::this_thread::sleep_for(1s);
        const auto now = steady::now();
        const double passed = std::chrono::duration<double>(now - then).count();
        then = now;
        for (std::size_t m = 0; m < methods.size(); ++m) {
            const double count = started(cluster, methods[m]);
            const double more = count < last[m] ? count : count - last[m];   // it counts anew after a restart
            last[m] = count;
            sum[m] += more;
            peak[m] = std::max(peak[m], more / passed);
        }
    }
    std::printf("  %.0f s, %zu live;", std::chrono::duration<double>(steady::now() - begin).count(), f.live.load());
    for (std::size_t m = 0; m < methods.size(); ++m)
        std::printf("  %s %.0f (most %.0f/s)", methods[m], sum[m], peak[m]);
    std::printf("\n");
    std::fflush(stdout);
}

std::size_t leader_of(test::etcd_cluster& cluster) {
    for (std::size_t i = 0; i < cluster.size(); ++i)
        if (cluster[i].metric("etcd_server_is_leader") == 1) return i;
    return 0;
}

void allow_many_sockets() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t count = argc > 1 ? std::stoul(argv[1]) : 1000;
    const unsigned members = argc > 2 ? unsigned(std::stoul(argv[2])) : 1;
    const bool auth = !(argc > 3 && std::string_view(argv[3]) == "--no-auth");
    if (test::etcd_binaries().empty()) {
        std::fprintf(stderr, "no etcd: set DYNCONF_ETCD or install one\n");
        return 77;
    }
    allow_many_sockets();
    const test::etcd_binary binary = test::etcd_binaries().back();
    test::etcd_cluster cluster(binary, members);
    test::etcd_admin admin(cluster[0]);
    for (int i = 0; i < 20; ++i) admin.put("/app/key" + std::to_string(i), "value " + std::to_string(i));
    if (auth) admin.enable_auth();
    std::printf("etcd %s, %u member(s), %zu managers of 20 keys, %s\n", binary.version.c_str(), members, count,
                auth ? "each logs in" : "no users");

    fleet f;
    const double empty_kib = resident_kib();
    const auto what = std::make_shared<const prefix_schema>("/app");
    settings from;
    from.endpoints = cluster.endpoints();
    if (auth) {
        from.username = "root";
        from.password = "root";
    }
    for (std::size_t i = 0; i < count; ++i) {
        // As instances do: each prefers another member.
        std::rotate(from.endpoints->begin(), from.endpoints->begin() + 1, from.endpoints->end());
        f.managers.push_back(std::make_unique<config_manager>(f.io.get_executor(), what, from));
        f.follow(*f.managers.back());
    }
    auto work = boost::asio::make_work_guard(f.io);
    std::thread runner([&f] { f.io.run(); });

    const auto all_live = [&f, count] { return f.live == count; };
    std::printf("all start at once\n");
    f.begin();
    for (auto& m : f.managers) m->start([](error_code, const start_report&) {});
    watch_the_server(cluster, f, 600s, all_live);
    tell_steps(f, count);

    const auto rest = [&](const char* when) {
        std::printf("%s\n", when);
        const double cpu = cpu_seconds();
        const auto until = steady::now() + 60s;
        watch_the_server(cluster, f, 60s, [until] { return steady::now() >= until; });
        std::printf("  a manager: %.0f KiB, %.2f ms of CPU a minute\n", (resident_kib() - empty_kib) / double(count),
                    (cpu_seconds() - cpu) * 1e3 / double(count));
    };
    rest("a minute of rest");

    f.begin();
    if (members == 1) {
        std::printf("the member is restarted, down for 5 s\n");
        cluster[0].terminate();
        std::this_thread::sleep_for(5s);
        cluster[0].launch();
        watch_the_server(cluster, f, 600s, all_live);
    } else {
        const std::size_t leader = leader_of(cluster);
        std::printf("the leader is killed, and comes back after 20 s\n");
        cluster[leader].kill();
        const auto back = steady::now() + 20s;
        watch_the_server(cluster, f, 20s, [back] { return steady::now() >= back; });
        cluster[leader].launch();
        watch_the_server(cluster, f, 600s, all_live);
    }
    tell_steps(f, count);
    rest("a minute of rest after it");

    std::promise<void> stopped;
    std::atomic<std::size_t> left{count};
    for (auto& m : f.managers)
        m->stop([&](error_code) {
            if (--left == 0) stopped.set_value();
        });
    stopped.get_future().wait();
    work.reset();
    runner.join();
    return all_live() || left == 0 ? 0 : 1;
}
