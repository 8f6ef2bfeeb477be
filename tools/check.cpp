// dynconf-check: judges the record of a run, see docs/checker.md.

#include "testing/check.hpp"
#include "testing/history_file.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

using namespace dynconf::testing;

enum exit_code : int { right = 0, wrong = 1, usage = 2 };

void print_figures(const history& h) {
    std::size_t executed = 0, refused = 0, unknown = 0, events = 0, sights = 0;
    for (const operation& o : h.operations)
        ++(o.state == dynconf::write_state::executed ? executed : o.state == dynconf::write_state::unknown ? unknown : refused);
    for (const observer& o : h.observers) {
        sights += o.seen.size();
        for (const sight& s : o.seen) events += s.events.size();
    }
    std::cout << h.operations.size() << " calls: " << executed << " executed, " << refused << " not executed, " << unknown
              << " of unknown outcome; " << h.leases.size() << " lease calls; " << h.compactions.size() << " compactions; "
              << h.holdings.size() << " holdings; " << h.observers.size() << " observers with " << sights << " sights and "
              << events << " events\n";
}

}  // namespace

int main(int argc, char** argv) {
    std::string file;
    std::int64_t max_staleness = 30'000, allowance = 0;
    check_options options;
    CLI::App app("Judges the record of a run: one line of JSON for each call and each thing seen.", "dynconf-check");
    app.add_option("FILE", file, "\"-\" is the standard input")->required();
    app.add_option("--max-staleness", max_staleness, "Milliseconds that a live observer may lag behind; 30000 by default");
    app.add_option("--allowance", allowance, "Milliseconds more, for the ways through a busy machine; 0 by default");
    app.add_option("--search-limit", options.search_limit, "Tries of the search for an order of the calls");
    app.footer("Exit status: 0 all is right, 1 a rule is broken, 2 the command line or the file was not understood.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? right : usage;
    }
    options.max_staleness = std::chrono::milliseconds(max_staleness);
    options.allowance = std::chrono::milliseconds(allowance);
    try {
        std::ifstream in;
        if (file != "-") {
            in.open(file);
            if (!in) throw std::runtime_error("cannot be opened");
        }
        const history h = read_history(file == "-" ? std::cin : in);
        const auto found = check(h, options);
        print_figures(h);
        for (const violation& v : found) std::cout << "WRONG, " << name_of(v.broken) << ": " << v.words << '\n';
        std::cout << (found.empty() ? "all is right" : "NOT right") << '\n';
        return found.empty() ? right : wrong;
    } catch (const std::exception& e) {
        std::cerr << "dynconf-check: " << file << ": " << e.what() << '\n';
        return usage;
    }
}
