#include "testing/faults.hpp"

namespace dynconf::testing {
namespace {

bool matches(const fault::rule& r, std::string_view path) {
    return r.path.empty() || (r.path.back() == '/' ? path.starts_with(r.path) : path == r.path);
}

}  // namespace

std::optional<fault::action> faults::next(std::string_view path, bool of_events) {
    for (auto it = rules_.begin(); it != rules_.end(); ++it) {
        if (fault::is_of_events(it->what) != of_events || !matches(*it, path)) continue;
        if (it->skip > 0) {
            --it->skip;
            continue;
        }
        if (it->count == 0 || (it->probability < 1 && (!random_ || random_() >= it->probability))) continue;
        ++struck_;
        fault::action what = it->what;
        if (--it->count == 0) rules_.erase(it);
        return what;
    }
    return std::nullopt;
}

}  // namespace dynconf::testing
