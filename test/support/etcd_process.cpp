#include "support/etcd_process.hpp"

#include "support/etcdctl.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace dynconf::test {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

/// Generous: other tests, perhaps with sanitizers, share the machine.
constexpr auto start_limit = 60s;
constexpr auto stop_limit = 30s;  // etcd gives open watches 7 s to go
constexpr auto poll_interval = 10ms;
constexpr unsigned most_starts = 5;

class file_descriptor {
public:
    explicit file_descriptor(int fd) noexcept : fd_(fd) {}
    file_descriptor(const file_descriptor&) = delete;
    file_descriptor& operator=(const file_descriptor&) = delete;
    ~file_descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const noexcept { return fd_; }

private:
    int fd_;
};

sockaddr_in loopback(std::uint16_t port) noexcept {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

bool port_is_free(std::uint16_t port) noexcept {
    const file_descriptor s(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(s.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(port);
    return ::bind(s.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
        && ::listen(s.get(), 1) == 0;
}

/// Below the range from which the system takes the ports of outgoing connections. Within it a client that tries to
/// reconnect while etcd is down can be given etcd's own port, and connect to itself.
std::uint16_t free_port() {
    static std::mt19937 random{std::random_device{}()};
    static std::vector<std::uint16_t> given;
    std::uniform_int_distribution<int> pick(15'000, 32'000);
    for (int tries = 0; tries < 1000; ++tries) {
        const auto port = static_cast<std::uint16_t>(pick(random));
        if (std::find(given.begin(), given.end(), port) != given.end() || !port_is_free(port)) continue;
        given.push_back(port);
        return port;
    }
    throw std::runtime_error("no free port on loopback");
}

std::string url(const char* scheme, std::uint16_t port, const std::string& host = "127.0.0.1") {
    return std::string(scheme) + "://" + host + ":" + std::to_string(port);
}

etcd_process::member alone() {
    etcd_process::member m;
    m.name = "m0";
    m.client_port = free_port();
    m.peer_port = free_port();
    m.initial_cluster = m.name + "=" + url("http", m.peer_port);
    return m;
}

/// HTTP/1.0: the answer ends with the connection and is never chunked.
raw_answer exchange(std::uint16_t port, const std::string& request, std::chrono::milliseconds limit) {
    const auto fail = [port](const char* what) -> std::system_error {
        return {errno, std::generic_category(), std::string(what) + " at port " + std::to_string(port)};
    };
    const file_descriptor s(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto due = clock::now() + limit;
    const auto bound = [&](int which) {
        const auto left = std::max<std::chrono::microseconds>(
            1ms, std::chrono::duration_cast<std::chrono::microseconds>(due - clock::now()));
        const timeval t{
            static_cast<time_t>(left.count() / 1'000'000), static_cast<suseconds_t>(left.count() % 1'000'000)};
        ::setsockopt(s.get(), SOL_SOCKET, which, &t, sizeof t);
    };
    bound(SO_SNDTIMEO);
    const sockaddr_in address = loopback(port);
    if (::connect(s.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw fail("connect");
    for (std::string_view rest = request; !rest.empty();) {
        const auto n = ::send(s.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (n < 0) throw fail("send");
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
    std::string text;
    std::array<char, 65536> piece;
    for (;;) {
        bound(SO_RCVTIMEO);
        const auto n = ::recv(s.get(), piece.data(), piece.size(), 0);
        if (n < 0) throw fail("receive");
        if (n == 0) break;
        text.append(piece.data(), static_cast<std::size_t>(n));
    }
    const auto end_of_head = text.find("\r\n\r\n");
    if (!text.starts_with("HTTP/1.") || text.size() < 12 || end_of_head == std::string::npos)
        throw std::runtime_error("no HTTP answer at port " + std::to_string(port) + ": '" + text.substr(0, 200) + "'");
    return {static_cast<unsigned>(std::atoi(text.c_str() + 9)), text.substr(end_of_head + 4)};
}

std::string version_of(const std::string& path) {
    const std::string text = run_program({path, "--version"}, {}, environment_without("ETCD_")).out;
    constexpr std::string_view label = "etcd Version: ";
    const auto at = text.find(label);
    if (at == std::string::npos) return {};
    const auto start = at + label.size();
    return text.substr(start, text.find_first_of("\r\n", start) - start);
}

std::vector<std::string> split(std::string_view list) {
    std::vector<std::string> parts;
    while (!list.empty()) {
        const auto end = std::min(list.find(':'), list.size());
        if (end > 0) parts.emplace_back(list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return parts;
}

std::vector<std::string> candidates() {
    const auto variable = [](const char* name) -> std::string_view {
        const char* value = std::getenv(name);
        return value ? value : "";
    };
    if (auto all = split(variable("DYNCONF_ETCDS")); !all.empty()) return all;
    if (const auto one = variable("DYNCONF_ETCD"); !one.empty()) return {std::string(one)};
    std::vector<std::string> found;
    for (const std::string& dir : split(variable("PATH")))
        if (const std::string path = dir + "/etcd"; ::access(path.c_str(), X_OK) == 0) found.push_back(path);
    fs::path cache(variable("XDG_CACHE_HOME"));
    if (cache.empty()) cache = fs::path(variable("HOME")) / ".cache";
    std::error_code ec;
    for (const fs::directory_entry& entry : fs::directory_iterator(cache / "dynconf" / "etcd", ec))
        if (const fs::path path = entry.path() / "bin" / "etcd"; ::access(path.c_str(), X_OK) == 0)
            found.push_back(path.string());
    return found;
}

}  // namespace

const std::vector<etcd_binary>& etcd_binaries() {
    static const std::vector<etcd_binary> all = [] {
        std::vector<etcd_binary> usable;
        for (const std::string& path : candidates()) {
            const std::string version = version_of(path);
            const bool known =
                std::any_of(usable.begin(), usable.end(), [&](const etcd_binary& b) { return b.version == version; });
            if (!version.empty() && !known) usable.push_back({path, version});
        }
        return usable;
    }();
    return all;
}

etcd_process::etcd_process(const etcd_binary& binary, etcd_options options)
    : etcd_process(binary, alone(), std::move(options)) {
    for (unsigned tries = 1;; ++tries) {
        try {
            start();
            return;
        } catch (const std::exception&) {
            // The ports were free a moment ago, and nobody knows them yet: others will do.
            if (tries == most_starts || log_tail().find("address already in use") == std::string::npos) throw;
        }
        kill();
        wipe();
        self_ = alone();
        if (options_.https) metrics_port_ = free_port();
    }
}

etcd_process::etcd_process(const etcd_binary& binary, member self, etcd_options options)
    : binary_(binary), options_(std::move(options)), self_(std::move(self)) {
    if (options_.https) metrics_port_ = free_port();
}

std::string etcd_process::endpoint() const { return url(options_.https ? "https" : "http", self_.client_port, options_.host); }

std::vector<std::string> etcd_process::command_line() const {
    const std::string client = endpoint();
    const std::string peer = url("http", self_.peer_port);
    std::vector<std::string> line{binary_.path, "--name=" + self_.name, "--data-dir=" + (dir_.path() / "data").string(),
        "--logger=zap", "--log-level=warn", "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
        "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
        "--initial-cluster=" + self_.initial_cluster};
    if (metrics_port_ != 0) line.push_back("--listen-metrics-urls=" + url("http", metrics_port_));
    line.insert(line.end(), options_.flags.begin(), options_.flags.end());
    return line;
}

void etcd_process::launch() {
    kill();
    const file_descriptor log(::open((dir_.path() / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    process_.emplace(command_line(), child_process::streams{-1, log.get(), log.get()}, environment_without("ETCD_"));
}

bool etcd_process::healthy() const noexcept {
    try {
        const auto answer =
            exchange(metrics_port_ != 0 ? metrics_port_ : self_.client_port, "GET /health HTTP/1.0\r\n\r\n", 5s);
        return answer.status == 200 && answer.body.find("\"health\":\"true\"") != std::string::npos;
    } catch (const std::exception&) {
        return false;
    }
}

void etcd_process::await_health() {
    const auto due = clock::now() + start_limit;
    while (!healthy()) {
        const bool ended = !running();
        if (!ended && clock::now() < due) {
            std::this_thread::sleep_for(poll_interval);
            continue;
        }
        throw std::runtime_error("etcd " + version() + (ended ? " ended during its start" : " is not healthy")
            + "; the end of its log:\n" + log_tail());
    }
}

void etcd_process::start() {
    launch();
    await_health();
}

void etcd_process::kill() noexcept { process_.reset(); }

void etcd_process::begin_terminate() noexcept {
    if (process_) process_->signal(SIGTERM);
}

bool etcd_process::terminate() {
    if (!process_) return true;
    begin_terminate();
    const bool ended = process_->wait(stop_limit).has_value();
    kill();
    return ended;
}

void etcd_process::pause() noexcept {
    if (process_) process_->stop();
}

void etcd_process::resume() noexcept {
    if (process_) process_->signal(SIGCONT);
}

void etcd_process::wipe() { fs::remove_all(dir_.path() / "data"); }

void etcd_process::restore(const fs::path& snapshot) {
    wipe();
    const program_output done = run_program({etcdctl_of(binary_), "snapshot", "restore", snapshot.string(), "--name=" + self_.name,
        "--initial-cluster=" + self_.initial_cluster, "--initial-advertise-peer-urls=" + url("http", self_.peer_port),
        "--data-dir=" + (dir_.path() / "data").string()}, {}, etcdctl_environment());
    if (done.status != 0) throw std::runtime_error("etcdctl snapshot restore: " + done.err + done.out);
}

std::string etcd_process::log_tail(std::size_t bytes) const {
    std::ifstream log(dir_.path() / "log", std::ios::binary);
    std::string all((std::istreambuf_iterator<char>(log)), std::istreambuf_iterator<char>());
    return all.size() > bytes ? all.substr(all.size() - bytes) : all;
}

raw_answer etcd_process::raw(
    std::string_view path, std::string_view json, std::string_view token, std::chrono::milliseconds limit) const {
    std::string request = "POST " + std::string(path)
        + " HTTP/1.0\r\nHost: 127.0.0.1:" + std::to_string(self_.client_port)
        + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(json.size());
    if (!token.empty()) request += "\r\nAuthorization: " + std::string(token);
    request.append("\r\n\r\n").append(json);
    return exchange(self_.client_port, request, limit);
}

std::string etcd_process::metrics() const { return exchange(self_.client_port, "GET /metrics HTTP/1.0\r\n\r\n", 10s).body; }

double etcd_process::metric(std::string_view name) const {
    const std::string all = metrics();
    const std::string start = "\n" + std::string(name) + " ";
    const auto at = all.find(start);
    if (at == std::string::npos) throw std::runtime_error("etcd " + version() + " has no metric " + std::string(name));
    return std::stod(all.substr(at + start.size(), 32));
}

etcd_cluster::etcd_cluster(const etcd_binary& binary, const std::vector<etcd_options>& options) {
    for (unsigned tries = 1;; ++tries) {
        std::vector<etcd_process::member> plan;
        std::string everyone;
        for (std::size_t i = 0; i < options.size(); ++i) {
            etcd_process::member m;
            m.name = "m" + std::to_string(i);
            m.client_port = free_port();
            m.peer_port = free_port();
            everyone += (everyone.empty() ? "" : ",") + m.name + "=" + url("http", m.peer_port);
            plan.push_back(m);
        }
        members_.clear();
        for (etcd_process::member& m : plan) {
            m.initial_cluster = everyone;
            members_.push_back(std::make_unique<etcd_process>(binary, m, options[members_.size()]));
            members_.back()->launch();
        }
        try {
            for (const auto& m : members_) m->await_health();
            return;
        } catch (const std::exception&) {
            const bool port_taken = std::any_of(members_.begin(), members_.end(),
                [](const auto& m) { return m->log_tail().find("address already in use") != std::string::npos; });
            if (tries == most_starts || !port_taken) throw;
        }
    }
}

std::vector<std::string> etcd_cluster::endpoints() const {
    std::vector<std::string> all;
    for (const auto& m : members_) all.push_back(m->endpoint());
    return all;
}

}  // namespace dynconf::test
