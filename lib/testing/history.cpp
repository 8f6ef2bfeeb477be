#include "testing/history.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>

namespace dynconf::testing {

ending ending_of(const error_code& why) {
    if (why == errc::history_lost) return ending::history_lost;
    if (why == boost::asio::error::operation_aborted) return ending::left;
    const bool refused = why == server_errc::permission_denied || why == server_errc::auth_failed || why == errc::invalid_argument;
    return refused ? ending::refused : ending::failed;
}

bool wants(const observer& o, const event& e) {
    if (e.type == event::kind::put ? o.no_put : o.no_delete) return false;
    return std::any_of(o.ranges.begin(), o.ranges.end(), [&](const key_range& r) { return r.contains(e.kv.key); });
}

}  // namespace dynconf::testing
