#pragma once

#include <dynconf/mirror.hpp>

#include <string>
#include <string_view>

namespace dynconf::tool {

/// Well-formed UTF-8: neither overlong forms nor surrogates.
bool is_utf8(std::string_view bytes) noexcept;

std::string to_base64(std::string_view bytes);

/// "compacted", "store_replaced", "repaired"; empty for none.
std::string_view name_of(mirror_step::reason why) noexcept;

}  // namespace dynconf::tool
