#include "fuzz/target.hpp"

#include <dynconf/endpoint.hpp>

using namespace dynconf;
using fuzz::promise;

namespace {

// What goes into a header or a log line as it is.
void is_clean(const std::string& text) {
    promise(std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }),
            "a control character in an endpoint: " + text);
}

void comes_back(const endpoint& e) {
    promise(!e.host().empty(), "no host");
    promise((e.port() == 0) == (e.kind() == endpoint::scheme::unix_socket), "no port");
    is_clean(e.authority());
    is_clean(e.to_string());
    const auto again = endpoint::parse(e.to_string());
    promise(again && *again == e, "does not come back: " + e.to_string());
}

void refused_well(const error& e) {
    promise(e == errc::invalid_endpoint, "another error: " + e.message());
    promise(e.detail.size() <= 400, "too much is quoted");
    is_clean(e.detail);
    fuzz::keeps_secret(e.message());
}

}  // namespace

FUZZ_TARGET(endpoint) {
    const std::size_t size = in.byte();
    const std::string_view front = in.text(size), text = in.rest();
    if ((std::string(front) + std::string(text)).find(fuzz::canary) != std::string::npos) return;   // which is not where a password is
    for (const std::string& one : {std::string(text), std::string(front) + std::string(fuzz::canary) + "@" + std::string(text)}) {
        if (const auto parsed = endpoint::parse(one)) comes_back(*parsed);
        else refused_well(parsed.error());
        if (const auto list = endpoint::parse_list(one)) {
            promise(!list->empty(), "a list of nothing");
            for (const endpoint& e : *list) comes_back(e);
        } else {
            refused_well(list.error());
        }
    }
}
