#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace dynconf::policy {

/// What tells two contents of a file apart without a look into it. All zero: there is no such file.
struct file_stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::chrono::nanoseconds modified{};   ///< Since the epoch, as what follows.
    std::chrono::nanoseconds changed{};    ///< Content, name, owner or permissions.

    friend bool operator==(const file_stamp&, const file_stamp&) = default;
};

/// When files that were read have to be read again, and what becomes of what was read. Stamps are taken before the reading,
/// so that what changes meanwhile is seen the next time.
class file_changes {
public:
    using stamps = std::vector<file_stamp>;
    using wall_time = std::chrono::nanoseconds;   ///< Since the epoch.

    /// Two changes this close together may have the same stamp: files that were read sooner after a change are read again.
    static constexpr std::chrono::seconds settle{2};

    enum class verdict : std::uint8_t {
        take,        ///< It is used; the first, or as it was.
        replace,     ///< It is used, which is news.
        keep,        ///< What was read before stays in use, which is news.
        keep_still,  ///< The same, and told before.
        fail,        ///< There is nothing before; read again the next time.
    };

    bool due(const stamps& now_there, wall_time now) const noexcept;
    void reading(stamps now_there, wall_time now);
    verdict read(bool usable) noexcept;

private:
    std::optional<stamps> seen_;   // none: nothing usable was ever read
    wall_time settled_at_{};       // when what was read too soon has to be read again; 0: never
    bool in_use_ = false;
    bool same_ = false;      // read once more, without a change
    bool refused_ = false;   // what was read last
};

}  // namespace dynconf::policy
