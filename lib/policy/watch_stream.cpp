#include "policy/watch_stream.hpp"

#include <utility>

namespace dynconf::policy {

watch_stream::watch_stream(std::vector<watch_cursor> starts) : alive_(starts.size()) {
    watches_.reserve(starts.size());
    for (watch_cursor& start : starts) watches_.push_back({std::move(start)});
}

std::optional<watch_stream::item> watch_stream::on(wire::watch_response message) {
    std::size_t which = static_cast<std::size_t>(message.watch_id);   // -1 is none of ours
    // A refused create has the id -1. The creates are answered in their order, so its place tells which one it was.
    if (message.created) which = answers_++;
    if (which >= watches_.size()) return std::nullopt;
    watch& w = watches_[which];
    if (w.ended) return std::nullopt;

    item out{which, w.cursor.on(std::move(message))};
    const auto* confirmed = std::get_if<watch_cursor::confirmed>(&out.step);
    if (!std::holds_alternative<watch_cursor::nothing>(out.step)) set_behind(w, confirmed && w.cursor.next_revision() <= confirmed->header.revision);
    if (confirmed) w.confirmed = true;
    if (std::holds_alternative<watch_cursor::broken>(out.step) || std::holds_alternative<watch_cursor::history_lost>(out.step)) {
        w.ended = true;
        --alive_;
    }
    return out;
}

void watch_stream::set_behind(watch& w, bool now) noexcept {
    if (w.behind != now) now ? ++behind_ : --behind_;
    w.behind = now;
}

}  // namespace dynconf::policy
