#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Authenticated encryption with associated data. Keys have 32 bytes; what is sealed is as long as the text and the tag.

namespace dynconf::crypto {

inline constexpr std::size_t key_size = 32;
inline constexpr std::size_t tag_size = 16;
inline constexpr std::size_t gcm_nonce_size = 12;
inline constexpr std::size_t xaes_nonce_size = 24;

/// AES-256-GCM (NIST SP 800-38D). A nonce of 12 bytes must not be used twice with a key.
std::string gcm_seal(std::string_view key, std::string_view nonce, std::string_view text, std::string_view associated);
/// None: not what was sealed.
std::optional<std::string> gcm_open(std::string_view key, std::string_view nonce, std::string_view sealed, std::string_view associated);

/// XAES-256-GCM (C2SP): the same with a nonce of 24 bytes, which may be drawn at random.
std::string xaes_seal(std::string_view key, std::string_view nonce, std::string_view text, std::string_view associated);
std::optional<std::string> xaes_open(std::string_view key, std::string_view nonce, std::string_view sealed, std::string_view associated);

/// From the system's generator. Throws `exception` when it has none.
std::string random_bytes(std::size_t count);

}  // namespace dynconf::crypto
