#include "fuzz/target.hpp"

#include "wire/classify.hpp"
#include "wire/quote.hpp"

using namespace dynconf;
using fuzz::promise;

namespace {

void fit_for_a_log(const error& e) {
    promise(e.code.failed(), "no error");
    promise(!e.message().empty(), "no words");
    promise(e.detail.size() <= 400, "more than the start is quoted");
    promise(wire::is_utf8(e.detail), "broken UTF-8 is quoted");
    promise(std::none_of(e.detail.begin(), e.detail.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }),
            "control characters are quoted");
}

}  // namespace

FUZZ_TARGET(error_classifier) {
    constexpr unsigned statuses[] = {200, 400, 401, 403, 404, 405, 412, 421, 429, 431, 500, 501, 502, 503, 504, 0, 999};
    const unsigned which = in.byte();
    const std::string_view words = in.rest();
    fit_for_a_log(wire::classify(statuses[which % std::size(statuses)], words));
    fit_for_a_log(wire::classify(wire::server_fault{static_cast<int>(which) - 3, std::string(words)}));
    fit_for_a_log(wire::classify_cancel(words, 0));
    fit_for_a_log(wire::classify_cancel(words, static_cast<revision_t>(which)));
}
