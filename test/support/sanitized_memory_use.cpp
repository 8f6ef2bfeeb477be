// The measure of memory where a sanitizer has the allocator: it calls back. Clang's have operators of their own as well, and
// leave no place for others.

#include "support/memory_use.hpp"

#include <atomic>
#include <stdexcept>

// <sanitizer/allocator_interface.h>, which GCC leaves out.
extern "C" {
int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, std::size_t), void (*)(const volatile void*));
std::size_t __sanitizer_get_allocated_size(const volatile void*);
}

namespace {

/// Not from zero: what was there before the hooks is given back, too.
std::atomic<std::size_t> in_use{std::size_t{1} << 30};
std::atomic<std::size_t> most{0};

void allocated(const volatile void*, std::size_t size) {
    const std::size_t now = in_use.fetch_add(size, std::memory_order_relaxed) + size;
    for (std::size_t before = most.load(std::memory_order_relaxed); before < now && !most.compare_exchange_weak(before, now);) {}
}

void freed(const volatile void* p) {
    if (p) in_use.fetch_sub(__sanitizer_get_allocated_size(p), std::memory_order_relaxed);
}

const int hooks = __sanitizer_install_malloc_and_free_hooks(allocated, freed);

}  // namespace

namespace dynconf::test {

std::size_t memory_in_use() noexcept { return in_use; }
std::size_t most_memory_in_use() noexcept { return most; }

void mark_memory() {
    if (hooks == 0) throw std::logic_error("the sanitizer does not tell of its allocations");
    most = in_use.load();
}

}  // namespace dynconf::test
