#pragma once

#include <cstddef>
#include <string_view>

namespace dynconf::wire {

/// Whether the brackets of a JSON text go deeper than that, without building anything: to be asked before whatever recurses.
bool deeper_than(std::string_view json, std::size_t limit) noexcept;

}  // namespace dynconf::wire
