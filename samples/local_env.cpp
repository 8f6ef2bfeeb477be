// Configuration without etcd: with USE_LOCAL_CONFIG=true by choice, or because the etcd that EtcdSettings__HostName names
// does not answer. Values come from the environment and from defaults; the report says what came from where, and why.
// Exits with 1 when a required setting is missing.

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct worker_settings {
    std::string queue;
    std::uint32_t workers = 0;
    std::chrono::milliseconds timeout{};
    std::vector<std::string> tags;
};

dynconf::declared_schema<worker_settings> worker_schema(const dynconf::settings& from) {
    dynconf::declared_schema<worker_settings> schema(from.config_root("/worker"));
    schema.required("queue", &worker_settings::queue, {.etcd = "Queue", .env = "WORKER_QUEUE"})
        .optional("workers", &worker_settings::workers, {.etcd = "Workers", .env = "WORKER_COUNT"}, 4u,
                  dynconf::in_range(1u, 64u))
        .optional("timeout", &worker_settings::timeout, {.etcd = "Timeout", .env = "WORKER_TIMEOUT"}, 30s)
        .optional("tags", &worker_settings::tags, {.etcd = "Tags", .env = "WORKER_TAGS"}, {});
    return schema;
}

int run(dynconf::config_manager& config) {
    // A program without coroutines waits for futures; the manager works on the thread that runs the io_context.
    const dynconf::start_report report = config.start(boost::asio::use_future).get();

    std::cout << "state " << to_string(report.state) << ", values from " << to_string(report.origin) << std::endl;
    if (report.cause.code) std::cout << "etcd is not followed: " << report.cause.message() << std::endl;
    for (const std::string& name : report.missing) std::cout << "not set: " << name << std::endl;
    for (const std::string& name : report.missing_required) std::cout << "required, but not set: " << name << std::endl;
    for (const dynconf::rejection& refused : report.rejected)
        std::cout << "refused " << refused.key << ": " << refused.reason.message() << std::endl;

    const dynconf::snapshot now = config.current();
    for (const auto& [name, value] : now.all())
        std::cout << "setting " << name << " = " << value.to_json_text() << "  [" << to_string(now.info(name)->from) << ']'
                  << std::endl;
    config.stop(boost::asio::use_future).get();
    return report.missing_required.empty() ? 0 : 1;
}

}  // namespace

int main() {
    try {
        boost::asio::io_context io;
        auto work = boost::asio::make_work_guard(io);
        const auto settings = dynconf::settings::from_environment();
        dynconf::config_manager config(io.get_executor(), worker_schema(settings), settings);
        std::thread runner([&io] { io.run(); });
        int exit_code = 1;
        try {
            exit_code = run(config);
        } catch (const std::exception& failed) {
            std::cerr << "local_env: " << failed.what() << '\n';
        }
        work.reset();
        runner.join();
        return exit_code;
    } catch (const std::exception& failed) {
        std::cerr << "local_env: " << failed.what() << '\n';
        return 1;
    }
}
