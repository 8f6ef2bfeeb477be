#pragma once

#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dynconf::transport {

/// At a pipe whose writer has not written yet. Waiting is for threads of which nobody waits.
enum class pipes : std::uint8_t { do_not_wait, wait };

/// What is in a small file that may hold a secret; it is left nowhere else in memory. An error names the file: the system's
/// own, or file_too_large past `most` bytes.
result<secret> read_secret_file(const std::string& path, std::size_t most, pipes how = pipes::do_not_wait);

/// Without the line break that editors leave at the end.
std::string_view without_line_break(std::string_view text) noexcept;

}  // namespace dynconf::transport
