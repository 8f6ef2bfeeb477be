#pragma once

#include <dynconf/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf {

/// Where an etcd member listens: `host:port`, `http(s)://host[:port]`, `[v6]:port`, `unix:///path`.
/// The port defaults to 2379, the scheme to http. Immutable value.
class endpoint {
public:
    enum class scheme : std::uint8_t { http, https, unix_socket };

    /// errc::invalid_endpoint with what is wrong. A user part is refused: credentials have their own option.
    DYNCONF_API static result<endpoint> parse(std::string_view text);
    /// A comma-separated list; empty items are refused.
    DYNCONF_API static result<std::vector<endpoint>> parse_list(std::string_view text);

    scheme kind() const noexcept { return scheme_; }
    bool uses_tls() const noexcept { return scheme_ == scheme::https; }
    /// Host name or address without brackets; the path of a unix socket.
    const std::string& host() const noexcept { return host_; }
    std::uint16_t port() const noexcept { return port_; }
    /// The value of the Host header: the configured `host:port`, as etcd's host whitelist wants it.
    DYNCONF_API std::string authority() const;
    /// "https://10.0.0.1:2379": what messages and status show.
    DYNCONF_API std::string to_string() const;

    friend bool operator==(const endpoint&, const endpoint&) = default;

private:
    endpoint(scheme s, std::string host, std::uint16_t port) : scheme_(s), host_(std::move(host)), port_(port) {}

    scheme scheme_;
    std::string host_;
    std::uint16_t port_;
};

}  // namespace dynconf
