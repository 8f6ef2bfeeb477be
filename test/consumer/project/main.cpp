// A program of somebody else's: sees only what is installed, links only what dynconf offers.

#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <iostream>

int main() {
    const auto keys = dynconf::key_range::prefix("/app/");
    const dynconf::error missing{dynconf::errc::required_missing, "db_port"};
    std::cout << missing.message() << '\n';
    return keys.contains("/app/Database/Port") && !keys.contains("/apq") && missing == dynconf::errc::required_missing ? 0 : 1;
}
