#pragma once

#include <dynconf/error.hpp>
#include <dynconf/key_ring.hpp>

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>

namespace dynconf::policy {

/// What a key_provider has answered: the keys, and for a while that there is none. Of `most` ids, the last used ones.
class provided_keys {
public:
    using time_point = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds absent_for{60};   ///< No such key.
    static constexpr std::chrono::seconds failed_for{1};    ///< So that the values of one list do not ask each for itself.

    explicit provided_keys(std::size_t most) : most_(most) {}

    /// The key, or why there is none; nothing: to be asked for.
    std::optional<result<sealing_key>> find(const std::string& id, time_point now);
    void on_key(const std::string& id, sealing_key key);
    void on_absent(const std::string& id, time_point now);
    void on_failure(const std::string& id, const std::string& words, time_point now);

private:
    struct answer {
        std::string id;
        result<sealing_key> what;
        time_point until;
    };
    void keep(answer a);

    std::list<answer> answers_;   // the last used first
    std::size_t most_;
};

}  // namespace dynconf::policy
