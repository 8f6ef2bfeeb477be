#pragma once

#include "config/cache_format.hpp"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace dynconf::test {

inline detail::kept_key_ptr kept(std::string key, std::optional<detail::kept_key::text> now,
                                 std::optional<detail::kept_key::text> last_good = std::nullopt) {
    detail::kept_key k;
    k.key = std::move(key);
    k.now = std::move(now);
    k.refused = last_good.has_value();
    k.last_good = std::move(last_good);
    return std::make_shared<const detail::kept_key>(std::move(k));
}

/// With every shape that a key can have.
inline detail::cache_copy small_copy(revision_t revision = 42) {
    using text = detail::kept_key::text;
    detail::cache_copy c;
    c.content.revision = revision;
    c.content.cluster_id = 0xfedcba9876543210u;
    c.content.keys = {kept("/app/plain", text{"value", 3}), kept("/app/empty", text{"", 4}),
        kept(std::string("/app/\0\xff", 7), text{std::string("\0\x80\n", 3), 5}),
        kept("/app/refused", text{"bad", 41}, text{"good", 6}), kept("/app/deleted", std::nullopt, text{"last", 7}),
        kept("/app/old", text{"huge", std::numeric_limits<revision_t>::max()})};
    c.ranges = {key_range::prefix("/app/"), key_range::key("/shared"), key_range::from("x"), key_range::all()};
    c.as_of = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'123));
    return c;
}

inline bool same(const detail::cache_copy& a, const detail::cache_copy& b) {
    if (a.content.revision != b.content.revision || a.content.cluster_id != b.content.cluster_id) return false;
    if (a.ranges != b.ranges || a.as_of != b.as_of || a.content.keys.size() != b.content.keys.size()) return false;
    for (std::size_t i = 0; i < a.content.keys.size(); ++i)
        if (!(*a.content.keys[i] == *b.content.keys[i])) return false;
    return true;
}

}  // namespace dynconf::test
