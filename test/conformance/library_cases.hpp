#pragma once

#include <dynconf/client.hpp>

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace dynconf::test {

/// What the library does on an etcd, whichever it is, when several clients compete.
struct library_case {
    const char* name;
    /// Tells what it saw, without what is chance.
    boost::asio::awaitable<void> (*run)(client c, std::vector<std::string>& seen);
    std::vector<std::string> expected;
};

const std::vector<library_case>& library_cases();

}  // namespace dynconf::test
