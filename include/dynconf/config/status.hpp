#pragma once

#include <dynconf/config/cache.hpp>
#include <dynconf/config/rejection.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf {

/// How the current snapshot relates to etcd.
enum class config_state : std::uint8_t {
    stopped,    ///< Not started, or stopped: the last snapshot stays readable through `current()`.
    starting,   ///< start() is under way; a copy on disk, or what an earlier start has left, is served meanwhile.
    live,       ///< At most client_options::max_staleness behind etcd, proven; a confirmed watch delivers every change.
    stale,      ///< Loaded from etcd, perhaps before a restart, but not proven to be current since `status::since`.
    local,      ///< Values of the environment and defaults: by choice (local mode), or because etcd was never reached.
};

/// "stopped", "starting", "live", "stale" or "local".
DYNCONF_API std::string_view to_string(config_state state) noexcept;

/// What a manager knows of itself; a plain copy.
struct status {
    config_state state = config_state::stopped;
    std::chrono::steady_clock::time_point since{};   ///< When `state` began.
    dynconf::origin origin = dynconf::origin::none;  ///< Of the current snapshot.
    revision_t revision = 0;                         ///< Of the current snapshot.
    std::uint64_t cluster_id = 0;
    std::string endpoint;                            ///< That serves the watch; empty while none does.
    /// Nothing that etcd executed before this moment is missing; the clock's epoch when nothing was ever proven.
    std::chrono::steady_clock::time_point as_of{};
    /// The state is not `live` any more by then, unless a later proof comes. The epoch: there is no bound, of the source or yet.
    std::chrono::steady_clock::time_point good_until{};
    error cause;                                     ///< Why the state is not live; no code when it is, or is so by choice.
    std::uint64_t updates = 0;                       ///< Snapshots that changed a value.
    std::uint64_t interruptions = 0;                 ///< Times that contact was lost or not established.
    std::uint64_t resyncs = 0;                       ///< Reloads after lost history or a replaced store.
    std::uint64_t repairs = 0;                       ///< Resyncs because the content differed although the watch was silent.
    std::uint64_t rejected = 0;                      ///< Values that the schema refused.
    cache_status cache;                              ///< The copy on disk.

    /// How far the snapshot may be behind etcd: the age of the last proof. Nothing when there was none.
    std::optional<std::chrono::steady_clock::duration> staleness(
        std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now()) const noexcept {
        if (as_of == std::chrono::steady_clock::time_point{}) return std::nullopt;
        return now - as_of;
    }
};

/// What `start()` brought about.
struct start_report {
    config_state state = config_state::starting;
    dynconf::origin origin = dynconf::origin::none;   ///< Where the values come from; `snapshot::info` says it for each.
    revision_t revision = 0;
    std::vector<std::string> missing;            ///< Names without a text in that origin: they have their default, or no value.
    std::vector<std::string> missing_required;   ///< Those of them that are required and have no value.
    std::vector<rejection> rejected;             ///< Values that the schema refused.
    error cause;                                 ///< Why etcd is not followed (yet); no code when it is, or in local mode.
    cache_finding cache;                         ///< What was found on disk.

    /// Following etcd, or local by choice, with every required setting there and nothing refused.
    bool ok() const noexcept { return !cause.code && missing_required.empty() && rejected.empty(); }
};

}  // namespace dynconf
