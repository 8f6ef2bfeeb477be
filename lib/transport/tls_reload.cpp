#include "transport/tls_reload.hpp"

#include "transport/clock.hpp"
#include "transport/tls_files.hpp"

#include <utility>

namespace dynconf::transport {

result<std::shared_ptr<tls_context>> tls_reload::current() {
    using verdict = policy::file_changes::verdict;
    auto there = stamps_of(options_);
    const policy::file_changes::wall_time now = std::chrono::system_clock::now().time_since_epoch();
    if (!changes_.due(there, now)) return last_;
    changes_.reading(std::move(there), now);
    auto made = tls_context::make(options_);
    switch (changes_.read(made.has_value())) {
    case verdict::fail: return made.error();
    case verdict::keep: {
        const std::string why = made.error().message();
        log_.write(log_level::warning, "tls_files_refused", "what was read before stays in use: " + why, {{"cause", why}}, clock::now());
        return last_;
    }
    case verdict::keep_still: return last_;
    case verdict::replace:
        log_.write(log_level::info, "tls_files_read", "new connections use what the changed files hold", {}, clock::now());
        break;
    case verdict::take: break;
    }
    return last_ = std::move(*made);
}

}  // namespace dynconf::transport
