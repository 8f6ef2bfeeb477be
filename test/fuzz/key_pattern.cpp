#include "fuzz/target.hpp"

#include <dynconf/search.hpp>

#include <optional>

using namespace dynconf;
using fuzz::promise;

namespace {

/// What docs say of a glob, the slow way: row by row, which beginnings of the key the pattern takes so far.
bool matches_slowly(std::string_view pattern, std::string_view key) {
    std::vector<bool> taken(key.size() + 1);
    taken[0] = true;
    for (std::size_t p = 0; p < pattern.size();) {
        std::vector<bool> next(key.size() + 1);
        if (pattern[p] == '*') {
            ++p;
            bool any = false;
            for (std::size_t k = 0; k <= key.size(); ++k) next[k] = any = any || taken[k];
        } else {
            std::vector<bool> fits(256, pattern[p] == '?');
            const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(pattern[at]); };
            if (pattern[p] == '[') {
                std::size_t at = p + 1;
                const bool negated = pattern[at] == '!';
                if (negated) ++at;
                const std::size_t end = pattern.find(']', at + 1);
                for (; at < end; ++at) {
                    if (at + 2 < end && pattern[at + 1] == '-') {
                        for (unsigned c = byte(at); c <= byte(at + 2); ++c) fits[c] = true;
                        at += 2;
                    } else {
                        fits[byte(at)] = true;
                    }
                }
                if (negated) fits.flip();
                p = end;
            } else if (pattern[p] != '?') {
                if (pattern[p] == '\\' && p + 1 < pattern.size()) ++p;
                fits[byte(p)] = true;
            }
            ++p;
            for (std::size_t k = 0; k < key.size(); ++k) next[k + 1] = taken[k] && fits[static_cast<unsigned char>(key[k])];
        }
        taken = std::move(next);
    }
    return taken.back();
}

template <class Make>
std::optional<key_pattern> made(Make make) {
    try {
        return make();
    } catch (const std::invalid_argument& e) {
        promise(std::string_view(e.what()).starts_with("dynconf: "), e.what());
        return std::nullopt;
    }
}

}  // namespace

// libFuzzer's -timeout is the bound for a key on which a match would take long.
FUZZ_TARGET(key_pattern) {
    const unsigned kind = in.byte();
    const std::string pattern(in.text(in.byte()));
    const std::string_view key = in.rest();
    if (kind % 3 == 0) {
        promise(key_pattern::substring(pattern).matches(key) == (key.find(pattern) != std::string_view::npos), "not a part of the key");
    } else if (kind % 3 == 1) {
        if (const auto p = made([&] { return key_pattern::glob(pattern); }))
            promise(p->matches(key) == matches_slowly(pattern, key), "the glob takes another key");
    } else if (const auto p = made([&] { return key_pattern::regex(pattern); })) {
        try {
            promise(p->matches(key) == p->matches(key), "not always the same");
        } catch (const std::runtime_error&) {   // it cannot tell
        }
    }
}
