#include "policy/event_log.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace dynconf;
using namespace std::chrono_literals;
using policy::log_limiter;

namespace {

const log_limiter::time_point start = log_limiter::time_point() + 1h;

log_record fault(std::string cause, std::string pause = "250") {
    return {log_level::warning, "watch_interrupted", cause, {{"cause", cause}, {"pause_ms", std::move(pause)}}, 0};
}

}  // namespace

TEST_CASE("log limiter: the first of a fault passes, then one a growing window, with the count of the others", "[policy][log]") {
    log_limiter limiter;
    std::vector<std::pair<int, std::uint64_t>> passed;   // second, held back before
    for (int second = 0; second <= 300; ++second)
        for (int tenth = 0; tenth < 10; ++tenth)
            if (const auto held = limiter.admit(fault("refused"), start + second * 1s + tenth * 100ms)) passed.emplace_back(second, *held);
    CHECK(passed == std::vector<std::pair<int, std::uint64_t>>{
        {0, 0}, {1, 9}, {3, 19}, {7, 39}, {15, 79}, {31, 159}, {63, 319}, {123, 599}, {183, 599}, {243, 599}});
}

TEST_CASE("log limiter: another cause passes at once, another measure does not", "[policy][log]") {
    log_limiter limiter;
    CHECK(limiter.admit(fault("refused"), start) == 0u);
    CHECK(limiter.admit(fault("reset"), start) == 0u);
    CHECK_FALSE(limiter.admit(fault("refused", "500"), start + 10ms));
    CHECK_FALSE(limiter.admit(fault("reset", "1000"), start + 20ms));
    CHECK(limiter.admit(fault("refused"), start + 1s) == 1u);
}

TEST_CASE("log limiter: a recovery passes at once, however often", "[policy][log]") {
    log_limiter limiter;
    const log_record recovered{log_level::info, "loaded", "3 keys", {{"keys", "3"}}, 0};
    for (int i = 0; i < 5; ++i) {
        limiter.admit(fault("refused"), start);
        CHECK(limiter.admit(recovered, start) == 0u);
    }
}

TEST_CASE("log limiter: a fault that was quiet for long is new, and still tells what was held back", "[policy][log]") {
    log_limiter limiter;
    for (int i = 0; i < 4; ++i) limiter.admit(fault("refused"), start);
    CHECK(limiter.admit(fault("refused"), start + 61s) == 3u);
    CHECK_FALSE(limiter.admit(fault("refused"), start + 61s + 999ms));
    CHECK(limiter.admit(fault("refused"), start + 62s) == 1u);   // the window is the first one again
}

TEST_CASE("log limiter: ever new faults do not grow it without bound, nor are they held back", "[policy][log]") {
    log_limiter limiter;
    for (int i = 0; i < 10'000; ++i) REQUIRE(limiter.admit(fault(std::to_string(i)), start + i * 1ms) == 0u);
    CHECK_FALSE(limiter.admit(fault("9999"), start + 10s));
    CHECK(limiter.admit(fault("0"), start + 10s) == 0u);   // forgotten
}

TEST_CASE("event log: hands on what the limiter admits, whole", "[policy][log]") {
    std::vector<log_record> heard;
    policy::event_log log([&](const log_record& r) { heard.push_back(r); });
    for (int i = 0; i < 3; ++i)
        log.write(log_level::error, "load_failed", "refused", {{"cause", "refused"}, {"pause_ms", std::to_string(i)}}, start);
    log.write(log_level::error, "load_failed", "refused", {{"cause", "refused"}, {"pause_ms", "9"}}, start + 1s);
    REQUIRE(heard.size() == 2);
    CHECK(heard[0].event == "load_failed");
    CHECK(heard[0].repeated == 0);
    CHECK(heard[1].text == "refused");
    REQUIRE(heard[1].fields.size() == 2);
    CHECK(heard[1].fields[1].name == "pause_ms");
    CHECK(heard[1].fields[1].value == "9");
    CHECK(heard[1].repeated == 2);

    policy::event_log nobody{log_sink()};
    nobody.write(log_level::error, "load_failed", "refused", {}, start);
}

TEST_CASE("log limiter: numbers that measure make no other fault, all else does", "[policy][log]") {
    const auto of = [](std::string field, std::string value) {
        return log_record{log_level::warning, "resync", "again", {{std::move(field), std::move(value)}}, 0};
    };
    for (const char* measure : {"revision", "pause_ms", "keys"}) {
        log_limiter limiter;
        CHECK(limiter.admit(of(measure, "1"), start) == 0u);
        CHECK_FALSE(limiter.admit(of(measure, "2"), start + 1ms));
    }
    log_limiter limiter;
    CHECK(limiter.admit(of("endpoint", "1"), start) == 0u);
    CHECK(limiter.admit(of("endpoint", "2"), start + 1ms) == 0u);
}
