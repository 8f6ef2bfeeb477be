// The ready ControlUnit schema: its 33 settings below EtcdSettings__RootKey (default /APPS/ControlUnit), each with its
// value and where it came from, and then every change until SIGINT or SIGTERM. Secrets are shown as ****.

#include <dynconf/config/control_unit.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <iostream>
#include <string>
#include <vector>

namespace asio = boost::asio;

namespace {

std::string shown(const dynconf::snapshot& from, const std::string& name) {
    const dynconf::value* v = from.find(name);
    if (!v || v->is_null()) return "(none)";
    return from.is_secret(name) ? "****" : '"' + v->to_text() + '"';
}

void print(const char* what, const dynconf::snapshot& from, const std::string& name) {
    const auto origin = from.info(name).value_or(dynconf::provenance{});
    std::cout << what << ' ' << name << " = " << shown(from, name) << "  [" << to_string(origin.from) << ']' << std::endl;
}

asio::awaitable<void> follow() {
    const auto executor = co_await asio::this_coro::executor;
    const auto settings = dynconf::settings::from_environment();
    const dynconf::control_unit_schema schema(settings);
    dynconf::config_manager config(executor, schema, settings);

    const auto print_refusal = [](const dynconf::rejection& refused) {
        std::cout << "refused " << refused.name << ": " << refused.reason.message() << std::endl;
    };
    const auto refusals = config.subscribe_rejections(print_refusal);
    const dynconf::start_report report = co_await config.start();
    for (const dynconf::rejection& refused : report.rejected) print_refusal(refused);
    const dynconf::snapshot now = co_await config.get_all_configs();
    std::cout << now.size() << " settings below " << schema.get_config_prefix() << ", revision " << now.revision() << ", "
              << to_string(report.state) << std::endl;
    for (const auto& [name, value] : now.all()) print("setting", now, name);

    // By absolute key, from the same moment: no request, and never half of a transaction.
    const std::vector<std::string> keys{schema.get_config_prefix() + "/AiHttpMaxConnections",
                                        schema.get_config_prefix() + "/AiHttpMaxKeepaliveConnections"};
    for (const auto& [key, value] : schema.get_values_by_keys(now, keys))
        std::cout << "key " << key << " = " << value.to_text() << std::endl;

    const auto changes = config.subscribe([](const dynconf::snapshot& before, const dynconf::snapshot& after) {
        for (const std::string& name : changed_names(before, after)) print("changed", after, name);
    });
    asio::signal_set stop(executor, SIGINT, SIGTERM);
    std::cout << "following" << std::endl;
    co_await stop.async_wait(asio::use_awaitable);
    co_await config.stop();
    std::cout << "stopped" << std::endl;
}

}  // namespace

int main() {
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, follow(), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "control_unit: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
