#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dynconf::wire {

/// A stranger's words, fit for a log line: control characters and broken UTF-8 as escapes, at most `limit` bytes
/// (at least 3), never cut inside a character. White space around them is dropped.
std::string quote(std::string_view words, std::size_t limit = 200);

bool is_utf8(std::string_view text) noexcept;

}  // namespace dynconf::wire
