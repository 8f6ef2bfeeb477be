#pragma once

#include <dynconf/error.hpp>

#include <optional>
#include <string_view>

// The one table of etcd's error texts: read one way for messages, the other way to recognise answers.

namespace dynconf::wire {

/// etcd's text of this error; empty for a number that is none.
std::string_view server_text(server_errc) noexcept;

/// The error whose text stands anywhere in `words`, the longest if several do.
std::optional<server_errc> find_server_error(std::string_view words) noexcept;

/// gRPC's name of a status ("FailedPrecondition"); empty for a number that is none.
std::string_view grpc_name(grpc_errc) noexcept;
std::optional<grpc_errc> find_grpc_error(std::string_view name) noexcept;

}  // namespace dynconf::wire
