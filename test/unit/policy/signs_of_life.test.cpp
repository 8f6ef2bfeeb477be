#include "policy/signs_of_life.hpp"

#include "support/catch.hpp"

#include <string>

using namespace std::chrono_literals;
using dynconf::policy::signs_of_life;

namespace {

const signs_of_life::time_point start = signs_of_life::time_point() + 1h;

std::string after_start(signs_of_life::time_point t) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(t - start).count());
}

/// "wait 4000", "ask 12000", "give up", "lost": what to do so long after the start.
std::string at(const signs_of_life& signs, std::chrono::milliseconds when, bool in_use = true) {
    const auto step = signs.next(start + when, in_use);
    if (const auto* pause = std::get_if<signs_of_life::wait>(&step)) return "wait " + after_start(pause->until);
    if (const auto* question = std::get_if<signs_of_life::ask>(&step)) return "ask " + after_start(question->due);
    return std::get<signs_of_life::give_up>(step).lost ? "lost" : "give up";
}

}  // namespace

TEST_CASE("signs of life: asked for after half a limit each, as long as they come", "[policy]") {
    signs_of_life signs(start, 8s, 30s);
    CHECK(at(signs, 0s) == "wait 4000");
    CHECK(at(signs, 3999ms) == "wait 4000");
    CHECK(at(signs, 4s) == "ask 12000");
    signs.answered(start + 4s, start + 9s, true, true);   // slow, so it is at work
    CHECK(at(signs, 9s) == "wait 13000");
    CHECK(at(signs, 14s) == "ask 22000");
    signs.answered(start + 14s, start + 21s, true, true);
    CHECK(at(signs, 21s) == "wait 25000");
}

TEST_CASE("signs of life: silence ends it, at any time", "[policy]") {
    for (const auto asked : {4s, 400s}) {
        for (const bool may_be_lost : {true, false}) {
            signs_of_life signs(start, 8s, 30s);
            signs.answered(start + asked, start + asked, false, may_be_lost);   // refused at once, say
            CHECK(at(signs, asked) == "give up");
            CHECK(at(signs, asked + 1h) == "give up");
        }
    }
}

TEST_CASE("signs of life: without a use behind nobody waits longer than that", "[policy]") {
    signs_of_life signs(start, 8s, 30s);
    signs.answered(start + 20s, start + 27s, true, false);
    CHECK(at(signs, 27s, false) == "wait 30000");   // not until the next sign
    CHECK(at(signs, 29999ms, false) == "wait 30000");
    CHECK(at(signs, 30s, false) == "give up");
    CHECK(at(signs, 30s, true) == "wait 31000");
    CHECK(at(signs, 31s, true) == "ask 39000");
    CHECK(at(signs, 31s, false) == "give up");      // the use has ended meanwhile
    CHECK(at(signs_of_life(start, 8s, 1s), 0s, false) == "wait 1000");
}

TEST_CASE("signs of life: a quick member that has no answer for so long has lost the question", "[policy]") {
    struct row { std::chrono::milliseconds asked, took; bool may_be_lost; const char* then; };
    const row rows[] = {
        {8000ms, 499ms, true, "lost"},
        {8000ms, 500ms, true, "wait 12500"},     // a sixteenth of the limit is not quick any more
        {7600ms, 399ms, true, "wait 11999"},     // too early
        {7600ms, 400ms, true, "lost"},
        {8000ms, 0ms, false, "wait 12000"},      // it was taken for lost before
    };
    for (const row& r : rows) {
        INFO(r.asked.count() << " + " << r.took.count());
        signs_of_life signs(start, 8s, 30s);
        signs.answered(start + r.asked, start + r.asked + r.took, true, r.may_be_lost);
        CHECK(at(signs, r.asked + r.took) == r.then);
    }
}
