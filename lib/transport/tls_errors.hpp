#pragma once

#include <dynconf/error.hpp>

#include <openssl/types.h>

#include <optional>
#include <string>

namespace dynconf::transport {

/// The last reason in OpenSSL's queue of errors, which is empty afterwards: "no start line".
std::string openssl_reason();

/// What OpenSSL thinks of a server's certificate, one of X509_V_ERR_*.
errc code_of_verdict(long verdict) noexcept;

/// What a server's alert, which ended the handshake or came as the first that was read, says. `asked`: it had asked for a
/// client certificate; `shown`: there was one. Nothing: it is no alert about that.
std::optional<errc> code_of_alert(const error_code& ec, bool asked, bool shown) noexcept;

}  // namespace dynconf::transport
