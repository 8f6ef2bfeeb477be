#pragma once

#include <dynconf/error.hpp>

#include <exception>
#include <string>

namespace dynconf::testing {

/// How etcd says no: a gRPC status and words. Thrown inside the fake, and given to the client as the gateway writes it.
class refusal : public std::exception {
public:
    refusal(grpc_errc status, std::string words) : status_(status), words_(std::move(words)) {}
    /// etcd's own words and status for it.
    explicit refusal(server_errc what);

    grpc_errc status() const noexcept { return status_; }
    const std::string& words() const noexcept { return words_; }
    const char* what() const noexcept override { return words_.c_str(); }

private:
    grpc_errc status_;
    std::string words_;
};

/// The gateway's own: a request that it cannot read goes no further.
class unreadable : public refusal {
public:
    explicit unreadable(std::string words) : refusal(grpc_errc::invalid_argument, std::move(words)) {}
};

/// As the gateways map it; 412 for a failed precondition was the habit of the oldest (`precondition_412`).
unsigned http_status(grpc_errc status, bool precondition_412) noexcept;

}  // namespace dynconf::testing
