#pragma once

#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <cstddef>
#include <string>
#include <string_view>

// Readers of what other programs have encrypted. Nothing is ever written so. Their errors quote nothing.

namespace dynconf::crypto {

/// Fernet (github.com/fernet/spec): base64url of 0x80, 8 bytes of time, 16 of IV, AES-128-CBC, HMAC-SHA256 of all before.
/// `key` has 32 bytes: the first half signs, the second encrypts. A token is taken as the specification writes it alone:
/// one text for each content. Its time is authenticated, but no reason to refuse it.
result<std::string> open_fernet(const secret& key, std::string_view token);

/// blueprint's values: 12 bytes of nonce, AES-256-GCM, 16 bytes of tag; no associated data. `key` has 32 bytes.
result<std::string> open_blueprint(const secret& key, std::string_view stored);

/// blueprint's key: SHA-256 of what was configured.
secret blueprint_key(const secret& configured);

/// A larger value is not looked at: more than etcd ever takes.
inline constexpr std::size_t largest_foreign_value = std::size_t{64} << 20;

}  // namespace dynconf::crypto
