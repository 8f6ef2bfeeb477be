#include "policy/provided_keys.hpp"

#include "support/catch.hpp"

#include <string>

using namespace dynconf;
using policy::provided_keys;
using namespace std::chrono_literals;

TEST_CASE("provided keys: each answer is kept as long as it is worth", "[crypto]") {
    const provided_keys::time_point start{1h};
    const sealing_key key = sealing_key::generate();
    provided_keys keys(10);
    CHECK_FALSE(keys.find("a", start));
    CHECK(keys.on_key("a", key).value() == key);
    CHECK(keys.on_absent("b", start).error().code == errc::unknown_key_id);
    CHECK(keys.on_failure("c", "connection refused", start).error().code == errc::key_unavailable);

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
    keys.on_key("d", sealing_key::generate());
    CHECK(keys.find("a", now));
    CHECK_FALSE(keys.find("b", now));
    CHECK(keys.find("c", now));
    CHECK(keys.find("d", now));
}

TEST_CASE("provided keys: ids that somebody has made up take the place of no key", "[crypto]") {
    const provided_keys::time_point now{1h};
    provided_keys keys(1);
    keys.on_key("a", sealing_key::generate());
    keys.on_failure("down", "connection refused", now);
    for (std::size_t i = 0; i < provided_keys::most_without; ++i) keys.on_absent("forged-" + std::to_string(i), now);
    CHECK(keys.find("a", now));
    CHECK_FALSE(keys.find("down", now));   // what counts for the shortest time goes first
    CHECK(keys.find("forged-0", now));
    keys.on_absent("one more", now + 1s);
    CHECK(keys.find("one more", now + 1s));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < provided_keys::most_without; ++i) kept += keys.find("forged-" + std::to_string(i), now) ? 1u : 0u;
    CHECK(kept == provided_keys::most_without - 1);
}
