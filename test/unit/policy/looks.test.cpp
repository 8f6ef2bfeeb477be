#include "policy/looks.hpp"

#include "policy/replica.hpp"
#include "support/catch.hpp"

#include <string>

using namespace dynconf;
using policy::look_along;
using policy::look_sharing;

namespace {

using operations = std::vector<std::size_t>;

const error_code denied = server_errc::permission_denied;
const error_code too_many = server_errc::too_many_ops;
const error_code late = errc::deadline_exceeded;

std::string shown(const std::optional<std::vector<std::size_t>>& part) {
    if (!part) return "over";
    std::string all;
    for (const std::size_t i : *part) all += (all.empty() ? "" : " ") + std::to_string(i);
    return all;
}

/// One round in which each transaction is answered: how many looks each had.
std::string sizes(look_sharing& s, std::size_t looks) {
    s.begin(operations(looks, 1));
    std::string all;
    while (const auto part = s.next()) all += (all.empty() ? "" : " ") + std::to_string(part->size());
    s.ended(true);
    return all;
}

/// One round whose first transaction fails so.
void failing_round(look_sharing& s, const error_code& why, bool member_answered = true) {
    s.begin({1});
    if (s.next()) s.failed(why);
    s.ended(member_answered);
}

}  // namespace

TEST_CASE("looks: are shared by sixty-four operations a transaction", "[looks]") {
    look_sharing s;
    CHECK(sizes(s, 0).empty());
    CHECK(sizes(s, 1) == "1");
    CHECK(sizes(s, 64) == "64");
    CHECK(sizes(s, 65) == "64 1");
    CHECK(sizes(s, 500) == "64 64 64 64 64 64 64 52");
}

TEST_CASE("looks: the ranges of one follower stay together, and too many of them are not shared", "[looks]") {
    look_sharing s;
    s.begin({30, 30, 5, 65, 60, 64});
    CHECK(shown(s.next()) == "0 1");
    CHECK(shown(s.next()) == "2");
    CHECK(shown(s.next()) == "4");
    CHECK(shown(s.next()) == "5");
    CHECK(shown(s.next()) == "over");
}

TEST_CASE("looks: a server that allows fewer operations is asked again at once, and never more than that", "[looks]") {
    look_sharing s;
    s.begin(operations(100, 1));
    CHECK(s.next()->size() == 64);
    s.failed(too_many);
    CHECK(s.next()->size() == 32);
    s.failed(too_many);
    CHECK(shown(s.next()) == "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");   // nobody was skipped
    s.ended(true);
    CHECK(sizes(s, 40) == "16 16 8");
    s.begin({3, 3});   // fewer than the limit that was assumed
    CHECK(s.next()->size() == 2);
    s.failed(too_many);
    CHECK(shown(s.next()) == "0");
    s.ended(true);
    CHECK(sizes(s, 7) == "3 3 1");
}

TEST_CASE("looks: a server that allows none is left alone", "[looks]") {
    look_sharing s;
    s.begin({1, 1});
    for (int tries = 0; s.next(); ++tries) {
        REQUIRE(tries < 10);
        s.failed(too_many);
    }
    s.ended(true);
    for (int i = 0; i < 100; ++i) CHECK(sizes(s, 2).empty());
}

TEST_CASE("looks: a denied range spoils its own transaction only, once", "[looks]") {
    look_sharing s;
    s.begin(operations(130, 1));
    CHECK(s.next()->size() == 64);
    s.failed(denied);
    CHECK(s.next()->front() == 64);
    CHECK(s.next()->front() == 128);
    CHECK(shown(s.next()) == "over");
    s.ended(true);
    CHECK(sizes(s, 129) == "64 64 1");
}

TEST_CASE("looks: what else goes wrong ends the round, twice in a row the sharing, for a while", "[looks]") {
    const error_code why = GENERATE(as<error_code>{}, late, denied, errc::malformed_response, errc::gateway_disabled,
                                    server_errc::request_too_large);
    INFO(why.message());
    look_sharing s;
    s.begin(operations(100, 1));
    CHECK(s.next()->size() == 64);
    s.failed(why);
    CHECK(s.next().has_value() == (why == denied));
    s.ended(true);
    CHECK(sizes(s, 1) == "1");   // once is nothing
    failing_round(s, why);
    CHECK(sizes(s, 1) == "1");
    failing_round(s, why);
    failing_round(s, why);
    int rounds = 0;
    while (sizes(s, 1).empty()) REQUIRE(++rounds < 1000);
    CHECK(rounds == 40);
    CHECK(sizes(s, 1) == "1");
}

TEST_CASE("looks: the sharing is not blamed for a member that answers nothing at all", "[looks]") {
    look_sharing s;
    for (int i = 0; i < 10; ++i) failing_round(s, late, false);
    CHECK(sizes(s, 1) == "1");
}

TEST_CASE("looks: go along while the store moves, and a few probes longer", "[looks]") {
    look_along l;
    CHECK_FALSE(l.wanted());
    l.rested();
    CHECK_FALSE(l.wanted());
    l.moved();
    for (int i = 0; i < 7; ++i) {
        l.rested();
        CHECK(l.wanted());
    }
    l.moved();
    for (int i = 0; i < 7; ++i) l.rested();
    CHECK(l.wanted());
    l.rested();
    CHECK_FALSE(l.wanted());
}

TEST_CASE("looks: prove that nothing has changed only by all that they saw", "[looks]") {
    policy::replica r;
    std::vector<key_value> content(2);
    content[0].key = "a";
    content[1].key = "b";
    r.load(content, 5, 1);
    CHECK(r.unchanged({5, false, 2}));
    CHECK_FALSE(r.unchanged({5, true, 2}));
    CHECK_FALSE(r.unchanged({5, false, 1}));   // one was deleted
    CHECK_FALSE(r.unchanged({4, false, 2}));   // it was asked of older content
    r.unchanged_until(9);
    CHECK_FALSE(r.unchanged({5, false, 2}));
    CHECK(r.unchanged({9, false, 2}));
}
