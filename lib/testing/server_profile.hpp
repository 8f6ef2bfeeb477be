#pragma once

#include <string>
#include <string_view>

namespace dynconf::testing {

/// What differs from one etcd to the next in what a client can see: its own version, and the grpc-gateway it was built
/// with, which decides how JSON and errors look.
class server_profile {
public:
    enum class gateway { v1_6, v1_16, v2 };

    /// With the gateway that Debian builds into 3.4.23, 3.5.16 and 3.5.30, and upstream into all others.
    explicit server_profile(std::string_view version);
    server_profile(std::string_view version, gateway library);

    const std::string& version() const noexcept { return version_; }
    std::string cluster_version() const { return "3." + std::to_string(minor_) + ".0"; }
    gateway library() const noexcept { return library_; }
    bool is_v2() const noexcept { return library_ == gateway::v2; }
    /// protojson puts a space behind each comma, or does not, at random for each build; 3.5.30 and 3.7.1 as captured do.
    bool spaces() const noexcept { return spaces_; }
    /// It tells the length of any answer; the others only of those up to 2 KB.
    bool tells_length() const noexcept { return version_ == "3.5.16" && is_v2(); }
    bool precondition_412() const noexcept { return library_ == gateway::v1_6; }
    /// 3.minor or newer.
    bool is(unsigned minor) const noexcept { return minor_ >= minor; }
    /// Holds since these patches of 3.4, 3.5 and 3.6, and in all later minors.
    bool since(unsigned of_3_4, unsigned of_3_5, unsigned of_3_6) const noexcept;

    /// Asks for a token, and for rights, in all calls: before CVE-2026-33413 some were open, and so was what is inside of
    /// transactions.
    bool guards_all() const noexcept { return since(42, 28, 9); }

    static constexpr unsigned never = 1000;

private:
    std::string version_;
    unsigned minor_ = 5, patch_ = 0;
    gateway library_ = gateway::v2;
    bool spaces_ = false;
};

}  // namespace dynconf::testing
