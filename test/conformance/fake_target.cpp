#include "conformance/target.hpp"

#include <deque>

namespace dynconf::test {
namespace {

testing::gateway_options options_of(const std::string& version, const target_settings& settings) {
    testing::gateway_options o;
    o.server_version = version;
    o.auth_token_ttl = settings.token_ttl;
    o.progress_notify_interval = settings.progress_interval;
    return o;
}

testing::request to_request(std::string_view path, std::string_view body, std::string_view token) {
    testing::request r;
    r.path = path;
    r.body = body;
    r.token = token;
    return r;
}

class fake_stream final : public target_stream {
public:
    fake_stream(std::unique_ptr<testing::stream> s, const testing::time_point& now) : stream_(std::move(s)), now_(&now) {}
    explicit fake_stream(std::string line) : now_(nullptr) { lines_.push_back(std::move(line)); }

    std::optional<std::string> next() override {
        if (stream_)
            for (std::string& line : stream_->take(*now_)) lines_.push_back(std::move(line));
        if (lines_.empty()) return std::nullopt;
        std::string line = std::move(lines_.front());
        lines_.pop_front();
        return line;
    }

private:
    std::unique_ptr<testing::stream> stream_;
    const testing::time_point* now_;
    std::deque<std::string> lines_;
};

}  // namespace

fake_target::fake_target(const std::string& version, const target_settings& settings)
    : profile_(version), gateway_(options_of(version, settings)) {}

target_answer fake_target::call(std::string_view path, std::string_view body, std::string_view token) {
    auto a = gateway_.handle(to_request(path, body, token), now_);
    if (auto* r = std::get_if<testing::reply>(&a)) return {r->status, std::move(r->body)};
    target_answer all{200, {}};
    for (const std::string& line : std::get<1>(a)->take(now_)) all.body += line + '\n';
    return all;
}

std::unique_ptr<target_stream> fake_target::open(std::string_view path, std::string_view body, std::string_view token) {
    auto a = gateway_.handle(to_request(path, body, token), now_);
    if (auto* r = std::get_if<testing::reply>(&a)) return std::make_unique<fake_stream>(std::move(r->body));
    return std::make_unique<fake_stream>(std::move(std::get<1>(a)), now_);
}

bool fake_target::wait(const std::function<bool()>& done, std::chrono::seconds limit) {
    for (const auto end = now_ + limit; now_ < end; gateway_.advance(now_ += std::chrono::milliseconds(100)))
        if (done()) return true;
    return false;
}

}  // namespace dynconf::test
