#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace dynconf::testing {

/// Time is a value here, as in lib/policy.
using time_point = std::chrono::steady_clock::time_point;

/// What the gateway of a member is asked, once HTTP is taken off.
struct request {
    std::string method = "POST";
    std::string path;
    std::string body;
    std::string token;             ///< Of the Authorization header, as it was sent.
    bool require_leader = false;
    std::optional<std::chrono::milliseconds> timeout = {};   ///< Of the Grpc-Timeout header.
};

/// What it answers in one piece.
struct reply {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::chrono::milliseconds delay{0};   ///< The answer is this long in coming.
    bool lost = false;   ///< It never comes. What was asked for may have been done all the same.
    /// Of its head: by etcd's HTTP server or somebody else, by the gateway, by the gRPC server behind it, or that one's refusal
    /// of a stream.
    enum class writer { other, gateway, server, stream } by = writer::other;
    std::vector<std::string> headers = {};   ///< Further ones, "Name: value".
};

/// What it answers in lines, one JSON object each, for as long as the client stays.
class stream {
public:
    virtual ~stream() = default;

    /// The lines that are ready, without their newline; none twice.
    virtual std::vector<std::string> take(time_point now) = 0;
    /// Nothing comes after what take() gave: the body of the answer ends.
    virtual bool ended() const = 0;
};

}  // namespace dynconf::testing
