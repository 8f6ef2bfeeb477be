#pragma once

#include <dynconf/types.hpp>

#include "etcd/client_core.hpp"

#include <chrono>
#include <optional>

namespace dynconf::etcd {

/// A read that may not take long: until `due` at most; with an endpoint, at that one and without a repetition.
struct brief {
    std::optional<std::size_t> endpoint;
    std::chrono::steady_clock::time_point due;
};

inline std::optional<brief> limits_of(const std::optional<std::chrono::steady_clock::time_point>& due) {
    if (!due) return std::nullopt;
    return brief{std::nullopt, *due};
}

/// See call::background.
enum class asked_by : bool { caller, library };

/// All of a range in pages at one revision: `options.revision`, or the one of the first page. That is the header's.
asio::awaitable<result<range_response>> range_pages(client_core& core, key_range keys, range_options options,
                                                    std::optional<brief> limits = std::nullopt, asked_by who = asked_by::caller);

/// One request.
asio::awaitable<result<range_response>> range_once(client_core& core, const key_range& keys, const range_options& options,
                                                   std::optional<brief> limits = std::nullopt, asked_by who = asked_by::caller);

/// A look: how many keys there are, and one of those that changed after `revision`.
inline range_options changed_after(revision_t revision) noexcept {
    range_options o;
    o.keys_only = true;
    o.min_mod_revision = revision + 1;
    o.limit = 1;
    return o;
}

}  // namespace dynconf::etcd
