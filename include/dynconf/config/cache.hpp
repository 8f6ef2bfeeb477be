#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/error.hpp>
#include <dynconf/key_ring.hpp>
#include <dynconf/types.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace dynconf {

/// The last good content on disk: what a start serves while etcd is away, and where it goes on from when etcd is there, so
/// that only what changed since is transferred. It holds every key of the schema's ranges, secrets too, as the manager sees
/// them: in plain text unless `seal` is set, also where etcd has them sealed. Readable by its owner alone; in memory it costs
/// one more copy of them.
struct cache_options {
    /// The file; empty: none is kept. Its directory has to exist; a relative path is below the directory that is current
    /// when the manager is constructed. Beside it stand the generation before (".previous"), an empty file that a writer
    /// locks (".lock") and, for a moment, the next one (".new"). One path for one manager; two that share it all the same
    /// write one after the other.
    std::filesystem::path path;
    /// A copy that was confirmed by etcd longer ago than this is not used. Zero: any is. While etcd confirms the content, the
    /// copy is renewed each hour, or each eighth of this where that is sooner, but not more often than `write_every` allows.
    std::chrono::seconds max_age{7 * 24 * 3600};
    /// At most one write in this time, each a second after the first change it takes along, and a last one by `stop()`.
    /// That nothing has changed up to a later revision of etcd is written every ten minutes, and by `stop()`.
    std::chrono::milliseconds write_every{30'000};
    /// Seals the file as a whole with the key that the ring writes with, and takes no other than one that a key of the ring has
    /// sealed: it cannot be read or made up without a key. What it does not prevent is an older copy in its place. A copy in the
    /// clear is not used any more, and replaced. None: in the clear.
    std::optional<key_ring> seal;
};

/// What became of one file at start.
enum class cache_verdict : std::uint8_t {
    not_read,         ///< No need to look: no cache, local mode, etcd's content still in memory, or the newer one is usable.
    usable,
    missing,          ///< There is none.
    unreadable,       ///< The system refused, or did not answer in time; no regular file.
    not_private,      ///< Owned by somebody else, or open to others than its owner.
    damaged,          ///< Cut off or altered.
    unknown_format,   ///< Written by a version of dynconf that this one does not understand.
    other_ranges,     ///< The content of other keys: another root, another schema.
    too_old,          ///< Past `cache_options::max_age`.
    not_opened,       ///< Sealed, with a key that the ring does not have, or altered; or there is no ring.
    not_sealed,       ///< In the clear, where `cache_options::seal` asks for a sealed one.
};

/// "not read", "usable", "missing", "unreadable", "not private", "damaged", "unknown format", "other ranges", "too old", "not opened" or
/// "not sealed".
DYNCONF_API std::string_view to_string(cache_verdict verdict) noexcept;

/// What a start found on disk.
struct cache_finding {
    cache_verdict current = cache_verdict::not_read;
    cache_verdict previous = cache_verdict::not_read;   ///< The generation before, looked at when `current` is not usable.
    revision_t revision = 0;        ///< At which the copy that is used was etcd's content; 0: none is.
    std::uint64_t cluster_id = 0;
    /// When etcd last confirmed that copy, by the clock of the machine.
    std::chrono::system_clock::time_point as_of{};
    /// `as_of` lies in the future: the clock was set back, and the age of the copy is not known. It is used all the same.
    bool clock_went_back = false;
    error cause;                    ///< Why nothing is used, when a file was there; holds no value.

    bool used() const noexcept { return revision != 0; }
};

/// What a manager knows of its copy on disk.
struct cache_status {
    cache_finding found;            ///< By the last start().
    std::uint64_t writes = 0;       ///< That succeeded.
    std::uint64_t failures = 0;
    revision_t revision = 0;        ///< Of the last successful write; 0 before it.
    std::chrono::system_clock::time_point written{};   ///< Its time.
    error last_error;               ///< Of the last write, if it failed; holds no value.
    std::chrono::system_clock::time_point failed{};    ///< The time of the last failure.
};

}  // namespace dynconf
