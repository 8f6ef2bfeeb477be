#include "fuzz/target.hpp"

#include "crypto/hide.hpp"
#include "wire/quote.hpp"

#include <nlohmann/json.hpp>

using namespace dynconf;
using fuzz::promise;

namespace {

constexpr std::size_t unlimited = 1'000'000;

/// As JSON; what is no UTF-8 stays as it is.
std::string as_json(const std::string& text, bool only_ascii) {
    if (!wire::is_utf8(text)) return text;
    const std::string quoted = nlohmann::json(text).dump(-1, ' ', only_ascii);
    return quoted.substr(1, quoted.size() - 2);
}

/// In the middle of quoted words.
std::string as_quoted(const std::string& text) {
    const std::string all = wire::quote("|" + text + "|", unlimited);
    return all.substr(1, all.size() - 2);
}

std::string trimmed(const std::string& text) {
    constexpr std::string_view space = " \t\r\n";
    const auto first = text.find_first_not_of(space);
    return first == std::string::npos ? std::string() : text.substr(first, text.find_last_not_of(space) + 1 - first);
}

}  // namespace

// What a server says of what it was sent: as it is, as JSON, quoted, cut off somewhere, among anything else.
FUZZ_TARGET(hidden_words) {
    const std::uint8_t form = in.byte();
    const std::string secret(in.text(in.byte()));
    const std::string front(in.text(in.byte())), back(in.rest());
    // The mask's own bytes, and those of a cut, would have to be told from the secret's.
    if (secret.size() < 4 || secret.find_first_of("*.") != std::string::npos) return;

    const bool quoted = form / 4 % 2 == 1;
    const auto written = [form](const std::string& text) { return form % 2 == 0 ? text : as_json(text, form / 2 % 2 == 1); };
    const auto shown = [quoted](const std::string& text) { return quoted ? as_quoted(text) : text; };
    const std::string all = front + written(secret) + back;

    std::string words = quoted ? wire::quote(all, unlimited) : all;
    crypto::hide(words, {secret});
    const std::string whole = shown(written(secret)), core = trimmed(secret);
    promise(words.find(whole) == std::string::npos, "a secret is left in: " + words);
    promise(core.size() < 4 || words.find(shown(written(core))) == std::string::npos, "a secret without its blanks is left in: " + words);

    for (const char* const cut : {"", "..."}) {
        const std::string left = whole.substr(0, 4 + form % (whole.size() - 3)) + cut;
        std::string shortened = shown(front) + left;
        crypto::hide(shortened, {secret});
        promise(!shortened.ends_with(left), "the part before a cut is left in: " + shortened);
    }

    std::string others = back;
    crypto::hide(others, {"not in it, for sure, as no secret is so long"});
    promise(others.size() <= back.size() + 4, "words out of nothing");
}
