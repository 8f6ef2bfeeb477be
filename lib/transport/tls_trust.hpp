#pragma once

#include <dynconf/error.hpp>
#include <dynconf/tls_options.hpp>

#include <openssl/types.h>

namespace dynconf::transport {

/// Tells the context whom to trust. Reads the files; errc::unreadable_ca.
result<void> set_trust(SSL_CTX* context, const tls_options& options);

/// Gives the context the client's certificate and key, if there are any. Reads the files; errc::unreadable_certificate,
/// unreadable_key, wrong_key_password, key_mismatch.
result<void> set_identity(SSL_CTX* context, const tls_options& options);

}  // namespace dynconf::transport
