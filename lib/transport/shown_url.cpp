#include "transport/shown_url.hpp"

#include "wire/quote.hpp"

#include <algorithm>

namespace dynconf::transport {

std::string shown_url(std::string_view url) {
    constexpr std::string_view left_out = "...";
    const auto at = url.rfind('@');
    std::size_t user = 0;   // where it begins
    for (const std::string_view scheme : {"http://", "https://", "unix://"})
        if (url.starts_with(scheme) && (at == std::string_view::npos || scheme.size() <= at)) user = scheme.size();
    const auto query = std::min(url.find_first_of("?#"), url.size());
    std::string shown(url.substr(0, user));
    if (at == std::string_view::npos) shown += url.substr(user, query - user);
    else if (at < query) (shown += left_out) += url.substr(at, query - at);
    else shown += left_out;   // it ends nobody knows where
    if (query < url.size() && (at == std::string_view::npos || at < query)) (shown += url[query]) += left_out;
    return wire::quote(shown);
}

}  // namespace dynconf::transport
