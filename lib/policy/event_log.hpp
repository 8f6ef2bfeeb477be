#pragma once

#include "policy/log_limiter.hpp"

#include <chrono>
#include <initializer_list>
#include <utility>

namespace dynconf::policy {

/// A log sink behind a limiter: the one way by which records leave. To be used from one strand.
class event_log {
public:
    explicit event_log(log_sink sink) : sink_(std::move(sink)) {}

    /// False: what is written is lost.
    bool is_heard() const noexcept { return static_cast<bool>(sink_); }

    void write(log_level level, std::string_view event, std::string text, std::initializer_list<log_field> fields,
               log_limiter::time_point now) {
        if (!sink_) return;
        log_record record{level, event, std::move(text), fields};
        const auto held = limiter_.admit(record, now);
        if (!held) return;
        record.repeated = *held;
        sink_(record);
    }

private:
    log_sink sink_;
    log_limiter limiter_;
};

}  // namespace dynconf::policy
