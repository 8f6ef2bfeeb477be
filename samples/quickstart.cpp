// A service whose settings follow etcd: started, read, told of changes, stopped. Set EtcdSettings__HostName and
// EtcdSettings__RootKey; without an etcd it serves GREETING and DB_PORT of the environment, and says so.

#include <dynconf/dynconf.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdint>
#include <iostream>
#include <string>

namespace asio = boost::asio;

namespace {

struct app_settings {
    std::string greeting;
    std::uint16_t db_port = 0;
};

dynconf::declared_schema<app_settings> app_schema(const dynconf::settings& from) {
    dynconf::declared_schema<app_settings> schema(from.config_root("/quickstart"));
    schema.optional("greeting", &app_settings::greeting, {.etcd = "greeting", .env = "GREETING"}, "good morning")
        .optional("db_port", &app_settings::db_port, {.etcd = "db_port", .env = "DB_PORT"}, 5432,
                  dynconf::in_range<std::uint16_t>(1024, 65535));
    return schema;
}

void show(const dynconf::snapshot& now) {
    std::cout << "settings  revision=" << now.revision() << " origin=" << to_string(now.origin())
              << " greeting=" << now.get_or("greeting", "") << " db_port=" << now.get_or("db_port", 0) << std::endl;
}

asio::awaitable<void> serve() {
    const auto executor = co_await asio::this_coro::executor;
    const auto settings = dynconf::settings::from_environment();
    dynconf::config_manager config(executor, app_schema(settings), settings);

    const auto states = config.subscribe_status([&config](const dynconf::status& now) {
        std::cout << "state " << to_string(now.state);
        if (now.cause.code) std::cout << "  cause=" << now.cause.message();
        std::cout << std::endl;
        if (now.state == dynconf::config_state::stale) show(config.current());   // the last good values are still there
    });
    const auto changes = config.subscribe([](const dynconf::snapshot& before, const dynconf::snapshot& after) {
        if (before.origin() == dynconf::origin::none) return;   // the first load is no change
        for (const std::string& name : changed_names(before, after))
            std::cout << "changed " << name << ": " << before.find(name)->to_text() << " -> " << after.find(name)->to_text()
                      << std::endl;
    });
    const auto print_refusal = [](const dynconf::rejection& refused) {
        std::cout << "refused " << refused.name << ": " << refused.reason.message() << std::endl;
    };
    const auto refusals = config.subscribe_rejections(print_refusal);

    const dynconf::start_report report = co_await config.start();
    for (const dynconf::rejection& refused : report.rejected) print_refusal(refused);
    for (const std::string& name : report.missing) std::cout << "missing " << name << ", it has its default" << std::endl;
    show(co_await config.get_all_configs());

    asio::signal_set stop(executor, SIGINT, SIGTERM);
    co_await stop.async_wait(asio::use_awaitable);
    co_await config.stop();
    std::cout << "stopped" << std::endl;
}

}  // namespace

int main() {
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, serve(), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "quickstart: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
