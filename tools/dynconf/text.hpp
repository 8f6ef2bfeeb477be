#pragma once

#include <string>
#include <string_view>

namespace dynconf::tool {

/// Well-formed UTF-8: neither overlong forms nor surrogates.
bool is_utf8(std::string_view bytes) noexcept;

std::string to_base64(std::string_view bytes);

}  // namespace dynconf::tool
