#include "fuzz/target.hpp"

#include "policy/lease_clock.hpp"
#include "wire/decoder.hpp"

using namespace dynconf;
using fuzz::promise;

// Answers of whatever TTL, at times that only go on.
FUZZ_TARGET(lease) {
    using policy::lease_clock;
    lease_clock::time_point now(std::chrono::hours(1));
    auto clock = lease_clock::unknown(now, std::chrono::seconds(5));
    wire::decoder<wire::lease_keep_alive_response> decoder(wire::decoder<wire::lease_keep_alive_response>::envelope::result);
    while (!in.empty()) {
        const auto sent = now;
        now += std::chrono::milliseconds(50 * in.byte());
        decoder.write(in.line());
        const auto answer = decoder.finish();
        const auto was = clock.lost(now);
        if (answer && answer->ttl > 0) clock.acknowledged(std::chrono::seconds(answer->ttl), sent);
        else if (answer) clock.gone(now);
        else clock.failed(now, in.byte() % 2 == 0);
        promise(clock.try_limit(now) > clock.try_limit(now).zero(), "a try without time");
        promise(was == lease_clock::loss::none || clock.lost(now) == was, "a lost lease comes back, or is lost in another way");
        if (answer && answer->ttl > 0 && clock.lost(now) == lease_clock::loss::none) {
            promise(clock.due() >= sent && clock.due() <= clock.safe_until(), "kept alive too late");
            promise(clock.safe_until() > sent, "it ends before it begins");
        }
        if (answer && answer->ttl > 0 && was == lease_clock::loss::none && clock.lost(now) != lease_clock::loss::none)
            promise(std::chrono::duration<double>(now - sent).count() >= static_cast<double>(answer->ttl) - 1, "lost before its time is up");
        (void)clock.may_come_along(now);
    }
}
