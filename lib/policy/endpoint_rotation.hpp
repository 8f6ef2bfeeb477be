#pragma once

#include <cstddef>

namespace dynconf::policy {

/// Which of `count` endpoints to use: the current one until it fails, then the next.
class endpoint_rotation {
public:
    explicit endpoint_rotation(std::size_t count) noexcept : count_(count) {}

    std::size_t current() const noexcept { return current_; }
    /// `index` failed. Ignored when the rotation has already moved on: ten failures of one member are one step.
    void failed(std::size_t index) noexcept {
        if (index == current_) current_ = (current_ + 1) % count_;
    }
    std::size_t count() const noexcept { return count_; }

private:
    std::size_t count_;
    std::size_t current_ = 0;
};

}  // namespace dynconf::policy
