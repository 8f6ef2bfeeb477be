#include "policy/message_pace.hpp"

#include "support/catch.hpp"

using namespace std::chrono_literals;
using dynconf::policy::message_pace;

TEST_CASE("message_pace: a message that was begun has to go on, by more than a drip", "[watch]") {
    const auto start = message_pace::time_point() + 1h;
    constexpr std::size_t part = message_pace::part;
    message_pace pace(8s);
    struct { std::size_t ended, unfinished; std::chrono::seconds at; std::optional<std::chrono::seconds> due; } const steps[] = {
        {0, 0, 0s, std::nullopt},            // between messages, for however long
        {0, 0, 3600s, std::nullopt},
        {0, 1, 3601s, 3609s},
        {0, 2, 3605s, 3609s},                // a drip moves nothing
        {0, part, 3606s, 3609s},
        {0, part + 1, 3607s, 3615s},         // a part does
        {0, 2 * part, 3608s, 3615s},
        {1, 2 * part + 5, 3609s, 3617s},     // as the end of a message does, whatever is there of the next
        {2, 0, 3610s, std::nullopt},
        {5, 7, 3620s, 3628s},
        {6, 7, 3621s, 3629s},
    };
    for (const auto& s : steps) {
        INFO("at " << s.at.count());
        const auto due = pace.due(s.ended, s.unfinished, start + s.at);
        REQUIRE(due.has_value() == s.due.has_value());
        if (due) CHECK(*due == start + *s.due);
    }
}
