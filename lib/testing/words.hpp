#pragma once

#include "testing/history.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// The words in which a violation is told.

namespace dynconf::testing {

std::string shown(std::string_view bytes);          ///< A key or a value: short, and without control characters.
std::string shown(const key_value& kv);             ///< "a=x (mod 7)"
std::string shown(const std::vector<key_value>& kvs);
std::string shown(const event& e);                  ///< "put a=x" and "delete a"
std::string shown(const std::vector<event>& events);
std::string shown(const key_range& range);
std::string shown(const op& call);
std::string shown(const op_response& answer);

/// Tells of the parts of a history, with moments in seconds since its first one.
class storyteller {
public:
    explicit storyteller(const history& h);

    std::string moment(time_point t) const;
    /// "call 12 of client 3 (1.204 s to 1.210 s): put a=x: executed at revision 7"
    std::string operation(std::size_t i) const;
    /// One line for each, by their revisions or, without one, their moments.
    std::string operations(std::vector<std::size_t> which) const;

private:
    const history& history_;
    time_point origin_;
};

}  // namespace dynconf::testing
