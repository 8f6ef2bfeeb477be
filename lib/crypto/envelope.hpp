#pragma once

#include <dynconf/error.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace dynconf::crypto {

// The bytes of a sealed value; which they are stands with key_ring.

/// The parts of one, as views into it.
struct envelope {
    std::string_view header;   ///< All before the nonce.
    std::string_view key_id;
    std::string_view nonce;
    std::string_view sealed;   ///< With its tag.
};

/// Whether it may be the id of a key: 1 to key_ring::most_id_size visible ASCII characters.
bool is_key_id(std::string_view text) noexcept;

bool begins_as_envelope(std::string_view value) noexcept;
/// errc::not_sealed, unsupported_seal for another version, seal_broken for one that is cut, or whose id is none. Without a
/// detail.
result<envelope> parse_envelope(std::string_view value);

std::size_t envelope_overhead(std::size_t key_id_size) noexcept;

/// `key` is etcd's, `nonce` has 24 bytes.
std::string seal(std::string_view key_id, std::string_view secret_key, std::string_view nonce, std::string_view key, std::string_view value);
/// None: it is not what was sealed for this key of etcd with this secret key.
std::optional<std::string> open(const envelope& e, std::string_view secret_key, std::string_view key);

}  // namespace dynconf::crypto
