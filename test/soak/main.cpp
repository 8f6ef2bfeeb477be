// The long run: `dynconf watch --json` and clients of the library work with a cluster of three members through wires that
// break in every way, while the members are killed, paused and restarted and history is compacted. What everybody was told
// and has seen is recorded, and judged by the checker. See scripts/soak.

#include "soak/callers.hpp"
#include "soak/program_lines.hpp"
#include "soak/writers.hpp"

#include "support/etcd_admin.hpp"
#include "support/random_faults.hpp"
#include "support/watch_program.hpp"
#include "testing/check.hpp"
#include "testing/history_file.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct settings {
    seconds length{600};
    std::uint64_t seed = std::random_device{}();
    milliseconds max_staleness{2'000};
    milliseconds allowance{500};
    std::string version;      // of etcd; empty: by the seed
    std::string record;       // where to put it
    unsigned writers = 3;
    int pace = 1;
    bool quiet = false;       // no faults: nothing may ever be called stale
};

constexpr const char* usage =
    "usage: soak [--minutes N | --seconds N] [--seed N] [--etcd VERSION] [--pace N] [--max-staleness MS] [--allowance MS]\n"
    "            [--writers N] [--quiet] [--record FILE]\n";

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
        if (name == "--minutes") s.length = std::chrono::minutes(std::stoul(value));
        else if (name == "--seconds") s.length = seconds(std::stoul(value));
        else if (name == "--seed") s.seed = std::stoull(value);
        else if (name == "--etcd") s.version = value;
        else if (name == "--max-staleness") s.max_staleness = milliseconds(std::stoul(value));
        else if (name == "--allowance") s.allowance = milliseconds(std::stoul(value));
        else if (name == "--writers") s.writers = static_cast<unsigned>(std::stoul(value));
        else if (name == "--pace") s.pace = std::max(1, std::stoi(value));
        else if (name == "--record") s.record = value;
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

/// A write that goes through, at one member after the other.
revision_t write_surely(etcd_cluster& cluster, const std::vector<std::string>& keys, const std::string& name, std::vector<testing::operation>& record) {
    for (unsigned tries = 0; tries < 30; ++tries) {
        record.push_back(write(cluster[tries % cluster.size()], 99, keys, name + std::to_string(tries)));
        if (record.back().state == write_state::executed) return std::get<txn_response>(*record.back().answer).header.revision;
    }
    throw std::runtime_error("nothing can be written");
}

testing::known_state content_of(const etcd_process& etcd) {
    testing::known_state all;
    const etcd_admin admin(etcd);
    all.revision = admin.revision();
    for (const auto& [key, item] : admin.read("", all.revision)) {
        key_value& kv = all.kvs.emplace_back();
        kv.key = key;
        kv.value = item.value;
        kv.mod_revision = item.mod_revision;
    }
    return all;
}

/// Everything that was asked for, told and seen.
struct recording {
    testing::history past;
    program_lines::figures program;
    random_faults::counts faults;
    unsigned long memory = 0;
    std::vector<std::string> wrong;
};

