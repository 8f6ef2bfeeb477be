// The long run: `dynconf watch --json` follows a cluster of three members through wires that break in every way, beside
// writers, while the members are killed, paused and restarted and history is compacted. See scripts/soak.

#include "soak/judge.hpp"
#include "soak/writers.hpp"

#include "support/etcd_admin.hpp"
#include "support/random_faults.hpp"
#include "support/watch_program.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace dynconf::test;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct settings {
    seconds length{600};
    std::uint64_t seed = std::random_device{}();
    milliseconds max_staleness{2'000};
    milliseconds allowance{500};
    std::string version;      // of etcd; empty: by the seed
    std::string transcript;   // where to put the lines
    unsigned writers = 3;
    bool quiet = false;       // no faults: nothing may ever be called stale
};

constexpr const char* usage =
    "usage: soak [--seconds N] [--seed N] [--etcd VERSION] [--max-staleness MS] [--allowance MS] [--writers N]\n"
    "            [--quiet] [--transcript FILE]\n";

settings parse(int argc, char** argv) {
    settings s;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--quiet") {
            s.quiet = true;
            continue;
        }
        if (++i == argc) throw std::invalid_argument(std::string(name) + " needs a value");
        const std::string value = argv[i];
        if (name == "--seconds") s.length = seconds(std::stoul(value));
        else if (name == "--seed") s.seed = std::stoull(value);
        else if (name == "--etcd") s.version = value;
        else if (name == "--max-staleness") s.max_staleness = milliseconds(std::stoul(value));
        else if (name == "--allowance") s.allowance = milliseconds(std::stoul(value));
        else if (name == "--writers") s.writers = static_cast<unsigned>(std::stoul(value));
        else if (name == "--transcript") s.transcript = value;
        else throw std::invalid_argument("unknown option " + std::string(name));
    }
    return s;
}

const etcd_binary& chosen(const settings& s) {
    const auto& all = etcd_binaries();
    if (s.version.empty()) return all[s.seed % all.size()];
    for (const etcd_binary& b : all)
        if (b.version == s.version) return b;
    throw std::invalid_argument("no etcd " + s.version);
}

watch_judge::content watched_content(const etcd_process& etcd) {
    watch_judge::content all;
    for (const char* prefix : {"soak/a/", "soak/b/"})
        for (const auto& [key, item] : etcd_admin(etcd).read(prefix)) all[key] = item.value;
    return all;
}

/// The most memory the process has had, in MiB.
unsigned long peak_memory(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) / 1024;
    return 0;
}

std::string in_seconds(milliseconds d) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f s", static_cast<double>(d.count()) / 1000);
    return text;
}

/// A write that goes through; at one member after the other.
written write_surely(etcd_cluster& cluster, written w, watch_judge& judge) {
    const std::string name = w.value;
    for (unsigned tries = 0;; ++tries) {
        w.value = name + std::to_string(tries);
        try {
            execute(cluster[tries % cluster.size()], w);
            judge.on_write(w);
            return w;
        } catch (const std::exception&) {
            w.revision.reset();
            judge.on_write(w);
            if (tries == 30) throw;
        }
    }
}

int run(const settings& s) {
    if (etcd_binaries().empty()) {
        std::cout << "no etcd: set DYNCONF_ETCD or install one\n";
        return 77;   // skipped
    }
    const etcd_binary& binary = chosen(s);
    std::cout << "soak: seed " << s.seed << ", etcd " << binary.version << ", " << s.length.count()
              << " s, max_staleness " << in_seconds(s.max_staleness) << ", allowance " << in_seconds(s.allowance)
              << std::endl;
    etcd_cluster cluster(binary, 3);
    random_faults faults(cluster, s.seed);
    watch_judge judge({s.max_staleness, s.allowance});
    written first;
    first.value = "first";
    first.puts = {"soak/a/0", "soak/b/0"};
    (void)write_surely(cluster, first, judge);

    std::string endpoints;
    for (const std::string& e : faults.endpoints()) endpoints += (endpoints.empty() ? "" : ",") + e;
    watch_program program(DYNCONF_TOOL, {"soak/a/", "soak/b/", "--endpoints", endpoints, "--max-staleness",
                                            std::to_string(s.max_staleness.count()) + "ms"});
    std::size_t judged = 0;
    std::ofstream transcript;
    if (!s.transcript.empty()) transcript.open(s.transcript);
    const auto begin = watch_judge::clock::now();
    const auto take_lines = [&] {
        for (const watch_program::line& l : program.lines_from(judged)) {
            judge.on_line(l.at, l.text);
            if (transcript.is_open())
                transcript << std::chrono::duration_cast<milliseconds>(l.at - begin).count() << ' ' << l.text << '\n';
            ++judged;
        }
    };
    {
        soak_writers writers(cluster, s.writers, s.seed);
        for (const auto due = begin + s.length; watch_judge::clock::now() < due; std::this_thread::sleep_for(5ms)) {
            if (!s.quiet) faults.step(watch_judge::clock::now(), writers.revision(),
                [&](auto at, std::int64_t revision) { judge.on_compaction(at, revision); });
            take_lines();
            if (!program.process().running()) throw std::runtime_error("dynconf watch has ended by itself");
        }
        faults.heal();
        writers.stop();
        for (written& w : writers.take()) judge.on_write(std::move(w));
    }
    written last;
    last.value = "last";
    last.puts = {"soak/a/0", "soak/b/0"};
    last = write_surely(cluster, last, judge);
    const bool arrived = program.await("", *last.revision, 60s);
    const bool live = program.await_state("live", 60s);
    const auto memory = peak_memory(program.process().pid());
    const auto end = watch_judge::clock::now();
    const auto content = watched_content(cluster[0]);
    const auto status = program.end(20s);
    take_lines();
    auto wrong = judge.finish(content, end);
    if (!arrived) wrong.insert(wrong.begin(), "the last revision did not arrive within 60 s of healing");
    if (!live) wrong.insert(wrong.begin(), "not live within 60 s of healing");
    if (status != 0) wrong.push_back("dynconf watch ended with status " + std::to_string(status.value_or(-1)));

    const watch_judge::figures& f = judge.result();
    if (s.quiet && f.times_not_live > 0) wrong.push_back("a false alarm: nothing was wrong, and it was not live");
    std::cout << f.revisions << " revisions printed; " << f.acknowledged << " writes acknowledged, " << f.unknown
              << " without an outcome, of which " << f.unknown_executed << " were printed\nfaults:";
    for (const auto& [name, n] : faults.done()) std::cout << ' ' << name << ' ' << n << ';';
    std::cout << "\n" << f.resyncs << " resyncs; " << f.times_not_live << " times not live, at most "
              << in_seconds(f.longest_not_live) << "\nworst age while live " << in_seconds(f.worst_age_live)
              << ", worst delay of a revision in any state " << in_seconds(f.worst_delay)
              << ", peak memory of the program " << memory << " MiB\n";
    for (const std::string& w : wrong) std::cout << "WRONG: " << w << '\n';
    std::cout << (wrong.empty() ? "held" : "NOT held") << std::endl;
    return wrong.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(parse(argc, argv));
    } catch (const std::invalid_argument& e) {
        std::cerr << "soak: " << e.what() << '\n' << usage;
        return 2;
    } catch (const std::exception& e) {
        std::cerr << "soak: " << e.what() << '\n';
        return 1;
    }
}
