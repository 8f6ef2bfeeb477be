#include "policy/provided_keys.hpp"

#include "support/catch.hpp"

using namespace dynconf;
using policy::provided_keys;
using namespace std::chrono_literals;

TEST_CASE("provided keys: each answer is kept as long as it is worth", "[crypto]") {
    const provided_keys::time_point start{1h};
    const sealing_key key = sealing_key::generate();
    provided_keys keys(10);
    CHECK_FALSE(keys.find("a", start));
    keys.on_key("a", key);
    keys.on_absent("b", start);
    keys.on_failure("c", "connection refused", start);

    CHECK(keys.find("a", start)->value() == key);
    CHECK(keys.find("b", start)->error().code == errc::unknown_key_id);
    const error failed = keys.find("c", start)->error();
    CHECK(failed.code == errc::key_unavailable);
    CHECK(failed.message().find("connection refused") != std::string::npos);

    CHECK(keys.find("c", start + 999ms));
    CHECK_FALSE(keys.find("c", start + 1s));
    CHECK(keys.find("b", start + 59s));
    CHECK_FALSE(keys.find("b", start + 60s));
    CHECK(keys.find("a", start + 10'000h));

    keys.on_key("b", key);   // it exists by now
    CHECK(keys.find("b", start)->value() == key);
}

TEST_CASE("provided keys: the last used ones are kept", "[crypto]") {
    const provided_keys::time_point now{1h};
    provided_keys keys(3);
    for (const char* id : {"a", "b", "c"}) keys.on_key(id, sealing_key::generate());
    CHECK(keys.find("a", now));
    keys.on_absent("d", now);
    CHECK(keys.find("a", now));
    CHECK_FALSE(keys.find("b", now));
    CHECK(keys.find("c", now));
    CHECK(keys.find("d", now));
}
