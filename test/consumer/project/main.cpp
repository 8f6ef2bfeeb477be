// A program of somebody else's: sees only what is installed, links only what dynconf offers.

#include <dynconf/dynconf.hpp>

#include <cstdint>
#include <iostream>

namespace {

struct app_config {
    std::uint16_t db_port = 0;
};

}  // namespace

int main() {
    dynconf::declared_schema<app_config> schema("/app");
    schema.optional("db_port", &app_config::db_port, {.etcd = "Database/Port", .env = "APP_DB_PORT"}, 5432);
    const auto keys = dynconf::key_range::prefix(schema.get_config_prefix() + "/");
    const dynconf::error missing{dynconf::errc::required_missing, "db_port"};
    std::cout << missing.message() << '\n';
    return keys.contains("/app/Database/Port") && !keys.contains("/apq") && missing == dynconf::errc::required_missing
        ? 0
        : 1;
}
