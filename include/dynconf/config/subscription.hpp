#pragma once

#include <dynconf/detail/export.hpp>

#include <memory>

namespace dynconf {

/// Keeps a callback registered; destroying or cancelling it ends that. May outlive the manager. When another thread
/// cancels, one call may still be under way; a callback that cancels its own subscription is not called again.
class DYNCONF_API subscription {
public:
    /// What the holder of the callback looks at before each call.
    struct registration {
        virtual ~registration() = default;
        virtual void cancel() noexcept = 0;
    };

    subscription() noexcept = default;
    explicit subscription(std::shared_ptr<registration> r) noexcept : registration_(std::move(r)) {}
    subscription(subscription&&) noexcept = default;
    subscription& operator=(subscription&& other) noexcept;
    ~subscription() { cancel(); }

    void cancel() noexcept;
    explicit operator bool() const noexcept { return registration_ != nullptr; }

private:
    std::shared_ptr<registration> registration_;
};

}  // namespace dynconf
