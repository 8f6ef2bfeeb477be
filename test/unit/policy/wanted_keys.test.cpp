#include "policy/wanted_keys.hpp"

#include "support/catch.hpp"

#include <string>

using namespace dynconf;
using policy::wanted_keys;

namespace {

key_ring ring() {
    static const key_ring made("own", sealing_key::generate());
    return made;
}

}  // namespace

TEST_CASE("wanted keys: each id is new once, and open until it is answered", "[crypto]") {
    wanted_keys keys(ring(), 10);
    CHECK(keys.complete());
    CHECK_FALSE(keys.is_new("own"));
    CHECK(keys.is_new("a"));
    keys.ask_for("a");
    keys.ask_for("b");
    CHECK_FALSE(keys.is_new("a"));
    CHECK_FALSE(keys.complete());
    CHECK(keys.why_without("a")->code == errc::key_unavailable);   // so far
    CHECK_FALSE(keys.why_without("never heard of"));

    const sealing_key key = sealing_key::generate();
    keys.on_answer("a", key);
    CHECK(keys.keys().has("a"));
    CHECK(keys.keys().write_id() == "own");
    CHECK_FALSE(keys.why_without("a"));
    keys.on_answer("b", error{errc::unknown_key_id, "b"});
    CHECK(keys.why_without("b")->code == errc::unknown_key_id);
    CHECK(keys.complete());
    CHECK_FALSE(keys.is_new("b"));

    keys.on_answer("b", key);   // too late for this answer
    keys.on_answer("a", error{errc::unknown_key_id, "a"});
    CHECK_FALSE(keys.keys().has("b"));
    CHECK_FALSE(keys.why_without("a"));
    keys.on_answer("c", key);   // at hand before it was asked for
    CHECK(keys.keys().has("c"));
}

TEST_CASE("wanted keys: what the ring does not take is an error of its items", "[crypto]") {
    wanted_keys keys(ring(), 10);
    sealing_key gone = sealing_key::generate();
    const sealing_key taken = std::move(gone);
    keys.ask_for("a");
    keys.on_answer("a", gone);
    keys.on_answer("no id", taken);
    CHECK(keys.complete());
    for (const char* id : {"a", "no id"}) {
        CHECK_FALSE(keys.keys().has(id));
        CHECK(keys.why_without(id)->code == errc::key_unavailable);
    }
}

TEST_CASE("wanted keys: past the bound nobody is asked, and the error says so", "[crypto]") {
    wanted_keys keys(ring(), 2);
    keys.on_answer("at hand", sealing_key::generate());   // does not count
    for (const char* id : {"a", "b", "c"}) keys.ask_for(id);
    CHECK(keys.open() == std::set<std::string>{"a", "b"});
    CHECK_FALSE(keys.is_new("c"));
    CHECK(keys.why_without("c")->code == errc::key_unavailable);
    CHECK(keys.why_without("c")->message().find("more than 2 unknown ids") != std::string::npos);
    keys.on_answer("a", sealing_key::generate());
    keys.ask_for("d");   // also of what comes later
    CHECK_FALSE(keys.open().contains("d"));
}
