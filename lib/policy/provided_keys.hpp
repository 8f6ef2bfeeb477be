#pragma once

#include <dynconf/error.hpp>
#include <dynconf/key_ring.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace dynconf::policy {

/// What a key_provider has answered: of the keys the `most` that were used last, and for a while that there is none. What does
/// not exist takes no place from what does: anybody can make up ids.
class provided_keys {
public:
    using time_point = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds absent_for{60};   ///< No such key.
    static constexpr std::chrono::seconds failed_for{1};    ///< So that the values of one list do not ask each for itself.
    static constexpr std::size_t most_without = 1024;       ///< Ids without a key; those that are kept the longest stay.

    explicit provided_keys(std::size_t most) : most_(most) {}

    /// The key, or why there is none; nothing: to be asked for.
    std::optional<result<sealing_key>> find(const std::string& id, time_point now);

    // What there is to say of an id from now on.
    result<sealing_key> on_key(const std::string& id, sealing_key key);
    result<sealing_key> on_absent(const std::string& id, time_point now);
    result<sealing_key> on_failure(const std::string& id, const std::string& words, time_point now);

private:
    struct given {
        sealing_key key;
        std::uint64_t used;
    };
    struct none {
        error why;
        time_point until;
    };
    result<sealing_key> keep(const std::string& id, none what);

    std::map<std::string, given> given_;
    std::map<std::string, none> without_;
    std::uint64_t uses_ = 0;
    std::size_t most_;
};

}  // namespace dynconf::policy
