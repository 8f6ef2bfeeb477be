#include "policy/watch_stream.hpp"

#include <utility>

namespace dynconf::policy {

watch_stream::watch_stream(const std::vector<revision_t>& starts) : alive_(starts.size()) {
    watches_.reserve(starts.size());
    for (const revision_t start : starts) watches_.push_back({watch_cursor(start)});
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
    set_behind(w, confirmed && w.cursor.next_revision() <= confirmed->header.revision);
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
