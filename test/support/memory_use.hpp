#pragma once

#include <cstddef>

namespace dynconf::test {

/// Bytes that operator new (where a sanitizer has the allocator: all of it) has handed out and not got back, in the whole
/// program; and the most of them since `mark_memory`.
std::size_t memory_in_use() noexcept;
std::size_t most_memory_in_use() noexcept;
void mark_memory();

}  // namespace dynconf::test
