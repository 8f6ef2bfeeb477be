#pragma once

#include "support/catch.hpp"
#include "support/parallel.hpp"
#include "support/scripted_source.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::test {

/// Lets everything that is ready run: for what must not happen.
inline asio::awaitable<void> settle(int turns = 200) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (int i = 0; i < turns; ++i) co_await asio::post(executor, asio::use_awaitable);
}

struct app_config {
    int port = 0;
    std::string host;
    std::string region;
};

inline std::shared_ptr<const schema> app_schema() {
    auto s = std::make_shared<declared_schema<app_config>>("/app");
    s->optional("port", &app_config::port, {.etcd = "Port", .env = "PORT"}, 80)
        .required("host", &app_config::host, {.etcd = "Host", .env = "HOST"})
        .optional("region", &app_config::region, {.etcd = "Region"}, "north");
    return s;
}

inline std::shared_ptr<const schema> open_schema() { return std::make_shared<const prefix_schema>("/app"); }

/// A manager on a scripted source, with a log.
struct fixture {
    std::shared_ptr<scripted_source> src = std::make_shared<scripted_source>();
    std::map<std::string, std::string> environment{{"HOST", "env-host"}, {"PORT", "5"}};

    manager_options options() {
        manager_options o;
        o.look_up = [this](const std::string& name) -> std::optional<std::string> {
            const auto at = environment.find(name);
            if (at == environment.end()) return std::nullopt;
            return at->second;
        };
        o.log = [this](const log_record& r) {
            const std::lock_guard lock(mutex_);
            log_.push_back(std::string(r.event) + ": " + r.text);
        };
        return o;
    }
    manager_options strict() {
        manager_options o = options();
        o.strict = true;
        return o;
    }
    /// What most tests begin with: etcd's content and a confirmed watch.
    void goes_live(revision_t revision = 3) {
        src->push(loaded(revision, {{"/app/Host", "db1"}, {"/app/Port", "81"}}));
        src->push(connected());
    }
    bool logged(std::string_view text) const { return count_logged(text) > 0; }
    /// Lines with that text.
    std::size_t count_logged(std::string_view text) const {
        const std::lock_guard lock(mutex_);
        std::size_t count = 0;
        for (const std::string& line : log_) count += line.find(text) != std::string::npos ? 1u : 0u;
        return count;
    }
    std::string log_text() const {
        const std::lock_guard lock(mutex_);
        std::string all;
        for (const std::string& line : log_) all += line + '\n';
        return all;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> log_;
};

}  // namespace dynconf::test
