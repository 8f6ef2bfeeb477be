#pragma once

#include <dynconf/config/subscription.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace dynconf::detail {

/// The callbacks of one kind. Added and cancelled from any thread, called from one.
template <class... Args>
class callbacks {
public:
    using callback = std::function<void(Args...)>;

    subscription add(callback f) {
        auto made = std::make_shared<registered>(std::move(f));
        const std::lock_guard lock(mutex_);
        std::erase_if(all_, [](const auto& r) { return r->cancelled(); });
        all_.push_back(made);
        return subscription(std::move(made));
    }

    /// Calls all of them, outside the lock; `failed(std::exception_ptr)`, which must not throw, for one that throws.
    template <class Failed>
    void call(Failed failed, Args... args) {
        for (const auto& r : now()) {
            try {
                r->call(args...);
            } catch (...) {
                failed(std::current_exception());
            }
        }
    }

    /// Ends all of them: none begins after this.
    void clear() noexcept {
        std::vector<std::shared_ptr<registered>> ended;
        {
            const std::lock_guard lock(mutex_);
            ended.swap(all_);
        }
        for (const auto& r : ended) r->cancel();
    }

private:
    class registered final : public subscription::registration {
    public:
        explicit registered(callback f) : f_(std::make_shared<callback>(std::move(f))) {}

        void cancel() noexcept override {
            std::shared_ptr<callback> ended;   // what it captured is destroyed outside the lock
            const std::lock_guard lock(mutex_);
            ended.swap(f_);
        }
        bool cancelled() const {
            const std::lock_guard lock(mutex_);
            return !f_;
        }
        void call(Args... args) const {
            std::shared_ptr<callback> f;
            {
                const std::lock_guard lock(mutex_);
                f = f_;
            }
            if (f) (*f)(args...);
        }

    private:
        mutable std::mutex mutex_;
        std::shared_ptr<callback> f_;
    };

    std::vector<std::shared_ptr<registered>> now() const {
        const std::lock_guard lock(mutex_);
        return all_;
    }

    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<registered>> all_;
};

}  // namespace dynconf::detail
