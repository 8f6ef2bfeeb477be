#include "policy/credential_state.hpp"

#include "support/catch.hpp"

using namespace dynconf;
using policy::credential_state;
using ask = credential_state::ask;
using use = credential_state::use;
using give_up = credential_state::give_up;

namespace {

const error refusal{server_errc::auth_failed, "no"};

credentials old_ones() { return {"svc", "old"}; }
credentials new_ones() { return {"svc", "new"}; }

/// "ask", "use PASSWORD", or "give up: WHY".
std::string words(const credential_state::step& s) {
    if (const auto* u = std::get_if<use>(&s)) return "use " + std::string(u->who.password.reveal());
    if (const auto* g = std::get_if<give_up>(&s)) return "give up: " + g->why.detail;
    return "ask";
}

/// After a flight that logged in with the old ones.
credential_state in_use() {
    credential_state s;
    s.begin();
    s.given(old_ones());
    s.accepted();
    return s;
}

}  // namespace

TEST_CASE("credentials: fixed ones are used each time, and never asked for", "[policy]") {
    credential_state s(old_ones());
    for (int flight = 0; flight < 3; ++flight) {
        CHECK(words(s.begin()) == "use old");
        CHECK(words(s.refused(refusal)) == "give up: no");
    }
    REQUIRE(s.known());
    CHECK(s.known()->username == "svc");
}

TEST_CASE("credentials: what works is not asked for again", "[policy]") {
    credential_state s;
    CHECK_FALSE(s.known());
    CHECK(words(s.begin()) == "ask");
    CHECK(words(s.given(old_ones())) == "use old");
    s.accepted();
    CHECK(words(s.begin()) == "use old");   // a token that expired
}

TEST_CASE("credentials: a refusal asks once, and uses what is new in the same flight", "[policy]") {
    credential_state s = in_use();
    CHECK(words(s.begin()) == "use old");
    CHECK(words(s.refused(refusal)) == "ask");
    CHECK(words(s.given(new_ones())) == "use new");
    SECTION("which works") {
        s.accepted();
        CHECK(words(s.begin()) == "use new");
    }
    SECTION("which is refused as well") {
        CHECK(words(s.refused(refusal)) == "give up: no");
        CHECK(words(s.begin()) == "ask");
    }
}

TEST_CASE("credentials: the same ones again are not tried twice in a flight, but in the next", "[policy]") {
    credential_state s = in_use();
    s.begin();
    CHECK(words(s.refused(refusal)) == "ask");
    CHECK(words(s.given(old_ones())) == "give up: no");
    CHECK(words(s.begin()) == "ask");
    CHECK(words(s.given(old_ones())) == "use old");   // etcd may have been behind
    s.accepted();
    CHECK(words(s.begin()) == "use old");
}

TEST_CASE("credentials: a password asked for in this flight is not asked for again", "[policy]") {
    credential_state s;
    s.begin();
    s.given(old_ones());
    CHECK(words(s.refused(refusal)) == "give up: no");
}

TEST_CASE("credentials: whoever does not give any ends the flight, and is asked in the next", "[policy]") {
    const error silent{errc::credentials_unavailable, "vault is sealed"};
    SECTION("at first") {
        credential_state s;
        s.begin();
        CHECK(words(s.not_given(silent)) == "give up: vault is sealed");
        CHECK(words(s.begin()) == "ask");
    }
    SECTION("after a refusal, which is told") {
        credential_state s = in_use();
        s.begin();
        s.refused(refusal);
        CHECK(words(s.not_given(silent)).starts_with("give up: vault is sealed; asked because: no"));
        CHECK(words(s.begin()) == "ask");
    }
    SECTION("or no name") {
        credential_state s;
        s.begin();
        const auto step = s.given({"", "x"});
        REQUIRE(std::holds_alternative<give_up>(step));
        CHECK(std::get<give_up>(step).why.code == errc::credentials_unavailable);
        CHECK_FALSE(s.known());
    }
}

TEST_CASE("credentials: a flight that ends in another way leaves them as they were", "[policy]") {
    credential_state s = in_use();
    s.begin();   // no answer from etcd
    CHECK(words(s.begin()) == "use old");
}

TEST_CASE("credentials: the same password of another user is another try", "[policy]") {
    credential_state s = in_use();
    s.begin();
    CHECK(words(s.refused(refusal)) == "ask");
    const auto next = s.given({"other", "old"});
    REQUIRE(std::holds_alternative<use>(next));
    CHECK(std::get<use>(next).who.username == "other");
}

TEST_CASE("credentials: who gives none after a refusal tells of both, also without words", "[policy]") {
    for (const std::string& silent : {std::string(), std::string("vault is sealed")}) {
        credential_state s = in_use();
        s.begin();
        s.refused(refusal);
        CHECK(words(s.not_given({errc::credentials_unavailable, silent}))
              == "give up: " + (silent.empty() ? "" : silent + "; ") + "asked because: " + refusal.message());
    }
}
