#pragma once

#include <dynconf/config/cache.hpp>
#include <dynconf/config/rejection.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf {

/// How the current snapshot relates to etcd.
enum class config_state : std::uint8_t {
    stopped,    ///< Not started, or stopped: the last snapshot stays readable through `current()`.
    starting,   ///< Nothing is loaded yet.
    live,       ///< Loaded from etcd, and a confirmed watch delivers every change.
    stale,      ///< Loaded from etcd (origin disk: before a restart), but out of touch since `status::since`: the last good values.
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
    error cause;                                     ///< Why the state is not live; no code when it is, or is so by choice.
    std::uint64_t updates = 0;                       ///< Snapshots that changed a value.
    std::uint64_t interruptions = 0;                 ///< Times that contact was lost or not established.
    std::uint64_t resyncs = 0;                       ///< Reloads after lost history or a replaced store.
    std::uint64_t rejected = 0;                      ///< Values that the schema refused.
    cache_status cache;                              ///< The copy on disk.
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
