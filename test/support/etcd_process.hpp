#pragma once

#include "support/child_process.hpp"
#include "support/scratch_dir.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::test {

struct etcd_binary {
    std::string path;
    std::string version;  ///< "3.5.16"

    friend std::ostream& operator<<(std::ostream& out, const etcd_binary& b) { return out << "etcd " << b.version; }
};

/// Every version at hand: those of DYNCONF_ETCDS (colon-separated), else the one of DYNCONF_ETCD, else what there is in
/// PATH and in the cache of scripts/fetch-etcd. May be empty: see REQUIRE_ETCD.
const std::vector<etcd_binary>& etcd_binaries();

/// What a raw request was answered.
struct raw_answer {
    unsigned status = 0;
    std::string body;
};

struct etcd_options {
    std::vector<std::string> flags;  ///< Further flags, as "--auth-token-ttl=1".
    bool https = false;              ///< The client URL's scheme; the flags name certificate and key.
    std::string host = "127.0.0.1";  ///< The client URL's host: an address of the loopback.
};

/// One etcd member on loopback ports of its own, with data and log in a scratch directory. Blocking throughout. Use it
/// from one thread, which must outlive it: the member dies with the thread that started it.
class etcd_process {
public:
    /// Started and healthy, or an exception that shows the end of its log.
    explicit etcd_process(const etcd_binary& binary, etcd_options options = {});
    /// A member of a cluster to be: not started.
    struct member {
        std::string name;
        std::uint16_t client_port;
        std::uint16_t peer_port;
        std::string initial_cluster;
    };
    etcd_process(const etcd_binary& binary, member self, etcd_options options = {});

    etcd_process(const etcd_process&) = delete;
    etcd_process& operator=(const etcd_process&) = delete;

    /// As given to a client: "http://127.0.0.1:20379".
    std::string endpoint() const;
    std::uint16_t port() const noexcept { return self_.client_port; }
    const std::string& version() const noexcept { return binary_.version; }

    /// Starts it again, on the same ports and data, and waits until it is healthy.
    void start();
    /// The same in two steps.
    void launch();
    void await_health();

    /// SIGKILL, as a power cut would.
    void kill() noexcept;
    /// SIGTERM; false when it had to be killed because it did not end in time.
    bool terminate();
    /// Only asks it to end; terminate() or launch() come later.
    void begin_terminate() noexcept;
    /// SIGSTOP and SIGCONT: connections are accepted, nothing is answered.
    void pause() noexcept;
    void resume() noexcept;
    /// Removes the data of a stopped member.
    void wipe();
    /// Puts what a snapshot holds in the place of a stopped member's data, by the etcdctl beside its etcd.
    void restore(const std::filesystem::path& snapshot);

    bool running() noexcept { return process_ && process_->running(); }
    std::string log_tail(std::size_t bytes = 2000) const;

    /// POSTs JSON to the gateway through a plain socket; no part of the library is involved. Throws when there is no
    /// HTTP answer within `limit`. Not for https.
    raw_answer raw(std::string_view path, std::string_view json, std::string_view token = {},
        std::chrono::milliseconds limit = std::chrono::seconds(10)) const;

    /// A value that it tells of itself under /metrics, as "etcd_debugging_mvcc_watcher_total". Not for https.
    double metric(std::string_view name) const;
    /// All of them, as Prometheus reads them.
    std::string metrics() const;

private:
    std::vector<std::string> command_line() const;
    bool healthy() const noexcept;

    etcd_binary binary_;
    etcd_options options_;
    member self_;
    std::uint16_t metrics_port_ = 0;  // with https: tells the health without TLS
    scratch_dir dir_;
    std::optional<child_process> process_;
};

/// Members that form one cluster, started and healthy.
class etcd_cluster {
public:
    etcd_cluster(const etcd_binary& binary, unsigned size, const etcd_options& options = {})
        : etcd_cluster(binary, std::vector<etcd_options>(size, options)) {}
    /// Each with its own.
    etcd_cluster(const etcd_binary& binary, const std::vector<etcd_options>& options);

    std::size_t size() const noexcept { return members_.size(); }
    etcd_process& operator[](std::size_t i) noexcept { return *members_[i]; }
    std::vector<std::string> endpoints() const;

private:
    std::vector<std::unique_ptr<etcd_process>> members_;
};

}  // namespace dynconf::test

/// Skips the running test case where no etcd was found.
#define REQUIRE_ETCD()                                                                                       \
    do {                                                                                                     \
        if (::dynconf::test::etcd_binaries().empty()) SKIP_CASE("no etcd: set DYNCONF_ETCD or install one"); \
    } while (false)
