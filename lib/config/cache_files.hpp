#pragma once

#include <dynconf/config/cache.hpp>
#include <dynconf/error.hpp>
#include <dynconf/key_ring.hpp>

#include "config/cache_format.hpp"
#include "policy/cache_choice.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

namespace dynconf::detail {

/// What is done to a copy's files, in blocking calls: not for a strand. Safe from several threads and processes at once.
class cache_files {
public:
    /// Asked before each step of a write, with its name; a code other than success makes the step fail. For tests.
    using step_hook = std::function<error_code(std::string_view step)>;

    /// With a ring only sealed copies are taken. `patience` is how long a write waits for another one, of any process.
    explicit cache_files(std::filesystem::path path, step_hook before_step = {}, std::optional<key_ring> ring = std::nullopt,
                         std::chrono::milliseconds patience = std::chrono::seconds(10));

    const std::filesystem::path& current() const noexcept { return current_; }
    const std::filesystem::path& previous() const noexcept { return previous_; }
    const std::optional<key_ring>& ring() const noexcept { return ring_; }

    struct reading {
        cache_verdict verdict = cache_verdict::missing;
        error why;
        cache_copy copy;   ///< When usable.
    };
    /// The newest usable generation, and what was found. `found.revision` is 0 when there is none.
    struct choice {
        cache_finding found;
        cache_copy copy;
    };
    /// Told true each time that the disk is asked, false when what follows needs none.
    using disk_hook = std::function<void(bool asked)>;
    choice read(const policy::cache_demands& want, const disk_hook& on_disk = {}) const;

    /// Replaces the current generation; it becomes the previous one when `rotate`. Killed at any moment, a whole
    /// generation is there: the one of before or the new one. With a ring, a previous generation in the clear is removed.
    result<void> write(std::span<const std::uint8_t> bytes, bool rotate) const;

private:
    reading read_one(const std::filesystem::path& path, const disk_hook& on_disk) const;
    bool previous_is_clear() const;
    result<int> lock() const;

    std::filesystem::path current_;
    std::filesystem::path previous_;
    std::filesystem::path next_;
    std::filesystem::path lock_;
    step_hook before_step_;
    std::optional<key_ring> ring_;
    std::chrono::milliseconds patience_;
};

}  // namespace dynconf::detail
