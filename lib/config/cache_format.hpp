#pragma once

#include <dynconf/config/cache.hpp>
#include <dynconf/key_ring.hpp>
#include <dynconf/types.hpp>

#include "config/kept_content.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dynconf::detail {

/// What a file holds.
struct cache_copy {
    kept_image content;
    std::vector<key_range> ranges;                    ///< That the content is of.
    std::chrono::system_clock::time_point as_of{};    ///< When etcd last confirmed it; kept in whole milliseconds.
};

using cache_bytes = std::vector<std::uint8_t>;

/// 8 bytes "DYNCONF\n"; the length of the header as 4 bytes, the highest first; the header, a CBOR map; the body, a CBOR
/// array of keys; SHA-256 of all before. The header says how the body is encoded. With a ring it is a sealed value
/// (key_ring), whose content is a whole file in the clear, and the header says nothing else.
cache_bytes encode_cache(const cache_copy& copy, const std::optional<key_ring>& ring = std::nullopt);

struct decoded_cache {
    cache_verdict verdict = cache_verdict::damaged;   ///< usable, damaged, unknown_format, not_opened or not_sealed.
    std::string why;                                  ///< In words; quotes nothing.
    cache_copy copy;                                  ///< When usable.
};
/// Any bytes at all. With a ring only what was sealed by it.
decoded_cache decode_cache(std::span<const std::uint8_t> bytes, const std::optional<key_ring>& ring = std::nullopt);

/// Whether a file that begins so is a sealed one; it need not be whole.
bool begins_sealed(std::span<const std::uint8_t> bytes);

/// Puts the checksum at the end of what stands before it.
void add_checksum(cache_bytes& bytes);

}  // namespace dynconf::detail
