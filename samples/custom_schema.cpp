// The same three settings in both styles: a subclass that says everything in code, and a declaration on a plain struct.
// Prints what each makes of etcd's content, every value it refuses, and the struct, until SIGINT or SIGTERM.

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;

namespace {

// By subclass: where the keys are, what they are called, and how text becomes a value.
class database_schema : public dynconf::schema {
public:
    explicit database_schema(std::string prefix) : prefix_(std::move(prefix)) {}

    std::string get_config_prefix() const override { return prefix_; }
    dynconf::name_map build_etcd_key_map() const override {
        return {{prefix_ + "/Host", "db_host"}, {prefix_ + "/Port", "db_port"}, {prefix_ + "/Password", "db_password"}};
    }
    dynconf::name_map build_env_var_map() const override {
        return {{"db_host", "DB_HOST"}, {"db_port", "DB_PORT"}, {"db_password", "DB_PASSWORD"}};
    }
    dynconf::result<dynconf::value> coerce_config_value(std::string_view name, dynconf::value raw) const override {
        if (name == "db_host" && raw.is_null()) return "localhost";   // null: there is no text, so this is the default
        if (name != "db_port") return raw;
        if (raw.is_null()) return 5432;
        const auto port = dynconf::coercion<std::uint16_t>::from(raw.get<std::string_view>());
        if (!port) return port.error();
        if (*port < 1024) return dynconf::error{dynconf::errc::schema_violation, "ports below 1024 are not for databases"};
        return *port;
    }
    dynconf::setting_traits traits(std::string_view name) const override {
        dynconf::setting_traits known;
        known.secret = name == "db_password";
        return known;
    }

private:
    std::string prefix_;
};

// By declaration: the same on a plain struct.
struct database {
    std::string host;
    std::uint16_t port = 0;
    std::string password;
};

std::shared_ptr<const dynconf::declared_schema<database>> declared(std::string prefix) {
    auto schema = std::make_shared<dynconf::declared_schema<database>>(std::move(prefix));
    schema->optional("db_host", &database::host, {.etcd = "Host", .env = "DB_HOST"}, "localhost")
        .optional("db_port", &database::port, {.etcd = "Port", .env = "DB_PORT"}, 5432, dynconf::at_least<std::uint16_t>(1024))
        .optional("db_password", &database::password, {.etcd = "Password", .env = "DB_PASSWORD", .secret = true}, "");
    return schema;
}

// Starts a manager and prints what happens to it: what start() refused is in its report, what comes later in the callback.
class printed {
public:
    printed(std::string style, dynconf::config_manager& config)
        : style_(std::move(style)), config_(config),
          changes_(config.subscribe([this](const dynconf::snapshot&, const dynconf::snapshot& now) {
              std::cout << style_ << " revision=" << now.revision() << ' ' << now.to_json_text() << std::endl;
          })),
          refusals_(config.subscribe_rejections([this](const dynconf::rejection& refused) { print(refused); })) {}

    asio::awaitable<void> start() {
        const dynconf::start_report report = co_await config_.start();
        for (const dynconf::rejection& refused : report.rejected) print(refused);
    }

private:
    void print(const dynconf::rejection& refused) const {
        std::cout << style_ << " refused " << refused.key << ": " << refused.reason.message() << std::endl;
    }

    std::string style_;
    dynconf::config_manager& config_;
    dynconf::subscription changes_, refusals_;
};

asio::awaitable<void> compare() {
    const auto executor = co_await asio::this_coro::executor;
    const auto settings = dynconf::settings::from_environment();
    const auto prefix = settings.config_root("/database");
    const auto plain = declared(prefix);

    dynconf::config_manager by_class(executor, database_schema(prefix), settings);
    dynconf::config_manager by_struct(executor, plain, settings);
    printed first("class", by_class), second("struct", by_struct);
    co_await first.start();
    co_await second.start();

    const database db = plain->bind(by_struct.current()).value();
    std::cout << "bound " << db.host << ':' << db.port << (db.password.empty() ? "" : " with a password") << std::endl;

    asio::signal_set stop(executor, SIGINT, SIGTERM);
    co_await stop.async_wait(asio::use_awaitable);
    co_await by_class.stop();
    co_await by_struct.stop();
    std::cout << "stopped" << std::endl;
}

}  // namespace

int main() {
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, compare(), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "custom_schema: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
