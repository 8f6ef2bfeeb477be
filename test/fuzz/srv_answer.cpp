#include "fuzz/target.hpp"

#include "transport/srv_lookup.hpp"

using namespace dynconf;
using fuzz::promise;

FUZZ_TARGET(srv_answer) {
    const std::string_view bytes = in.rest();
    const auto answer = transport::parse_srv_answer({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
    if (!answer) {
        promise(answer.error() == errc::discovery_failed, "another error: " + answer.error().message());
        promise(!answer.error().detail.empty() && answer.error().detail.size() <= 100, "it quotes: " + answer.error().detail);
        return;
    }
    constexpr std::size_t least_record = 11 + 7;   // a name, type, class, TTL, length; the record's own
    promise(answer->size() * least_record <= bytes.size(), "more records than there is room for");
    for (const policy::srv_record& r : *answer) promise(r.target.size() < 1025, "a name longer than names are");
}
