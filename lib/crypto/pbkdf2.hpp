#pragma once

#include <dynconf/secret.hpp>

#include <cstddef>
#include <string_view>

namespace dynconf::crypto {

/// PBKDF2-HMAC-SHA256 (RFC 8018). Takes long on purpose, a quarter of a second for 600 000 rounds: not for an io thread.
/// Throws std::invalid_argument for no rounds, no bytes, or more of them than OpenSSL counts.
secret pbkdf2_hmac_sha256(std::string_view passphrase, std::string_view salt, unsigned rounds, std::size_t bytes);

}  // namespace dynconf::crypto
