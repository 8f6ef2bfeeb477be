#include "policy/key_questions.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace dynconf;
using policy::key_questions;
using policy::wanted_keys;

namespace {

wanted_keys wanting(std::size_t count, const std::string& name) {
    wanted_keys keys(key_ring("own", sealing_key::generate()), 1000);
    for (std::size_t i = 0; i < count; ++i) keys.ask_for(name + std::to_string(i));
    return keys;
}

std::vector<std::string> all_now(key_questions& questions) {
    std::vector<std::string> ids;
    while (const auto id = questions.next()) ids.push_back(*id);
    return ids;
}

const error absent{errc::unknown_key_id, {}};

}  // namespace

TEST_CASE("key questions: so many at once, each id once", "[crypto]") {
    key_questions questions;
    CHECK_FALSE(questions.next());
    wanted_keys many = wanting(100, "id-");
    questions.join(many);
    std::size_t asked = 0;
    std::vector<std::string> under_way = all_now(questions);
    CHECK(under_way.size() == key_questions::most_at_once);
    while (!under_way.empty()) {
        asked += under_way.size();
        const std::string first = under_way.back();
        under_way.pop_back();
        questions.ended(first);
        questions.on_answer(first, absent);
        for (std::string& id : all_now(questions)) {
            under_way.push_back(std::move(id));
            ++asked;
        }
        asked -= under_way.size();
        CHECK(under_way.size() <= key_questions::most_at_once);
    }
    CHECK(asked == 100);
    CHECK(many.complete());
}

TEST_CASE("key questions: an answer is for all who wait, and a question goes with the last of them", "[crypto]") {
    key_questions questions;
    wanted_keys first = wanting(1, "x"), second = wanting(2, "x"), third = wanting(1, "y");
    questions.join(first);
    questions.join(second);
    questions.join(third);
    questions.leave(third);
    CHECK(all_now(questions) == std::vector<std::string>{"x0", "x1"});
    questions.leave(first);
    questions.on_answer("x0", sealing_key::generate());
    CHECK_FALSE(first.complete());
    CHECK(second.keys().has("x0"));
    CHECK_FALSE(third.keys().has("x0"));   // nobody has asked for it there
    questions.ended("x0");
    questions.join(first);   // has come again: asked for again
    CHECK(all_now(questions) == std::vector<std::string>{"x0"});
}

TEST_CASE("key questions: who wants one key does not wait for who wants a thousand", "[crypto]") {
    key_questions questions;
    wanted_keys many = wanting(1000, "many-"), one = wanting(1, "one-");
    questions.join(many);
    const std::vector<std::string> under_way = all_now(questions);
    questions.join(one);
    questions.ended(under_way[0]);
    questions.on_answer(under_way[0], absent);
    questions.ended(under_way[1]);
    questions.on_answer(under_way[1], absent);
    const std::vector<std::string> next = all_now(questions);
    REQUIRE(next.size() == 2);
    CHECK((next[0] == "one-0" || next[1] == "one-0"));
}
