#pragma once

#include <cstddef>
#include <vector>

namespace dynconf::testing {

/// Which members of a cluster are up and in touch with the others, and so whether one of them can lead, and who.
class electorate {
public:
    explicit electorate(std::size_t members) : in_touch_(members, true) {}

    void set_in_touch(std::size_t member, bool is) { in_touch_.at(member) = is; }
    void set_leader(std::size_t member) noexcept {
        leader_ = member;
        led_ = true;
    }
    void set_leaderless() noexcept { led_ = false; }

    bool has_majority() const noexcept;
    /// Nobody leads whom the majority is in touch with.
    bool lacks_leader() const { return !led_ || !in_touch_[leader_]; }
    /// The next one in touch, after who led last.
    std::size_t next_leader() const;

private:
    std::vector<bool> in_touch_;
    std::size_t leader_ = 0;
    bool led_ = true;
};

}  // namespace dynconf::testing