recording play(const settings& s, const etcd_binary& binary) {
    recording r;
    etcd_cluster cluster(binary, 3);
    random_faults faults(cluster, s.seed, s.pace);
    testing::known_state start = content_of(cluster[0]);
    std::vector<testing::operation> ours;
    (void)write_surely(cluster, {"soak/a/0", "soak/b/0"}, "first", ours);

    std::string endpoints;
    for (const std::string& e : faults.endpoints()) endpoints += (endpoints.empty() ? "" : ",") + e;
    testing::observer printed;
    printed.name = "the program";
    printed.ranges = {key_range::prefix("soak/a/"), key_range::prefix("soak/b/")};
    program_lines lines(printed);
    watch_program program(DYNCONF_TOOL, {"soak/a/", "soak/b/", "--endpoints", endpoints, "--max-staleness",
                                            std::to_string(s.max_staleness.count()) + "ms"});
    std::size_t taken = 0;
    const auto take_lines = [&] {
        for (const watch_program::line& l : program.lines_from(taken)) {
            lines.take(l.at, l.text);
            ++taken;
        }
    };
    soak_callers callers(faults.endpoints(), cluster.endpoints(), s.max_staleness, s.seed, std::move(start));
    {
        soak_writers writers(cluster, s.writers, s.seed);
        const auto due = clock_type::now() + s.length;
        for (auto now = clock_type::now(); now < due; now = clock_type::now(), std::this_thread::sleep_for(5ms)) {
            const std::int64_t newest = std::max(writers.revision(), callers.revision());
            if (!s.quiet) faults.step(now, newest, [&](auto at, std::int64_t revision) { callers.compacted(at, revision); });
            take_lines();
            if (!program.process().running()) throw std::runtime_error("dynconf watch has ended by itself");
        }
        faults.heal();
        writers.stop();
        auto theirs = writers.take();
        ours.insert(ours.end(), std::move_iterator(theirs.begin()), std::move_iterator(theirs.end()));
    }
    if (!callers.stop_calling(60s)) r.wrong.push_back("after 60 s of health: " + callers.left());
    std::this_thread::sleep_for(8s);   // the leases that nobody has ended
    const revision_t last = write_surely(cluster, {"soak/a/0", "soak/b/0", "soak/k/z"}, "last", ours);
    if (!callers.await(last, 60s)) r.wrong.push_back("the watch or the mirror has not seen the last revision 60 s after all was healed");
    if (!program.await("", last, 60s)) r.wrong.push_back("the program has not printed the last revision 60 s after all was healed");
    if (!program.await_state("live", 60s)) r.wrong.push_back("the program is not live 60 s after all was healed");
    r.memory = peak_memory(program.process().pid());
    testing::known_state end = content_of(cluster[0]);
    const auto ended = clock_type::now();
    const auto status = program.end(20s);
    if (status != 0) r.wrong.push_back("dynconf watch ended with status " + std::to_string(status.value_or(-1)));
    take_lines();
    if (!callers.stop_looking(60s)) throw std::runtime_error("those who look on do not end: " + callers.left());
    if (const std::string thrown = callers.left(); !thrown.empty()) r.wrong.push_back(thrown);

    r.past = callers.take();
    r.past.operations.insert(r.past.operations.end(), std::move_iterator(ours.begin()), std::move_iterator(ours.end()));
    r.past.observers.push_back(std::move(printed));
    r.past.end = std::move(end);
    r.past.ended = ended;
    r.program = lines.seen();
    r.faults = faults.done();
    r.wrong.insert(r.wrong.end(), lines.faults().begin(), lines.faults().end());
    return r;
}

std::string figures_of(const recording& r) {
    std::size_t executed = 0, refused = 0, unknown = 0, events = 0, sights = 0, faults = 0;
    for (const testing::operation& o : r.past.operations)
        ++(o.state == write_state::executed ? executed : o.state == write_state::unknown ? unknown : refused);
    for (const testing::observer& o : r.past.observers) {
        sights += o.seen.size();
        for (const testing::sight& s : o.seen) events += s.events.size();
    }
    std::string harm;
    for (const auto& [name, n] : r.faults) {
        faults += n;
        harm += (harm.empty() ? "" : ", ") + std::to_string(n) + " " + name;
    }
    return std::to_string(r.past.end->revision) + " revisions; " + std::to_string(r.past.operations.size()) + " calls: " + std::to_string(executed)
        + " executed, " + std::to_string(refused) + " not executed, " + std::to_string(unknown) + " of unknown outcome; "
        + std::to_string(r.past.leases.size()) + " calls of leases, " + std::to_string(r.past.holdings.size()) + " locks held\n"
        + std::to_string(events) + " events in " + std::to_string(sights) + " sights of " + std::to_string(r.past.observers.size()) + " observers\n"
        + std::to_string(faults) + " faults: " + harm + "\nthe program: " + std::to_string(r.program.revisions) + " revisions, "
        + std::to_string(r.program.resyncs) + " resyncs, " + std::to_string(r.program.times_not_live) + " times not live, at most "
        + in_seconds(r.program.longest_not_live) + "; at most " + std::to_string(r.memory) + " MiB of memory\n";
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
    recording r = play(s, binary);
    std::cout << figures_of(r) << std::flush;
    if (!s.record.empty()) {
        std::ofstream out(s.record);
        testing::write_history(out, r.past);
    }
    if (s.quiet && r.program.times_not_live > 0) r.wrong.push_back("a false alarm: nothing was wrong, and it was not live");
    const auto judged_from = clock_type::now();
    testing::check_options how;
    how.max_staleness = s.max_staleness;
    how.allowance = s.allowance;
    how.search_limit = 50'000'000;
    for (const testing::violation& v : testing::check(r.past, how)) r.wrong.push_back(std::string(testing::name_of(v.broken)) + ": " + v.words);
    std::cout << "judged in " << in_seconds(std::chrono::duration_cast<milliseconds>(clock_type::now() - judged_from)) << '\n';
    for (const std::string& w : r.wrong) std::cout << "WRONG: " << w << '\n';
    std::cout << (r.wrong.empty() ? "held" : "NOT held") << std::endl;
    return r.wrong.empty() ? 0 : 1;
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
