#pragma once

#include "mock/core_scene.hpp"
#include "support/dns_responder.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

// Clients that find their endpoints by DNS SRV records.

namespace dynconf::test {

/// A domain whose name server says what it is told to.
class domain {
public:
    explicit domain(dns_reply plain = no_such_name(), dns_reply secure = no_such_name())
        : plain_(std::move(plain)), secure_(std::move(secure)), server_([this](const std::string& name) {
              const std::lock_guard lock(mutex_);
              return name.find("-ssl") == std::string::npos ? plain_ : secure_;
          }) {}

    void says(dns_reply plain, dns_reply secure = no_such_name()) {
        const std::lock_guard lock(mutex_);
        plain_ = std::move(plain);
        secure_ = std::move(secure);
    }
    std::size_t asked(const std::string& for_name) const {
        const auto all = server_.asked();
        return static_cast<std::size_t>(std::count(all.begin(), all.end(), for_name));
    }
    transport::name_servers servers() const { return {server_.address()}; }

private:
    std::mutex mutex_;
    dns_reply plain_;
    dns_reply secure_;
    dns_responder server_;
};

inline const std::string plain_name = "_etcd-client._tcp.example.test";
inline const std::string secure_name = "_etcd-client-ssl._tcp.example.test";

inline dns_srv record(const fake_gateway& g, std::uint16_t priority = 0) {
    const std::string url = g.url();
    return {priority, 0, static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))), "127.0.0.1"};
}

inline client_options by_srv() {
    client_options o = options_for({});
    o.discovery.srv = "example.test";
    o.discovery.refresh = 40ms;
    return o;
}

inline void with_domain(const domain& d, const client_options& options, const std::function<asio::awaitable<void>(etcd::client_core&)>& what) {
    with_core(options, [&](etcd::client_core& core) -> asio::awaitable<void> {
        core.ask_name_servers(d.servers());
        co_await what(core);
    });
}

inline void serves(fake_gateway& g) {
    g.on(range_path, empty_range);
    g.on(status_path, healthy_status);
}

inline bool says(const error& e, const std::string& words) { return e.message().find(words) != std::string::npos; }

inline dns_reply silent() {
    dns_reply r;
    r.silent = true;
    return r;
}

}  // namespace dynconf::test
