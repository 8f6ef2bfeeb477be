#include "testing/server_profile.hpp"

#include <charconv>
#include <stdexcept>

namespace dynconf::testing {
namespace {

server_profile::gateway library_of(std::string_view version) {
    if (version.starts_with("3.4.")) return server_profile::gateway::v1_6;
    if (version == "3.5.16" || version == "3.5.30" || !version.starts_with("3.5.")) return server_profile::gateway::v2;
    return server_profile::gateway::v1_16;
}

}  // namespace

server_profile::server_profile(std::string_view version) : server_profile(version, library_of(version)) {}

server_profile::server_profile(std::string_view version, gateway library)
    : version_(version), library_(library), spaces_(version == "3.5.30" || version == "3.7.1") {
    const char* const end = version.data() + version.size();
    const bool is_3 = version.starts_with("3.");
    const auto minor = is_3 ? std::from_chars(version.data() + 2, end, minor_) : std::from_chars_result{end, std::errc::invalid_argument};
    if (minor.ec != std::errc() || minor.ptr == end || *minor.ptr != '.'
        || std::from_chars(minor.ptr + 1, end, patch_).ec != std::errc() || minor_ < 4)
        throw std::invalid_argument("not a version of etcd from 3.4.0 on: " + version_);
}

bool server_profile::since(unsigned of_3_4, unsigned of_3_5, unsigned of_3_6) const noexcept {
    if (minor_ > 6) return true;
    return patch_ >= (minor_ == 4 ? of_3_4 : minor_ == 5 ? of_3_5 : of_3_6);
}

}  // namespace dynconf::testing
