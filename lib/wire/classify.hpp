#pragma once

#include <dynconf/error.hpp>
#include <dynconf/types.hpp>

#include <string>
#include <string_view>

// Every shape in which an etcd gateway says "no", brought to one `error`. The code comes from the text where the
// text is etcd's own, else from the gRPC status, else from the HTTP status. The detail quotes at most 200 bytes.

namespace dynconf::wire {

/// The error members of a body or of a stream line, as far as they were there.
struct server_fault {
    int grpc_code = 0;
    std::string message;
};

/// The detail is the server's words alone; who asked what of whom is the caller's to add.
error classify(const server_fault& fault);

/// A whole unary answer whose status is not 200, or whose body is not the expected message.
/// An empty body, a text body ("404 page not found\n", 421, 431, the CommonName refusal), JSON of every version.
error classify(unsigned http_status, std::string_view body);

/// A watch that answered `canceled`. `compact_revision` wins over the reason; without either: errc::watch_ended.
error classify_cancel(std::string_view cancel_reason, revision_t compact_revision);

}  // namespace dynconf::wire
