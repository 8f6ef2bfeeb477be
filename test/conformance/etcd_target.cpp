#include "conformance/etcd_target.hpp"

#include "conformance/normal.hpp"
#include "support/catch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

namespace dynconf::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

// A line of a stream: HTTP/1.0 has no chunks, and the end of the answer is the end of the connection.
class socket_stream final : public target_stream {
public:
    socket_stream(std::uint16_t port, const std::string& request) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) throw std::runtime_error("no connection to etcd");
        for (std::size_t sent = 0; sent < request.size();) {
            const auto n = ::send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) throw std::runtime_error("etcd takes no request");
            sent += static_cast<std::size_t>(n);
        }
    }
    ~socket_stream() override { ::close(fd_); }
    socket_stream(const socket_stream&) = delete;

    std::optional<std::string> next() override {
        for (;;) {
            if (!in_body_) {
                if (const auto end = got_.find("\r\n\r\n"); end != std::string::npos) {
                    got_.erase(0, end + 4);
                    in_body_ = true;
                }
            }
            if (const auto end = in_body_ ? got_.find('\n') : std::string::npos; end != std::string::npos) {
                std::string line = got_.substr(0, end);
                got_.erase(0, end + 1);
                if (!line.empty()) return line;
                continue;
            }
            pollfd p{fd_, POLLIN, 0};
            if (::poll(&p, 1, 1000) <= 0) return std::nullopt;
            char piece[65536];
            const auto n = ::recv(fd_, piece, sizeof piece, 0);
            if (n <= 0) return in_body_ && !got_.empty() ? std::optional(std::exchange(got_, {})) : std::nullopt;
            got_.append(piece, static_cast<std::size_t>(n));
        }
    }

private:
    int fd_;
    bool in_body_ = false;
    std::string got_;
};

class paired_stream final : public target_stream {
public:
    paired_stream(std::unique_ptr<target_stream> fake, std::unique_ptr<target_stream> real, std::string request)
        : fake_(std::move(fake)), real_(std::move(real)), request_(std::move(request)) {}

    std::optional<std::string> next() override {
        auto real = real_->next();
        if (!real) return std::nullopt;   // perhaps later
        const auto fake = fake_->next();
        INFO("watch " << request_);
        CHECK(normal(fake.value_or("nothing")) == normal(*real));
        return real;
    }

private:
    std::unique_ptr<target_stream> fake_, real_;
    std::string request_;
};

std::string shortened(std::string_view text) { return std::string(text.substr(0, 2000)); }

}  // namespace

target_answer etcd_target::call(std::string_view path, std::string_view body, std::string_view token) {
    raw_answer a = etcd_->raw(path, body, token);
    return {a.status, std::move(a.body)};
}

std::unique_ptr<target_stream> etcd_target::open(std::string_view path, std::string_view body, std::string_view token) {
    std::string request = "POST " + std::string(path) + " HTTP/1.0\r\nHost: 127.0.0.1:" + std::to_string(etcd_->port())
        + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size());
    if (!token.empty()) request += "\r\nAuthorization: " + std::string(token);
    return std::make_unique<socket_stream>(etcd_->port(), request + "\r\n\r\n" + std::string(body));
}

bool etcd_target::wait(const std::function<bool()>& done, std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    do {
        if (done()) return true;
        std::this_thread::sleep_for(20ms);   // between two looks
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

std::string paired_target::fake_token(std::string_view real) const {
    const auto known = tokens_.find(real);
    return known == tokens_.end() ? std::string(real) : known->second;
}

target_answer paired_target::call(std::string_view path, std::string_view body, std::string_view token) {
    target_answer real = real_.call(path, body, token);
    std::string same(body);
    // The member that an alarm is of has its own id in each.
    if (const auto at = same.find("memberID"); at != std::string::npos) {
        const auto id = json::parse(fake_.call("/v3/maintenance/status", "{}").body)["header"]["member_id"].get<std::string>();
        json patched = json::parse(same);
        patched["memberID"] = id;
        same = patched.dump();
    }
    const target_answer fake = fake_.call(path, same, fake_token(token));
    INFO(path << ' ' << shortened(body) << "\nreal: " << shortened(real.body) << "\nfake: " << shortened(fake.body));
    CHECK(fake.status == real.status);
    // What a parser says about bad JSON is its own affair.
    const bool own_words = real.body.find("proto:") != std::string::npos || real.body.find("json:") != std::string::npos
        || real.body.find("invalid character") != std::string::npos || real.body.find("for enum") != std::string::npos
        || real.body.find("larger than max") != std::string::npos || real.body.find("base64") != std::string::npos
        || real.body.find("invalid syntax") != std::string::npos;
    agreed_ = agreed_ && fake.status == real.status && (own_words || normal(fake.body) == normal(real.body));
    if (!own_words) CHECK(normal(fake.body) == normal(real.body));
    if (path == "/v3/auth/authenticate" && real.status == 200 && fake.status == 200)
        tokens_[json::parse(real.body)["token"]] = json::parse(fake.body)["token"];
    return real;
}

std::unique_ptr<target_stream> paired_target::open(std::string_view path, std::string_view body, std::string_view token) {
    auto real = real_.open(path, body, token);
    return std::make_unique<paired_stream>(fake_.open(path, body, fake_token(token)), std::move(real), std::string(body));
}

bool paired_target::wait(const std::function<bool()>& done, std::chrono::seconds limit) {
    // The fake's time is over at once; what it has to say then is there when the real one says it.
    fake_.wait([] { return false; }, limit);
    return real_.wait(done, limit);
}

}  // namespace dynconf::test
