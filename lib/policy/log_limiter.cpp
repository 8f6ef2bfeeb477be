#include "policy/log_limiter.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {
namespace {

bool measures(std::string_view field) { return field == "revision" || field == "pause_ms" || field == "keys"; }

std::string identity(const log_record& record) {
    std::string id(record.event);
    for (const log_field& f : record.fields)
        if (!measures(f.name)) ((id += '\0') += f.name) += '\0' + f.value;
    return id;
}

}  // namespace

std::optional<std::uint64_t> log_limiter::admit(const log_record& record, time_point now) {
    if (record.level < log_level::warning) return 0;
    std::string id = identity(record);
    auto at = faults_.find(id);
    if (at == faults_.end()) {
        make_room();
        at = faults_.emplace(std::move(id), fault{now, now, first_window}).first;
    }
    fault& f = at->second;
    if (now - f.seen >= last_window) f.window = first_window;
    f.seen = now;
    if (now < f.passes) {
        ++f.held;
        return std::nullopt;
    }
    f.passes = now + f.window;
    f.window = std::min(2 * f.window, last_window);
    return std::exchange(f.held, 0);
}

void log_limiter::make_room() {
    if (faults_.size() < most_faults) return;
    faults_.erase(std::min_element(faults_.begin(), faults_.end(),
                                   [](const auto& a, const auto& b) { return a.second.seen < b.second.seen; }));
}

}  // namespace dynconf::policy
