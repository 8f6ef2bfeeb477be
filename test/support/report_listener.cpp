// Writes what became of each test case to the file named by DYNCONF_TEST_REPORT, one line each, so that scripts/test
// counts cases and not programs:
//
//     started|passed|failed|skipped <tab> name <tab> reason <tab> program <tab> pid <tab> seconds
//
// "started" without an end is a case that took the program down with it.

#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "support/skip.hpp"

#include <errno.h>  // program_invocation_short_name
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <utility>

namespace dynconf::test {
namespace {

std::string skip_reason;

std::string one_line(std::string text) {
    for (char& c : text)
        if (c == '\t' || c == '\n' || c == '\r') c = ' ';
    if (text.size() > 300) text = text.substr(0, 300) + "...";
    return text;
}

#if __has_include(<catch2/catch_all.hpp>)
using listener_base = Catch::EventListenerBase;
#else
using listener_base = Catch::TestEventListenerBase;
#endif

// A value in v2, a pointer in v3.
[[maybe_unused]] const Catch::TestCaseInfo& info_of(const Catch::TestCaseInfo& info) { return info; }
[[maybe_unused]] const Catch::TestCaseInfo& info_of(const Catch::TestCaseInfo* info) { return *info; }

class report_listener : public listener_base {
public:
    using listener_base::listener_base;

    void testCaseStarting(const Catch::TestCaseInfo& info) override {
        listener_base::testCaseStarting(info);
        skip_reason.clear();
        failure_.clear();
        begin_ = std::chrono::steady_clock::now();
        append("started", info.name, "", 0);
    }

// The return type differs: bool in v2, void in v3.
#if __has_include(<catch2/catch_all.hpp>)
    void assertionEnded(const Catch::AssertionStats& stats) override { note_failure(stats.assertionResult); }
#else
    bool assertionEnded(const Catch::AssertionStats& stats) override {
        note_failure(stats.assertionResult);
        return true;
    }
#endif

    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
        const std::string& name = info_of(stats.testInfo).name;
        if (stats.totals.assertions.failed > 0 || stats.totals.testCases.failed > 0)
            append("failed", name, failure_, took.count());
        else if (!skip_reason.empty())
            append("skipped", name, skip_reason, took.count());
        else
            append("passed", name, "", took.count());
        listener_base::testCaseEnded(stats);
    }

private:
    void note_failure(const Catch::AssertionResult& r) {
        if (r.isOk() || !failure_.empty()) return;
        std::ostringstream text;
        text << r.getSourceInfo().file << ':' << r.getSourceInfo().line << ": ";
        if (r.hasExpression())
            text << r.getExpressionInMacro() << " is " << r.getExpandedExpression();
        if (r.hasMessage()) text << ' ' << r.getMessage();
        failure_ = text.str();
    }

    // One write(2) in append mode: programs that run side by side share the file.
    static void append(const char* state, const std::string& name, const std::string& reason, double seconds) {
        const char* path = std::getenv("DYNCONF_TEST_REPORT");
        if (!path || !*path) return;
        std::ostringstream line;
        line << state << '\t' << one_line(name) << '\t' << one_line(reason) << '\t' << program_invocation_short_name
             << '\t' << ::getpid() << '\t' << seconds << '\n';
        const std::string text = line.str();
        const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0) return;
        [[maybe_unused]] const auto written = ::write(fd, text.data(), text.size());
        ::close(fd);
    }

    std::string failure_;
    std::chrono::steady_clock::time_point begin_;
};

CATCH_REGISTER_LISTENER(report_listener)

}  // namespace

void note_skip(std::string reason) { skip_reason = reason.empty() ? "no reason given" : std::move(reason); }

}  // namespace dynconf::test
