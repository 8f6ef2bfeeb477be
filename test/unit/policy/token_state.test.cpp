#include "policy/token_state.hpp"

#include "support/catch.hpp"

using namespace dynconf;
using namespace std::chrono_literals;
using policy::token_state;

namespace {

const token_state::time_point start = token_state::time_point() + 1h;

template <class T>
bool says(token_state& s, token_state::time_point now = start) {
    return std::holds_alternative<T>(s.next(now));
}

token_state::send sent(token_state& s, token_state::time_point now = start) {
    const token_state::answer a = s.next(now);
    REQUIRE(std::holds_alternative<token_state::send>(a));
    return std::get<token_state::send>(a);
}

}  // namespace

TEST_CASE("token: without credentials none is ever sent or fetched", "[policy]") {
    token_state s(false);
    CHECK_FALSE(s.has_credentials());
    CHECK(sent(s).token.empty());
    s.refused(sent(s).number);
    CHECK(sent(s).token.empty());
}

TEST_CASE("token: one caller fetches, the others wait, then all send the same", "[policy]") {
    token_state s(true);
    CHECK(says<token_state::fetch>(s));
    for (int i = 0; i < 10; ++i) CHECK(says<token_state::wait>(s));
    s.fetched("one");
    const auto first = sent(s);
    CHECK(first.token == "one");
    CHECK(sent(s).number == first.number);
}

TEST_CASE("token: a refusal opens one flight, and late refusals of the old one change nothing", "[policy]") {
    token_state s(true);
    s.next(start);
    s.fetched("one");
    const auto old = sent(s);
    s.refused(old.number);
    s.refused(old.number);
    CHECK(says<token_state::fetch>(s));
    s.refused(old.number);
    CHECK(says<token_state::wait>(s));
    s.fetched("two");
    s.refused(old.number);   // a call that was under way with the first token
    const auto fresh = sent(s);
    CHECK(fresh.token == "two");
    CHECK(fresh.number != old.number);
    s.refused(fresh.number);
    CHECK(says<token_state::fetch>(s));
}

TEST_CASE("token: after a failed fetch nobody asks again before the cool-off is over", "[policy]") {
    token_state s(true, 32s, 500ms);
    CHECK(says<token_state::fetch>(s));
    s.fetch_failed({server_errc::auth_failed, "wrong"}, false, start);
    for (const auto later : {0ms, 1ms, 499ms}) {
        const token_state::answer a = s.next(start + later);
        REQUIRE(std::holds_alternative<token_state::refuse>(a));
        CHECK(std::get<token_state::refuse>(a).why.code == server_errc::auth_failed);
        CHECK(std::get<token_state::refuse>(a).why.detail == "wrong");
    }
    CHECK(says<token_state::fetch>(s, start + 500ms));
    CHECK(says<token_state::wait>(s, start + 500ms));
    s.fetched("one");
    s.refused(sent(s).number);
    CHECK(says<token_state::fetch>(s, start + 501ms));   // the failure is forgotten
}

TEST_CASE("token: a flight that was too short makes the next one more patient, up to a bound", "[policy]") {
    token_state s(true, 10s, 0ms);
    const auto patience = [&] {
        const token_state::answer a = s.next(start);
        REQUIRE(std::holds_alternative<token_state::fetch>(a));
        return std::get<token_state::fetch>(a).patience;
    };
    for (const auto expected : {10s, 40s, 160s, 640s, 640s}) {
        CHECK(patience() == expected);
        s.fetch_failed({errc::deadline_exceeded, {}}, true, start);
    }
    CHECK(patience() == 640s);
    s.fetch_failed({errc::connection_closed, {}}, false, start);   // it did not take long
    CHECK(patience() == 10s);
    s.fetch_failed({errc::deadline_exceeded, {}}, true, start);
    CHECK(patience() == 40s);
    s.fetched("one");
    s.refused(sent(s).number);
    CHECK(patience() == 10s);
}

TEST_CASE("token: a login may be taken for lost once, until one works", "[policy]") {
    token_state s(true);
    s.next(start);
    CHECK(s.may_be_lost());
    s.lost();
    CHECK_FALSE(s.may_be_lost());
    s.fetch_failed({errc::deadline_exceeded, {}}, false, start);
    s.next(start + 1h);
    CHECK_FALSE(s.may_be_lost());
    s.fetched("one");
    CHECK(s.may_be_lost());
}

TEST_CASE("token: with authentication switched off none is sent until that is refused", "[policy]") {
    token_state s(true);
    s.next(start);
    s.not_enabled();
    const auto none = sent(s);
    CHECK(none.token.empty());
    s.refused(none.number);
    CHECK(says<token_state::fetch>(s));
    s.fetched("one");
    CHECK(sent(s).token == "one");
    s.refused(sent(s).number);
    s.next(start);
    s.not_enabled();
    CHECK(sent(s).token.empty());
}

TEST_CASE("token: one that may be held up is looked into now and then", "[policy]") {
    token_state s(true);
    CHECK_FALSE(s.is_to_be_questioned(0, start));   // there is none
    s.next(start);
    s.fetched("one");
    const auto first = sent(s).number;
    CHECK(s.is_to_be_questioned(first, start));
    CHECK_FALSE(s.is_to_be_questioned(first, start + token_state::question_pause - 1ms));
    CHECK(s.is_to_be_questioned(first, start + token_state::question_pause));
    s.refused(first);
    CHECK_FALSE(s.is_to_be_questioned(first, start + 1h));   // it is gone
    s.next(start);
    s.fetched("two");
    CHECK_FALSE(s.is_to_be_questioned(first, start + 2h));
    s.refused(sent(s).number);
    s.next(start);
    s.not_enabled();
    CHECK_FALSE(s.is_to_be_questioned(sent(s).number, start + 3h));   // none is sent
}
