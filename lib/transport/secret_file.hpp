#pragma once

#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace dynconf::transport {

/// What is in a small file that may hold a secret; it is left nowhere else in memory. An error names the file: the system's
/// own, or file_too_large past `most` bytes. Waits for the disk, and at a pipe for whoever writes: not for a strand.
result<secret> read_secret_file(const std::string& path, std::size_t most);

/// Without the line break that editors leave at the end.
std::string_view without_line_break(std::string_view text) noexcept;

}  // namespace dynconf::transport
