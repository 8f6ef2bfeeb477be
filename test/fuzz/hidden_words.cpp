#include "fuzz/target.hpp"

#include "crypto/hide.hpp"

#include <nlohmann/json.hpp>

using namespace dynconf;
using fuzz::promise;

// What a server says of what it was sent: as it is, as JSON, cut off somewhere, among anything else.
FUZZ_TARGET(hidden_words) {
    const std::uint8_t form = in.byte();
    const std::string secret(in.text(in.byte()));
    const std::string front(in.text(in.byte())), back(in.rest());
    // The mask's own bytes, and those of a cut, would have to be told from the secret's.
    if (secret.size() < 4 || secret.find_first_of("*.") != std::string::npos) return;

    const std::string as_json = nlohmann::json(secret).dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
    const bool is_text = nlohmann::json::accept(as_json) && nlohmann::json::parse(as_json) == secret;
    // Go and this library have no short forms for control characters.
    const bool plain = std::none_of(secret.begin(), secret.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    const std::string written = form % 2 == 1 && is_text && plain ? as_json.substr(1, as_json.size() - 2) : secret;

    std::string words = front + written + back;
    crypto::hide(words, {secret});
    promise(words.find(written) == std::string::npos, "a secret is left in: " + words);

    for (const char* const cut : {"", "..."}) {
        const std::size_t left = 4 + form % (written.size() - 3);   // of the secret
        std::string shortened = front + written.substr(0, left) + cut;
        crypto::hide(shortened, {secret});
        promise(shortened.find(written.substr(0, left) + cut, front.size()) == std::string::npos, "the part before a cut is left in: " + shortened);
    }

    std::string others = back;
    crypto::hide(others, {"not in it, for sure, as no secret is so long"});
    promise(others.size() <= back.size() + 4, "words out of nothing");
}
