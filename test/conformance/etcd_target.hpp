#pragma once

#include "conformance/target.hpp"
#include "support/etcd_process.hpp"

namespace dynconf::test {

/// A real etcd, through plain sockets; no part of the library is involved.
class etcd_target final : public target {
public:
    explicit etcd_target(const etcd_process& etcd) : etcd_(&etcd), profile_(etcd.version()) {}
    target_answer call(std::string_view path, std::string_view body, std::string_view token = {}) override;
    std::unique_ptr<target_stream> open(std::string_view path, std::string_view body, std::string_view token = {}) override;
    bool wait(const std::function<bool()>& done, std::chrono::seconds limit) override;
    const testing::server_profile& profile() const override { return profile_; }

private:
    const etcd_process* etcd_;
    testing::server_profile profile_;
};

/// Both at once. What they answer is compared, but for what is chance; the case sees the real one's answers. Where they
/// differ, the fake is wrong.
class paired_target final : public target {
public:
    paired_target(target& fake, target& real) : fake_(fake), real_(real) {}
    target_answer call(std::string_view path, std::string_view body, std::string_view token = {}) override;
    std::unique_ptr<target_stream> open(std::string_view path, std::string_view body, std::string_view token = {}) override;
    bool wait(const std::function<bool()>& done, std::chrono::seconds limit) override;
    const testing::server_profile& profile() const override { return real_.profile(); }
    /// All calls so far were answered the same.
    bool agreed() const noexcept { return agreed_; }

private:
    std::string fake_token(std::string_view real) const;

    target& fake_;
    target& real_;
    bool agreed_ = true;
    std::map<std::string, std::string, std::less<>> tokens_;   // the fake's by the real one's
};

}  // namespace dynconf::test
