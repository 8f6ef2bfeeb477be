#pragma once

#include "testing/gateway.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dynconf::test {

/// What an etcd is told at its start, where it is not as usual.
struct target_settings {
    std::chrono::seconds token_ttl{300};
    std::chrono::seconds progress_interval{600};
};

struct target_answer {
    unsigned status = 0;
    std::string body;
};

/// The lines that an open stream has.
class target_stream {
public:
    virtual ~target_stream() = default;
    /// The next line; none when there is none, or none within ten seconds.
    virtual std::optional<std::string> next() = 0;
};

/// An etcd as the conformance cases see it: the fake one, a real one, or both side by side.
class target {
public:
    virtual ~target() = default;
    virtual target_answer call(std::string_view path, std::string_view body, std::string_view token = {}) = 0;
    virtual std::unique_ptr<target_stream> open(std::string_view path, std::string_view body, std::string_view token = {}) = 0;
    /// Until `done` says so: time passes meanwhile. False when it does not come in `limit`.
    virtual bool wait(const std::function<bool()>& done, std::chrono::seconds limit) = 0;
    virtual const testing::server_profile& profile() const = 0;
};

/// The fake gateway, in its own time.
class fake_target final : public target {
public:
    explicit fake_target(const std::string& version, const target_settings& settings = {});
    target_answer call(std::string_view path, std::string_view body, std::string_view token = {}) override;
    std::unique_ptr<target_stream> open(std::string_view path, std::string_view body, std::string_view token = {}) override;
    bool wait(const std::function<bool()>& done, std::chrono::seconds limit) override;
    const testing::server_profile& profile() const override { return profile_; }
    testing::gateway& member() noexcept { return gateway_; }

private:
    testing::server_profile profile_;
    testing::gateway gateway_;
    testing::time_point now_{};
};

}  // namespace dynconf::test
