#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace dynconf::policy {

/// How long a message of a stream may take: as long as it likes, but each further part of it, or its end, has to come within
/// `patience`. A stream between two messages may rest for ever.
class message_pace {
public:
    using time_point = std::chrono::steady_clock::time_point;
    /// What has to come within that time. A byte now and then is as good as nothing.
    static constexpr std::size_t part = std::size_t{64} << 10;

    explicit message_pace(std::chrono::milliseconds patience) noexcept : patience_(patience) {}

    /// Something was read: so many messages have ended by now, of the next one `unfinished` bytes are here. Until when it has
    /// to have gone on; none: there is nothing to wait for.
    std::optional<time_point> due(std::size_t ended, std::size_t unfinished, time_point now) noexcept {
        if (unfinished == 0) {
            due_.reset();
        } else if (!due_ || ended != ended_ || unfinished >= seen_ + part) {
            due_ = now + patience_;
            ended_ = ended;
            seen_ = unfinished;
        }
        return due_;
    }

private:
    std::chrono::milliseconds patience_;
    std::optional<time_point> due_;
    std::size_t ended_ = 0;
    std::size_t seen_ = 0;
};

}  // namespace dynconf::policy
