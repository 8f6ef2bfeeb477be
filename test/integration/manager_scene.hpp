#pragma once

// What the tests of the manager on real etcd processes have in common.

#include "integration/scene.hpp"
#include "support/io_threads.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::test {

using steady = std::chrono::steady_clock;

struct app_config {
    int port = 0;
    std::string host;
    std::string elsewhere;
};

inline std::shared_ptr<const schema> app_schema() {
    auto s = std::make_shared<declared_schema<app_config>>("/app");
    s->optional("port", &app_config::port, {.etcd = "Port", .env = "PORT"}, 80)
        .required("host", &app_config::host, {.etcd = "Host", .env = "HOST"})
        .optional("elsewhere", &app_config::elsewhere, {.etcd = "/shared/Elsewhere"}, "nowhere");
    return s;
}

inline std::shared_ptr<const schema> open_schema() { return std::make_shared<const prefix_schema>("/app"); }

inline manager_options quick(bool strict = false) {
    manager_options o;
    o.strict = strict;
    o.client.backoff.first = 20ms;
    o.client.backoff.most = 200ms;
    o.client.slow_retry = 200ms;
    o.log = log_file();
    o.look_up = [](const std::string& name) -> std::optional<std::string> {
        if (name == "HOST") return "env-host";
        return std::nullopt;
    };
    return o;
}

inline settings at(std::string endpoint, std::optional<credentials> who = std::nullopt) {
    settings s;
    s.endpoints = std::vector<std::string>(1, std::move(endpoint));
    if (who) {
        s.username = who->username;
        s.password = who->password;
    }
    return s;
}

/// What etcd holds, as an open schema shows it.
inline config_map content_of(const etcd_admin& admin) {
    config_map all;
    for (const auto& [key, item] : admin.read("/app/")) all.emplace(key.substr(5), value(item.value));
    return all;
}

inline bool is_live(const config_manager& cfg) { return cfg.status().state == config_state::live; }

inline start_report started(config_manager& cfg) { return cfg.start(asio::use_future).get(); }

inline error_code start_error(config_manager& cfg) {
    std::promise<error_code> done;
    auto result = done.get_future();
    cfg.start([&](error_code ec, const start_report&) { done.set_value(ec); });
    return result.get();
}

/// How long stop() takes.
inline std::chrono::milliseconds stopped(config_manager& cfg) {
    const auto begin = steady::now();
    cfg.stop(asio::use_future).get();
    CHECK(cfg.status().state == config_state::stopped);
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - begin);
}

/// Notes what subscribers are told, and whether they could ever tell a reload from a change.
class witness {
public:
    explicit witness(config_manager& cfg)
        : subscription_(cfg.subscribe([this](const snapshot& before, const snapshot& after) {
              const std::lock_guard lock(mutex_);
              if (before.serial() >= after.serial()) ++faults_;
              if (!last_.empty() && !(before.all() == last_)) ++faults_;   // nothing between what it was told
              if (changed_names(before, after).empty()) ++faults_;
              if (after.empty() && !before.empty()) ++emptied_;
              for (std::string& name : changed_names(before, after)) names_.push_back(std::move(name));
              last_ = after.all();
          })) {}

    int faults() const { return read(faults_); }
    int emptied() const { return read(emptied_); }
    /// Names that were told as changed, in order; and forgets them.
    strings names() {
        const std::lock_guard lock(mutex_);
        return std::exchange(names_, {});
    }

private:
    int read(const int& n) const {
        const std::lock_guard lock(mutex_);
        return n;
    }
    mutable std::mutex mutex_;
    config_map last_;
    strings names_;
    int faults_ = 0;
    int emptied_ = 0;
    subscription subscription_;
};

inline strings sorted(strings all) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

}  // namespace dynconf::test
