#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// A target is a function that takes any bytes and throws when a promise of the library is broken. It is linked with libFuzzer,
// which makes the bytes up (libfuzzer.cpp), and into a test that replays the kept ones (replay.test.cpp).

namespace dynconf::fuzz {

/// The bytes. What decides something is taken off their front.
class input {
public:
    explicit input(std::string_view bytes) : bytes_(bytes) {}

    bool empty() const noexcept { return bytes_.empty(); }
    /// 0 when none is left.
    std::uint8_t byte() { return empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(text(1)[0]); }
    /// Below 65536.
    std::size_t number() {
        const std::size_t low = byte();
        return low | std::size_t{byte()} << 8;
    }
    /// Fewer when there are fewer.
    std::string_view text(std::size_t size) {
        const std::string_view taken = bytes_.substr(0, size);
        bytes_.remove_prefix(taken.size());
        return taken;
    }
    /// Up to the next line end, which is dropped.
    std::string_view line() {
        const std::string_view taken = text(std::min(bytes_.find('\n'), bytes_.size()));
        text(1);
        return taken;
    }
    std::string_view rest() { return text(bytes_.size()); }

private:
    std::string_view bytes_;
};

struct broken_promise : std::logic_error {
    using logic_error::logic_error;
};

inline void promise(bool kept, const std::string& words) {
    if (!kept) throw broken_promise(words);
}

/// The text in pieces that depend on `how` alone; in one with 0.
inline std::vector<std::string_view> cut(std::string_view text, std::uint8_t how) {
    if (how == 0) return {text};
    std::vector<std::string_view> pieces;
    for (unsigned state = how; !text.empty(); state = state * 1103515245U + 12345U) {
        const std::string_view piece = text.substr(0, 1 + (state >> 16) % (how < 128 ? 7U : 61U));
        pieces.push_back(piece);
        text.remove_prefix(piece.size());
    }
    return pieces;
}

/// Stands in for a secret: no message may hold it. It does not begin as an escape ends.
inline constexpr std::string_view canary = "SECRET-51c7";

inline void keeps_secret(const std::string& words) {
    promise(words.find(canary) == std::string::npos, "a message shows a secret: " + words);
}

struct target {
    std::string name;
    void (*run)(input);
};

/// Of this program.
inline std::vector<target>& targets() {
    static std::vector<target> all;
    return all;
}

struct listed {
    listed(const char* name, void (*run)(input)) { targets().push_back({name, run}); }
};

}  // namespace dynconf::fuzz

/// FUZZ_TARGET(name) { what to do with `in` }
#define FUZZ_TARGET(name)                                              \
    static void fuzz_##name(dynconf::fuzz::input in);                  \
    static const dynconf::fuzz::listed listed_##name{#name, &fuzz_##name}; \
    static void fuzz_##name([[maybe_unused]] dynconf::fuzz::input in)
