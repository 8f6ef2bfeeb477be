#include "fuzz/target.hpp"

#include "crypto/derivation_record.hpp"

using namespace dynconf;
using fuzz::promise;

FUZZ_TARGET(derivation_record) {
    constexpr unsigned least = 1000, most = 10'000'000;
    const std::string_view text = in.rest();
    const auto parsed = crypto::derivation_record::parse(text, least, most);
    if (!parsed) {
        const error& e = parsed.error();
        promise(e == errc::seal_broken || e == errc::unsupported_seal, "another error: " + e.message());
        promise(!e.detail.empty() && e.detail.size() <= 80, "it quotes: " + e.detail);
        return;
    }
    // Or a record could be made slow: to derive takes a time that is proportional to it.
    promise(parsed->rounds >= least && parsed->rounds <= most, "out of bounds");
    promise(parsed->salt.size() == crypto::derivation_record::salt_size, "a salt of another size");
    promise(parsed->check.size() == crypto::derivation_record::check_size, "a check of another size");
    promise(parsed->text() == text, "two texts for one record: " + std::string(text));
}
