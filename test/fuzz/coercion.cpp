#include "fuzz/target.hpp"

#include <dynconf/config/coercion.hpp>
#include <dynconf/config/json.hpp>

#include "wire/quote.hpp"

#include <nlohmann/json.hpp>

using namespace dynconf;
using fuzz::promise;

namespace {

void refused_well(const error& e, quoting quote) {
    promise(e == errc::schema_violation, "another error: " + e.message());
    promise(e.detail.find("expected ") != std::string::npos, "it does not say what was expected");
    promise(e.detail.size() <= 400 && wire::is_utf8(e.detail), "words not fit for a log");
    if (quote == quoting::hidden) promise(e.detail.find("got") == std::string::npos, "a secret is quoted: " + e.detail);
}

template <class T>
void coerce(std::string_view text) {
    const auto made = coercion<T>::from(text, quoting::shown);
    const auto hidden = coercion<T>::from(text, quoting::hidden);
    promise(made.has_value() == hidden.has_value(), "what may be quoted decides what is accepted");
    if (!made) {
        refused_well(made.error(), quoting::shown);
        refused_well(hidden.error(), quoting::hidden);
        return;
    }
    const value kept(*made);
    const auto again = coercion<T>::from(kept.to_text());
    promise(again.has_value(), "its own text is refused: " + kept.to_text());
    promise(value(*again) == kept, "its own text is another value: " + kept.to_text());
    const auto read = kept.get<T>();
    promise(read.has_value() && value(*read) == kept, "it cannot be taken out again");
    promise(nlohmann::json::accept(kept.to_json_text()), "no JSON: " + kept.to_json_text());
}

}  // namespace

FUZZ_TARGET(coercion) {
    using namespace std::chrono;
    const unsigned which = in.byte();
    const std::string_view text = in.rest();
    switch (which % 16) {
        case 0: return coerce<bool>(text);
        case 1: return coerce<std::int8_t>(text);
        case 2: return coerce<std::uint16_t>(text);
        case 3: return coerce<std::int32_t>(text);
        case 4: return coerce<std::int64_t>(text);
        case 5: return coerce<std::uint64_t>(text);
        case 6: return coerce<float>(text);
        case 7: return coerce<double>(text);
        case 8: return coerce<std::string>(text);
        case 9: return coerce<std::vector<std::string>>(text);
        case 10: return coerce<nanoseconds>(text);
        case 11: return coerce<milliseconds>(text);
        case 12: return coerce<seconds>(text);
        case 13: return coerce<hours>(text);
        case 14: return coerce<std::optional<std::int32_t>>(text);
        default: return coerce<nlohmann::json>(text);
    }
}
