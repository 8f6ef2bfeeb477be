#pragma once

#include "support/test_ca.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace dynconf::test {

/// A server on loopback that speaks TLS and answers each request, which has no body, by "{}"; with a thread of its own.
class tls_peer {
public:
    explicit tls_peer(const issued& who);
    ~tls_peer();
    tls_peer(const tls_peer&) = delete;

    unsigned short port() const;
    std::string url() const { return "https://127.0.0.1:" + std::to_string(port()); }
    /// Of each handshake that worked, the name that was asked for (SNI).
    std::vector<std::string> names() const;
    std::size_t connections() const { return names().size(); }

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace dynconf::test
