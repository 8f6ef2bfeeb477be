#include "testing/check.hpp"

#include "testing/rules/rules.hpp"
#include "testing/timeline.hpp"

#include <iterator>
#include <utility>

namespace dynconf::testing {
namespace {

void judge(const history& h, const check_options& options, findings& found) {
    // Who is wrong when nothing explains it all: etcd's answers, or what an observer makes of its events?
    timeline happened = explain(h, options, evidence::belief::all);
    const auto broken = happened.broken;
    if (!broken.empty() && !h.observers.empty())
        for (const auto less : {evidence::belief::seen, evidence::belief::none})
            if (timeline other = explain(h, options, less); other.broken.empty()) {
                happened = std::move(other);
                break;
            }
    const bool answers_are_right = happened.broken.empty();
    const auto tell_of_answers = [&] {
        for (const violation& v : broken) found.add(v.broken, v.words, v.operations);
    };
    if (!answers_are_right) tell_of_answers();
    findings rest;
    const storyteller tell(h);
    const judged run{h, options, happened, tell};
    for (const auto check_rule : {check_sequence, check_genuine, check_previous, check_contents, check_fresh, check_exclusive, check_leases})
        check_rule(run, rest);
    if (answers_are_right && rest.empty()) tell_of_answers();   // else it is what somebody has not seen
    for (violation& v : rest.take()) found.add(v.broken, std::move(v.words), std::move(v.operations));
}

}  // namespace

std::string_view name_of(rule r) noexcept {
    switch (r) {
        case rule::linearizable: return "linearizable";
        case rule::genuine: return "genuine";
        case rule::ordered: return "ordered";
        case rule::unique: return "unique";
        case rule::atomic: return "atomic";
        case rule::complete: return "complete";
        case rule::resumable: return "resumable";
        case rule::previous: return "previous";
        case rule::bookmark: return "bookmark";
        case rule::resync: return "resync";
        case rule::final_content: return "final content";
        case rule::fresh: return "fresh";
        case rule::exclusive: return "exclusive";
        case rule::lease: return "lease";
    }
    return "?";
}

std::vector<violation> check(const history& h, const check_options& options) {
    findings found;
    judge(h, options, found);
    return found.take();
}

}  // namespace dynconf::testing
