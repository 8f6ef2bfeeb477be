#pragma once

#include <memory>

namespace dynconf::transport {

/// The places for threads of one purpose, those included that nobody waits for any more: a disk that hangs must not take one
/// more each time. One strand.
class thread_places {
public:
    /// Taken as long as it is held, by whatever thread; null when `most` are.
    std::shared_ptr<const void> take(long most) {
        auto all = taken_.lock();
        if (all.use_count() - 1 >= most) return nullptr;
        if (!all) all = std::make_shared<const char>();
        taken_ = all;
        return all;
    }

private:
    std::weak_ptr<const void> taken_;
};

}  // namespace dynconf::transport
